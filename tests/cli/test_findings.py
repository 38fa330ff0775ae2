"""What the rules found, on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.cli.exits import Exit
from service.client import Client
from tests.cli.conftest import Etude
from tests.service.by_hand import external_study

DOUBTFUL: dict[str, Any] = {
    "task_options": {"horizon": 200},
    "space": {"optimizers": ["adam"], "families": ["restarts"]},
    "pruner": {"kind": "median"},
}


def file_of(folder: Path, document: dict[str, Any]) -> str:
    file = folder / "document.json"
    file.write_text(json.dumps(document))
    return str(file)


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["submit", "--preset", "best"], Exit.NOT_FOUND, "there is no preset 'best'; there are: adam-and-cycles"),
        (["submit", "a.json", "--preset", "adam-and-cycles"], Exit.USAGE, "name a file or a preset, not both"),
        (["submit", "--task", "t", "--acknowledge", "no-such-rule"], Exit.REFUSED, "there is no rule 'no-such-rule'"),
        (["submit", "--task", "t", "--acknowledge", "run-too-short"], Exit.REFUSED, "cannot be acknowledged"),
        (["preview", "cosine", "--optimizer", "adadelta"], Exit.NOT_FOUND, "there is no optimizer 'adadelta'"),
        (["preview", "cosine", "--pruner", "shears"], Exit.USAGE, "--pruner"),
        (
            ["preview", "cosine", "--optimizer", "schedule_free_sgd"],
            Exit.REFUSED,
            "cosine cannot be run for 1000 updates: the optimizer 'schedule_free_sgd' takes a constant schedule",
        ),
    ],
)
def test_what_cannot_be_is_refused(alone: Etude, arguments: list[str], code: Exit, said: str) -> None:
    ran = alone(*arguments)
    assert ran.code == code
    assert said in ran.err
    assert ran.out == ""


def test_a_recipe_that_cannot_be_trained_is_not_drawn(alone: Etude, tmp_path: Path) -> None:
    recipe = {"optimizer": {"kind": "adagrad"}, "peak_lr": 0.1, "schedule": {"kind": "linear"}}
    momentum = {"low": 0.5, "curve": {"kind": "linear"}}
    ran = alone("preview", file_of(tmp_path, recipe | {"momentum": momentum}))
    assert ran.code == Exit.REFUSED
    assert "a curve of the momentum needs a momentum above 0, but the optimizer 'adagrad' has none" in ran.err


def test_a_preview_says_what_speaks_against_a_recipe(alone: Etude, tmp_path: Path) -> None:
    recipe = {"optimizer": {"kind": "adagrad"}, "peak_lr": 0.1, "schedule": {"kind": "linear"}}
    ran = alone("preview", file_of(tmp_path, recipe))
    assert ran.code == Exit.OK
    assert "warning adagrad-with-decay-to-zero: the steps of Adagrad already shrink" in ran.out
    assert "see Duchi et al. (2011)" in ran.out


def test_a_preview_of_a_family_takes_the_optimizer_and_the_pruner_as_flags(alone: Etude) -> None:
    ran = alone("preview", "restarts", "--optimizer", "adam", "--pruner", "median")
    assert "warning adam-l2-with-restarts" in ran.out
    assert "warning restarts-with-pruner" in ran.out
    assert "warning" not in alone("preview", "restarts").out


def test_a_preview_for_scripts_keeps_findings_apart_from_the_points(alone: Etude) -> None:
    ran = alone("preview", "linear", "--optimizer", "adagrad", "--json")
    assert json.loads(ran.out)["kind"] == "linear"
    assert "warning adagrad-with-decay-to-zero" in ran.err


def test_a_study_is_shown_with_its_warnings(etude: Etude, tmp_path: Path) -> None:
    posted = etude("submit", file_of(tmp_path, external_study(**DOUBTFUL)), "--acknowledge", "adaptive-beyond-decay")
    shown = etude("show", "by-hand")
    for ran in (posted, shown):
        assert ran.code == Exit.OK
        assert "warning adam-l2-with-restarts: " in ran.out
        assert "found in adam+restarts" in ran.out
        assert "acknowledged adaptive-beyond-decay: " in ran.out


def test_a_preset_is_posted_with_another_budget(etude: Etude, client: Client) -> None:
    ran = etude("submit", "--preset", "adam-and-cycles", "--trials", "12", "--name", "claim")
    assert ran.code == Exit.OK
    assert "warning" not in ran.out
    study = client.study("claim")
    assert study.request.budget.trials == 12
    assert study.request.labels == {"preset": "adam-and-cycles"}
    assert study.request.space.families[-1] == "one_cycle"
