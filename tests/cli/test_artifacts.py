"""The commands that fetch what is kept of a trial besides its figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from search.study import StudyRequest
from service.cli.exits import Exit
from service.client import Client
from tests.cli.conftest import Etude
from tests.service.by_hand import HORIZON, claim, external_study, finish, point
from tests.service.server import LiveServer
from tests.service.tensor_files import tensor_file

WEIGHTS = tensor_file(*range(100_000))


@pytest.fixture(autouse=True)
def trained(client: Client, live_server: LiveServer) -> None:
    """A study with weights of its best trial, 1, a worse trial 0 without, and trial 2, which failed."""
    client.create_study(StudyRequest.model_validate(external_study()))
    with live_server.client() as hand:
        worse, best, broken = claim(hand, lanes=3)
        finish(hand, worse["fence"], {"kind": "completed"}, point(HORIZON, 0.5))
        finish(hand, best["fence"], {"kind": "completed"}, point(HORIZON, 0.25))
        headers = {"Etude-Attempt": "1", "Etude-Lease": best["fence"]["lease"]}
        hand.put("/v1/studies/by-hand/trials/1/weights", content=WEIGHTS, headers=headers).raise_for_status()
        failed = {"kind": "failed", "cause": "error", "message": "left", "log": "epoch 1\nKeyError \x1b]0;t\x07\n"}
        finish(hand, broken["fence"], failed)


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["by-hand", "first", "-o", "new"], Exit.USAGE, "name a trial by its number, or ask for the best"),
        (["by-hand"], Exit.USAGE, "name the file to write with --output FILE"),
        (["by-hand", "0", "-o", "new"], Exit.NOT_FOUND, "trial 0 of study by-hand has no weights here: .* trial 1"),
        (["by-hand", "7", "-o", "new"], Exit.NOT_FOUND, "no trial 7"),
        (["absent", "-o", "new"], Exit.NOT_FOUND, "no study named 'absent'"),
        (["by-hand", "-o", "there"], Exit.REFUSED, "there is there already: choose another name, or .* --force"),
        (["by-hand", "-o", "absent/new"], Exit.FAILED, "absent/new cannot be written"),
    ],
)  # fmt: skip
def test_weights_that_cannot_be_fetched_leave_no_file(
    etude: Etude, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: Exit, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").write_text("mine")
    before = sorted(tmp_path.iterdir())
    ran = etude("weights", *arguments)
    assert ran.code == code
    assert re.search(said, ran.err)
    assert sorted(tmp_path.iterdir()) == before
    assert Path("there").read_text() == "mine"


@pytest.mark.parametrize("trial", [[], ["best"], ["1"]], ids=str)
def test_weights_are_written_to_the_file_as_they_were_sent(etude: Etude, tmp_path: Path, trial: list[str]) -> None:
    file = tmp_path / "best.safetensors"
    file.write_text("older")
    ran = etude("weights", "by-hand", *trial, "-o", str(file), "--force")
    assert (ran.code, ran.out) == (Exit.OK, f"trial 1 of by-hand: {len(WEIGHTS)} bytes in {file}\n")
    assert file.read_bytes() == WEIGHTS


def test_a_log_is_printed_with_nothing_that_a_terminal_would_obey(etude: Etude) -> None:
    ran = etude("logs", "by-hand", "2")
    assert (ran.code, ran.out) == (Exit.OK, "epoch 1\nKeyError \\x1b]0;t\\x07\n")
    assert etude("logs", "by-hand", "2", "--attempt", "1").out == ran.out


def test_an_attempt_that_said_nothing_is_told_apart_from_one_that_was_not_made(etude: Etude) -> None:
    ran = etude("logs", "by-hand", "0")
    assert (ran.code, ran.out) == (Exit.OK, "")
    assert ran.err == "attempt 1 at trial 0 has said nothing: completed\n"
    ran = etude("logs", "by-hand", "0", "--attempt", "2")
    assert (ran.code, ran.err) == (Exit.NOT_FOUND, "etude: there is no attempt 2 at trial 0\n")
