"""What the command line refuses: each with a sentence, an exit code of its own, and nothing changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.cli.exits import EPILOG, MEANINGS, Exit
from service.client import Client
from tests.cli.conftest import Etude
from tests.service.by_hand import external_study
from tests.service.server import LiveServer


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["fly"], "No such command 'fly'"),
        (["show"], "Missing argument"),
        (["studies", "--state", "asleep"], "asleep"),
        (["demo", "--trials", "0"], "--trials"),
        (["preview", "cosine", "--updates", "0"], "--updates"),
        (["preview", "cosine", "--updates", "nan"], "--updates"),
        (["submit"], "name a task with --task"),
        (["submit", "--task", "digits-mlp", "--trials", "many"], "--trials"),
        (["submit", "--task", "digits-mlp", "--label", "vision"], "--label takes NAME=VALUE, not 'vision'"),
        (["best", "one", "--to", "pickle"], "--to takes json or torch, not 'pickle'"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(alone: Etude, arguments: list[str], said: str) -> None:
    ran = alone(*arguments)
    assert ran.code == Exit.USAGE
    assert said in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--task", "t", "--trials", "0"], "budget.trials: Input should be greater than or equal to 1 (found: 0)"),
        (["--task", "t", "--epochs", "-3"], "epochs: Input should be greater than or equal to 1 (found: -3)"),
        (["--task", "t", "--seconds", "inf"], "budget.seconds"),
        (["--task", "t", "--target", "nan"], "budget.target"),
        (["--task", "t", "--name", "Not A Name"], "name: String should match pattern"),
        (["--task", "t", "--name", "x" * 10_000], "10000 characters"),
        (["--task", "t", "--optimizer", "adadelta"], "adadelta"),
        (["--task", "t", "--family", "sawtooth"], "sawtooth"),
        (["--task", "t", "--sampler", "dice"], "sampler.kind"),
        (["--task", "t", "--pruner", "shears"], "pruner.kind"),
        (["--task", "t", "--direction", "sideways"], "objective.direction"),
        (["--task", "t", "--seed", "-1"], "seed"),
    ],
)
def test_flags_out_of_bounds_are_refused_with_place_rule_and_value(
    alone: Etude, arguments: list[str], said: str
) -> None:
    ran = alone("submit", *arguments)
    assert ran.code == Exit.REFUSED
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err) < 2000


@pytest.mark.parametrize(
    "text, said",
    [
        ('{"task": "t", "budget": {"target": NaN}}', "NaN is no JSON number"),
        ('{"task": "t", ', "neither JSON nor YAML"),
        ("[1, 2]", "must hold an object with named fields, not list"),
        ("", "must hold an object with named fields, not NoneType"),
        ("task: t\nbudget: {target: .nan}\n", "budget.target"),
        ("task: t\nrecipes: 3\n", "recipes: Extra inputs are not permitted (found: 3)"),
        ("task: !!python/object/apply:os.system ['true']\n", "neither JSON nor YAML"),
        ("task: t\nspace: {ranges: {warmup_fraction: {low: 0.2, high: 0.1}}}\n", "space.ranges"),
    ],
)
def test_a_bad_request_file_is_refused(alone: Etude, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "request"
    file.write_text(text)
    ran = alone("submit", str(file))
    assert ran.code == Exit.REFUSED
    assert said in ran.err


def test_a_flag_cannot_go_into_a_part_that_is_no_object(alone: Etude, tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text('{"task": "t", "budget": 7}')
    ran = alone("submit", str(file), "--trials", "3")
    assert ran.code == Exit.REFUSED
    assert "budget: must be an object (found: 7)" in ran.err


def test_a_request_file_that_is_no_text_is_refused(alone: Etude, tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_bytes(b"{\xff}")
    ran = alone("submit", str(file))
    assert ran.code == Exit.REFUSED
    assert "cannot be read as UTF-8 text" in ran.err


def test_a_missing_request_file_is_not_found(alone: Etude) -> None:
    ran = alone("submit", "nowhere.json")
    assert ran.code == Exit.NOT_FOUND
    assert "there is no file nowhere.json" in ran.err


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["sawtooth"], Exit.NOT_FOUND, "'sawtooth' is neither a schedule family nor a file; the families are constant"),
        (["nowhere.json"], Exit.NOT_FOUND, "there is no file nowhere.json"),
        (["cosine", "--set", "final_ratio=2"], Exit.REFUSED, "cosine.final_ratio"),
        (["cosine", "--set", "final_ratio=NaN"], Exit.REFUSED, "cosine.final_ratio"),
        (["cosine", "--set", "speed=2"], Exit.REFUSED, "cosine.speed: Extra inputs are not permitted"),
        (["cosine", "--warmup", "1"], Exit.REFUSED, "warmup.fraction"),
        (["cosine", "--peak-lr", "-1"], Exit.REFUSED, "peak_lr"),
        (["cosine", "--peak-lr", "inf"], Exit.REFUSED, "peak_lr"),
        (["multi_factor", "--set", "milestones=[0.9,0.1]"], Exit.REFUSED, "milestones"),
        (["multi_factor", "--updates", "1"], Exit.REFUSED, "cannot be run for 1 updates"),
        (["cosine", "--svg", "/nowhere/at/all.svg"], Exit.FAILED, "/nowhere/at/all.svg cannot be written"),
    ],
)
def test_a_schedule_that_cannot_be_drawn_is_refused(alone: Etude, arguments: list[str], code: Exit, said: str) -> None:
    ran = alone("preview", *arguments)
    assert ran.code == code
    assert said in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("command", ["studies", "tasks", "show one", "watch one", "pause one", "best one"])
def test_a_service_that_is_not_there_is_unreachable(alone: Etude, command: str) -> None:
    ran = alone(*command.split())
    assert ran.code == Exit.UNREACHABLE
    assert "the service at http://127.0.0.1:9 cannot be reached" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://", "http://[::1", "http://host:port"])
def test_an_address_that_is_no_http_address_is_refused(alone: Etude, url: str) -> None:
    ran = alone("studies", "--url", url)
    assert ran.code == Exit.REFUSED
    assert repr(url) in ran.err


@pytest.mark.parametrize("command", ["show", "watch", "pause", "resume", "cancel", "best"])
def test_an_unknown_study_is_not_found(etude: Etude, command: str) -> None:
    ran = etude(command, "nobody")
    assert ran.code == Exit.NOT_FOUND
    assert "nobody" in ran.err


def test_an_unknown_trial_is_not_found(etude: Etude, tmp_path: Path) -> None:
    _submit(etude, tmp_path)
    ran = etude("show", "by-hand", "7")
    assert ran.code == Exit.NOT_FOUND
    assert "7" in ran.err


def test_a_taken_name_is_refused(etude: Etude, client: Client, tmp_path: Path) -> None:
    _submit(etude, tmp_path)
    ran = etude("submit", str(_file(tmp_path)))
    assert ran.code == Exit.REFUSED
    assert "by-hand" in ran.err
    assert len(list(client.studies())) == 1


def test_an_unknown_task_is_refused_by_the_service(etude: Etude, client: Client) -> None:
    ran = etude("submit", "--task", "mine")
    assert ran.code == Exit.REFUSED
    assert "mine" in ran.err
    assert list(client.studies()) == []


def test_what_the_state_forbids_is_refused(etude: Etude, tmp_path: Path) -> None:
    _submit(etude, tmp_path)
    etude("cancel", "by-hand")
    ran = etude("pause", "by-hand")
    assert ran.code == Exit.REFUSED
    assert "cancelled" in ran.err


def test_every_exit_code_has_a_meaning_in_the_help(alone: Etude) -> None:
    assert set(MEANINGS) == set(Exit)
    help_text = " ".join(alone("--help").out.split())
    for line in EPILOG.split("\n\n")[1:]:
        assert line.split(":")[0] + ":" in help_text


def test_a_wrong_key_is_told_apart_from_other_refusals(alone: Etude, keyed_server: LiveServer) -> None:
    ran = alone("studies", "--url", keyed_server.url)
    assert ran.code == Exit.KEY_REFUSED
    assert "this service needs a key" in ran.err


def _file(directory: Path) -> Path:
    file = directory / "study.json"
    file.write_text(json.dumps(external_study()))
    return file


def _submit(etude: Etude, directory: Path) -> None:
    assert etude("submit", str(_file(directory))).code == Exit.OK
