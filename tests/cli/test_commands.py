"""The commands about studies, against a service in a thread."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schedules import Constant, Recipe, Sgd
from search.study import StudyRequest
from service.cli.exits import Exit
from service.client import Client
from tests.cli.conftest import Etude
from tests.service.by_hand import claim, external_study, finish, point, report, train
from tests.service.server import LiveServer


def _trained(client: Client, live_server: LiveServer, *losses: float) -> None:
    """A study whose trials ended with these losses, on its budget."""
    client.create_study(StudyRequest.model_validate(external_study(trials=len(losses))))
    with live_server.client() as hand:
        for loss in losses:
            train(hand, loss)


def test_a_file_and_flags_are_one_request_and_flags_win(etude: Etude, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    # YAML 1.1 reads 1e-3 as text; it is a number all the same.
    file.write_text(
        "name: from-file\ntask: digits-mlp\nepochs: 5\nbudget: {trials: 7}\n"
        "space: {ranges: {peak_lr: {sgd: {low: 1e-3, high: 1}}}}\n"
    )
    flags = ("--trials", "9", "--optimizer", "sgd", "--label", "team=vision", "--option", "hidden=32", "--seed", "4")
    assert etude("submit", str(file), *flags).code == Exit.OK
    request = client.study("from-file").request
    assert (request.epochs, request.budget.trials, request.seed) == (5, 9, 4)
    assert request.space.optimizers == ("sgd",)
    assert request.labels == {"team": "vision"}
    assert request.task_options == {"hidden": 32}


def test_a_submitted_study_says_how_to_watch_it(etude: Etude) -> None:
    ran = etude("submit", "--task", "digits-mlp", "--name", "first", "--trials", "3")
    assert ran.code == Exit.OK
    assert "study first is queued: 3 trials of" in ran.out
    assert "etude watch first" in ran.out


def test_json_is_one_document_that_scripts_can_read(etude: Etude, client: Client, live_server: LiveServer) -> None:
    _trained(client, live_server, 0.5, 0.25)
    assert json.loads(etude("studies", "--json").out)[0]["name"] == "by-hand"
    assert json.loads(etude("show", "by-hand", "--json").out)["counts"]["completed"] == 2
    assert json.loads(etude("show", "by-hand", "1", "--json").out)["value"] == 0.25
    assert [trial["number"] for trial in json.loads(etude("show", "by-hand", "--trials", "--json").out)] == [0, 1]
    assert json.loads(etude("watch", "by-hand", "--json").out)["state"] == "completed"
    assert json.loads(etude("best", "by-hand").out)["optimizer"]["kind"] == "sgd"
    assert etude("best", "by-hand", "--json").out == etude("best", "by-hand").out
    assert {task["name"] for task in json.loads(etude("tasks", "--json").out)} >= {"digits-mlp", "external"}
    assert json.loads(etude("preview", "cosine", "-n", "3", "--json").out)["points"][0]["multiplier"] == 1.0


def test_a_study_is_shown_with_its_leaderboard(etude: Etude, client: Client, live_server: LiveServer) -> None:
    _trained(client, live_server, 0.5, 0.25)
    shown = etude("show", "by-hand").out
    assert "study by-hand: completed" in shown
    assert "stopped by trials" in shown
    assert "2 of 2: 2 completed" in shown
    lines = [line.split()[:3] for line in shown.splitlines() if line.startswith(("1 ", "2 "))]
    assert lines == [["1", "1", "0.25"], ["2", "0", "0.5"]]


def test_trials_of_several_runs_are_shown_with_all_their_updates(etude: Etude, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "study.json"
    file.write_text(json.dumps(external_study(pruner={"kind": "halving", "rungs": [0.25, 0.5], "rescale": True})))
    posted = etude("submit", str(file), "--no-improvement", "9")
    assert "3 trials of up to 35 updates, in runs of 5, 10 and 20" in posted.out
    assert client.study("by-hand").request.budget.no_improvement_trials == 9
    client.enqueue_trial("by-hand", Recipe(optimizer=Sgd(), peak_lr=0.1, schedule=Constant()))
    assert "external, up to 35 updates, in runs of 5, 10 and 20, 5 per epoch" in etude("show", "by-hand").out
    assert "updates  0 of 35, attempt 0" in etude("show", "by-hand", "0").out


def test_a_spared_trial_is_shown_with_why_it_would_have_been_pruned(
    etude: Etude, client: Client, live_server: LiveServer
) -> None:
    pruner = {"kind": "median", "rungs": [0.5], "start_trials": 1, "spare_fraction": 1.0}
    client.create_study(StudyRequest.model_validate(external_study(pruner=pruner)))
    with live_server.client() as hand:
        for loss in (0.5, 0.6):
            (given,) = claim(hand)
            report(hand, given["fence"], point(10, loss))
            finish(hand, given["fence"], {"kind": "completed"}, point(20, loss))
    told = "spared to measure what pruning costs: val_loss 0.6 at update 10 of 20 is worse than the median 0.5"
    assert told in etude("show", "by-hand", "1").out
    assert "spared" not in etude("show", "by-hand", "0").out


def test_a_failed_trial_is_shown_with_its_log_as_it_is(etude: Etude, client: Client, live_server: LiveServer) -> None:
    client.create_study(StudyRequest.model_validate(external_study()))
    log = "Traceback (most recent call last):\n  [bold]not markup[/]\x1b[31m\nKeyError: 'left'"
    with live_server.client() as hand:
        (assignment,) = claim(hand)
        finish(
            hand, assignment["fence"], {"kind": "failed", "cause": "error", "message": "KeyError: 'left'", "log": log}
        )
    listed = etude("show", "by-hand", "--trials").out
    assert "failed" in listed
    assert "KeyError: 'left'" in listed
    shown = etude("show", "by-hand", "0").out
    assert "Traceback (most recent call last):\n  [bold]not markup[/][31m\nKeyError: 'left'" in shown


def test_the_best_recipe_is_printed_as_a_program_for_torch(
    etude: Etude, client: Client, live_server: LiveServer
) -> None:
    _trained(client, live_server, 0.5)
    ran = etude("best", "by-hand", "--to", "torch")
    compile(ran.out, "best", "exec")
    assert "torch.optim.SGD" in ran.out


def test_a_study_is_paused_resumed_and_cancelled(etude: Etude) -> None:
    etude("submit", "--task", "digits-mlp", "--name", "first")
    assert "study first is paused" in etude("pause", "first").out
    assert "study first is queued" in etude("resume", "first").out
    assert "study first is cancelled" in etude("cancel", "first").out


def test_a_finished_study_is_watched_in_plain_lines_with_its_end_as_exit_code(
    etude: Etude, client: Client, live_server: LiveServer
) -> None:
    _trained(client, live_server, 0.5, 0.25)
    ran = etude("watch", "by-hand")
    assert ran.code == Exit.OK
    assert "by-hand: completed, 2/2 trials (2 completed), best val_loss 0.25 (trial 1: " in ran.err
    assert ran.err.rstrip().endswith(", stopped by trials")
    etude("submit", "--task", "digits-mlp", "--name", "stopped")
    etude("cancel", "stopped")
    assert etude("watch", "stopped").code == Exit.FAILED


def test_no_studies_yet_says_how_to_post_one(etude: Etude) -> None:
    assert "etude submit --task digits-mlp --watch" in etude("studies").out


def test_the_version_is_the_installed_one(alone: Etude) -> None:
    ran = alone("--version")
    assert ran.code == Exit.OK
    assert ran.out.startswith("etude ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["cosine"],
        ["cosine", "--warmup", "0.1", "--peak-lr", "0.1"],
        ["plateau"],
        ["multi_factor", "--set", "milestones=[0.5,0.75]", "--set", "gamma=0.1"],
    ],
)
def test_a_schedule_is_drawn_in_text(alone: Etude, arguments: list[str]) -> None:
    ran = alone("preview", *arguments, "--updates", "100")
    assert ran.code == Exit.OK
    assert "over 100 updates" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 120


def test_a_recipe_file_is_drawn_and_written_as_svg(alone: Etude, tmp_path: Path) -> None:
    recipe = {"optimizer": {"kind": "sgd"}, "peak_lr": 0.1, "schedule": {"kind": "cosine"}}
    file, picture = tmp_path / "recipe.json", tmp_path / "recipe.svg"
    file.write_text(json.dumps(recipe))
    ran = alone("preview", str(file), "--svg", str(picture))
    assert ran.code == Exit.OK
    assert "learning rate over 1,000 updates" in ran.out
    assert picture.read_text().startswith("<svg")


def test_an_unfinished_look_shows_what_is_known_so_far(etude: Etude, client: Client, live_server: LiveServer) -> None:
    client.create_study(StudyRequest.model_validate(external_study()))
    with live_server.client() as hand:
        (assignment,) = claim(hand)
        hand.post(
            "/v1/work/report",
            json={"reports": [{"fence": assignment["fence"], "update": 10, "points": [point(10, 0.75)]}]},
        )
    shown = etude("show", "by-hand", "0").out
    assert "updates  10 of 20, attempt 1" in shown
    assert "val_loss 0.75" in shown
    assert "no trial has completed yet" in etude("show", "by-hand").out
