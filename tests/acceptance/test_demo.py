"""The demo: from nothing to a best recipe, and nothing left running however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.cli.exits import Exit
from tests.acceptance.running import completed, environment, is_alive, processes_naming, serving, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

WAIT_SECONDS = 60


@contextmanager
def _demo(home: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """``etude demo`` in a process of its own; its output goes to ``output`` in its home."""
    home.mkdir()
    command = [sys.executable, "-m", "service", "demo", "--workers", "1", "--directory", "demos", *flags]
    # Its processes are known by this variable, which they all inherit.
    env = environment(ACCEPTANCE_HOME=str(home))
    with (home / "output").open("w") as output:
        process = subprocess.Popen(command, cwd=home, env=env, stdout=output, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _output(home: Path) -> str:
    return (home / "output").read_text()


def test_two_demos_at_once_both_end_well_and_their_studies_reopen(tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    flags = ("--trials", "3", "--epochs", "1")
    with _demo(homes[0], *flags) as first, _demo(homes[1], *flags) as second:
        codes = [first.wait(WAIT_SECONDS), second.wait(WAIT_SECONDS)]
    for home, code in zip(homes, codes, strict=True):
        said = _output(home)
        assert code == Exit.OK, said
        assert processes_naming(str(home)) == []
        assert "Leaderboard" in said
        assert '"peak_lr"' in said
        assert "torch.optim" in said
    said = _output(homes[0])
    data = re.search(r"serve --data-dir (\S+)", said)
    name = re.search(r"study default/(\S+)", said)
    assert data is not None
    assert name is not None
    with (
        serving(homes[0], "--data-dir", str(homes[0] / data.group(1)), workers=0) as reopened,
        reopened.client() as client,
    ):
        completed(client.study(name.group(1)), 3)
        assert client.best_torch(name.group(1)).startswith('"""')


def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path) -> None:
    home = tmp_path / "one"
    with _demo(home, "--trials", "5000") as process:
        until(lambda: "posted study" in _output(home), "the study is posted")
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_SECONDS) == Exit.INTERRUPTED
    assert processes_naming(str(home)) == []
    assert "Traceback" not in _output(home)


def test_a_demo_that_is_killed_takes_its_service_with_it(tmp_path: Path) -> None:
    home = tmp_path / "one"
    with _demo(home, "--trials", "5000") as process:
        until(lambda: "posted study" in _output(home), "the study is posted")
        process.kill()
        process.wait()
        until(lambda: processes_naming(str(home)) == [], "service and workers end by themselves", seconds=30)


def test_a_demo_whose_service_dies_says_so_with_the_end_of_its_log(tmp_path: Path) -> None:
    home = tmp_path / "one"
    with _demo(home, "--trials", "5000") as process:
        until(lambda: "posted study" in _output(home), "the study is posted")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        (service,) = [int(pid) for pid in children if is_alive(int(pid))]
        os.kill(service, signal.SIGKILL)
        assert process.wait(WAIT_SECONDS) == Exit.FAILED
    assert "the service ended in the middle of the study; its log" in _output(home)
    assert "Traceback" not in _output(home)
    until(lambda: processes_naming(str(home)) == [], "its workers end by themselves", seconds=30)


def test_a_demo_of_an_unknown_task_fails_with_a_sentence_and_leaves_nothing_running(tmp_path: Path) -> None:
    home = tmp_path / "one"
    with _demo(home, "--task", "nothing-like-it", "--workers", "0") as process:
        assert process.wait(WAIT_SECONDS) == Exit.REFUSED
    assert "nothing-like-it" in _output(home)
    assert "Traceback" not in _output(home)
    assert processes_naming(str(home)) == []
