"""What a training prints and logs: its tail is kept, and fit for a terminal."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

import pytest
from torch import nn

from search.logs import Tail, listening, visible
from search.protocol import LONGEST_LOG, Failed
from search.training.trainer import Ended, Trainer
from tests.training.toys import CPU, Line, Watcher, an_assignment

log = logging.getLogger("spirals")


class Talkative(Line):
    """Prints and logs while it builds its model, and then raises if it was told to."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self._error = error

    def model(self, options: dict[str, Any]) -> nn.Module:
        sys.stdout.write("width 32\n")
        sys.stderr.write("\x1b[33mcareful\x1b[0m\n")
        log.warning("no such file: %s", "cache")
        sys.stdout.write("half a line")
        if self._error is not None:
            raise self._error
        return super().model(options)


def _trained(task: Line) -> Ended:
    return Trainer(CPU, load=lambda _: task)(an_assignment(), Watcher())


SAID = "width 32\ncareful\nWARNING spirals: no such file: cache\nhalf a line"


def test_what_a_task_prints_and_logs_is_kept_with_its_end_and_still_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _trained(Talkative()).log == SAID
    assert capsys.readouterr().out == "width 32\nhalf a line"


def test_a_failure_s_log_ends_with_the_traceback() -> None:
    outcome = _trained(Talkative(KeyError("left\x00 \x1b]0;title\x07"))).outcome
    assert isinstance(outcome, Failed)
    assert outcome.log.startswith(f"{SAID}\nTraceback (most recent call last):\n")
    assert outcome.log.endswith("KeyError: 'left\\x00 \\x1b]0;title\\x07'\n")
    assert "\x00" not in outcome.message


def test_one_trial_s_log_says_nothing_of_the_one_before() -> None:
    trainer = Trainer(CPU, load=lambda _: Talkative())
    assert [trainer(an_assignment(), Watcher()).log for _ in range(2)] == [SAID, SAID]


def test_streams_and_handlers_are_as_before_when_it_is_over() -> None:
    before = sys.stdout, sys.stderr, list(logging.getLogger().handlers)
    with listening():
        assert sys.stdout.encoding == before[0].encoding
    assert (sys.stdout, sys.stderr, logging.getLogger().handlers) == before


def test_what_another_thread_logs_is_not_the_training_s() -> None:
    with listening() as said:
        thread = threading.Thread(target=lambda: log.warning("from elsewhere"))
        thread.start()
        thread.join()
    assert said.text() == ""


def test_only_the_tail_is_kept() -> None:
    said = Tail()
    for number in range(20_000):
        said.write(f"line {number}\n")
    kept = said.text()
    assert LONGEST_LOG - 20 < len(kept) <= LONGEST_LOG
    assert kept.endswith("line 19998\nline 19999\n")
    said.write("x" * 10**6)
    assert said.text() == "x" * LONGEST_LOG


def test_a_progress_bar_leaves_its_last_drawing() -> None:
    said = Tail()
    said.write("start\n")
    for percent in range(101):
        said.write(f"\r{percent} %")
    said.write("\ndone\r\n")
    assert said.text() == "start\n100 %\ndone\n"


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain, ümlauts, 数\tand\n", "plain, ümlauts, 数\tand\n"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[Hcleared", "cleared"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\x00b\x7f", "a\\x00b\\x7f"),
        ("turned \u202e round", "turned \\u202e round"),
        ("half \ud800", "half \\ud800"),
        ("dos\r\n", "dos\n"),
    ],
)
def test_nothing_is_left_that_a_terminal_would_obey(text: str, shown: str) -> None:
    assert visible(text) == shown
