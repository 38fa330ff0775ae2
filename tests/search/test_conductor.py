"""Handing out, the budget, reports, verdicts and how trials end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schedules import Cosine
from search.answers import assignment
from search.conductor import Conductor
from search.protocol import Cancelled, Diverged, Failed, Pruned
from search.seeds import derive_seed
from search.study import StudyState, TrialState
from tests.search.factories import NOON, a_recipe
from tests.search.playing import (
    LEASE_SECONDS,
    a_conductor,
    a_finish,
    a_point,
    a_report,
    claimed,
    complete,
    rebuilt,
    state_of,
    tokens,
)

PRUNING: dict[str, Any] = {"pruner": {"kind": "median", "rungs": [0.5], "start_trials": 1}}


def _run_out(conductor: Conductor) -> int:
    """Claim until nothing is left, and return how many were handed out."""
    handed_out = 0
    while conductor.claim("ada", NOON) is not None:
        handed_out += 1
    return handed_out


def test_an_assignment_says_all_that_training_needs() -> None:
    conductor = a_conductor(seed=3, **PRUNING)
    given = claimed(conductor)
    trial = conductor.trials[0]
    assert (given.fence.project, given.fence.study, given.fence.trial, given.fence.attempt) == (
        "default",
        "first",
        0,
        1,
    )
    assert (given.task, given.horizon, given.updates_per_epoch, given.evaluate_every) == ("toy", 100, 10, 10)
    assert (given.metric, given.report_points, given.lease_seconds) == ("val_loss", (50,), LEASE_SECONDS)
    assert (given.recipe, given.seed, given.task_options["width"]) == (trial.recipe, trial.seed, 8)


def test_all_trials_of_a_study_share_one_seed() -> None:
    conductor = a_conductor(seed=3)
    seeds = {claimed(conductor).seed for _ in range(3)}
    assert seeds == {derive_seed(3, "replicate", 0)}


def test_sixty_asked_is_sixty_run() -> None:
    conductor = a_conductor(budget={"trials": 60}, sampler={"kind": "random"})
    assert _run_out(conductor) == 60
    assert sorted(conductor.trials) == list(range(60))


@pytest.mark.parametrize("budget, most_open", [(3, 3), (10, 4), (39, 4), (40, 5), (64, 8)])
@pytest.mark.parametrize("kind", ["tpe", "cmaes"])
def test_a_sampler_that_learns_is_not_asked_on_before_it_hears_what_is_open(
    kind: str, budget: int, most_open: int
) -> None:
    conductor = a_conductor(budget={"trials": budget}, sampler={"kind": kind})
    assert _run_out(conductor) == most_open
    assert rebuilt(conductor, tokens()).claim("bob", NOON) is None
    if budget > most_open:
        complete(conductor, assignment(conductor.study, conductor.trials[1], LEASE_SECONDS))
        assert _run_out(conductor) == 1


@pytest.mark.parametrize("kind", ["random", "qmc", "grid"])
def test_a_sampler_that_learns_nothing_is_asked_for_all_at_once(kind: str) -> None:
    steps = {"steps": {"lr_position": 9}} if kind == "grid" else {}
    conductor = a_conductor(budget={"trials": 108}, sampler={"kind": kind, **steps})
    assert _run_out(conductor) == 108


def test_a_lost_trial_is_handed_out_again_however_many_are_open() -> None:
    conductor = a_conductor(budget={"trials": 10})
    assert _run_out(conductor) == 4
    conductor.expire(NOON + timedelta(seconds=LEASE_SECONDS))
    assert _run_out(conductor) == 4
    assert sorted(conductor.trials) == [0, 1, 2, 3]


def test_the_budget_counts_distinct_trials_however_they_end() -> None:
    conductor = a_conductor(budget={"trials": 6}, max_attempts=2, sampler={"kind": "random"})
    conductor.enqueue(a_recipe(), NOON)
    lost, failed, broken, released = (claimed(conductor, worker) for worker in ("ada", "bob", "cyd", "dan"))
    conductor.finish(a_finish(failed.fence, outcome=Failed(cause="error", message="no")), NOON)
    conductor.finish(a_finish(broken.fence, outcome=Failed(cause="device", message="gone")), NOON)
    conductor.release(released.fence, NOON)
    conductor.expire(NOON + timedelta(seconds=LEASE_SECONDS))
    again = [claimed(conductor).fence for _ in range(5)]
    assert [(fence.trial, fence.attempt) for fence in again] == [(0, 2), (2, 2), (3, 2), (4, 1), (5, 1)]
    assert conductor.claim("eve", NOON) is None
    assert lost.fence.trial == 0


def test_a_recipe_of_a_person_runs_before_the_samplers_and_is_not_its_own() -> None:
    conductor = a_conductor()
    claimed(conductor)
    recipe = a_recipe(Cosine(), peak_lr=0.2)
    conductor.enqueue(recipe, NOON)
    given = claimed(conductor)
    trial = conductor.trials[1]
    assert (given.recipe, trial.origin, dict(trial.parameters)) == (recipe, "enqueued", {})


def test_a_study_runs_from_its_first_claim_and_ends_with_its_last_trial() -> None:
    conductor = a_conductor(budget={"trials": 2})
    assert state_of(conductor) is StudyState.QUEUED
    first, second = claimed(conductor), claimed(conductor)
    assert (state_of(conductor), conductor.study.started_at) == (StudyState.RUNNING, NOON)
    complete(conductor, first)
    assert state_of(conductor) is StudyState.RUNNING
    later = NOON + timedelta(seconds=9)
    complete(conductor, second, later)
    assert (state_of(conductor), conductor.study.finished_at) == (StudyState.COMPLETED, later)
    assert conductor.is_over


def test_a_completed_trial_is_worth_its_last_evaluation() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    conductor.report(a_report(given.fence, a_point(10, 0.5), a_point(20, 0.1)), NOON)
    conductor.finish(a_finish(given.fence, a_point(100, 0.3, val_accuracy=0.9), train_seconds=2.5), NOON)
    trial = conductor.trials[0]
    assert (trial.state, trial.value, trial.best, trial.train_seconds) == (TrialState.COMPLETED, 0.3, 0.1, 2.5)
    assert (trial.update, trial.epoch, dict(trial.metrics)) == (100, 10.0, {"val_loss": 0.3, "val_accuracy": 0.9})


def test_a_completed_trial_is_worth_its_best_evaluation_where_the_study_says_so() -> None:
    conductor = a_conductor(objective={"at": "best", "metric": "val_accuracy"})
    given = claimed(conductor)
    conductor.finish(
        a_finish(given.fence, a_point(90, None, val_accuracy=0.9), a_point(100, 0.1, val_accuracy=0.8)), NOON
    )
    assert conductor.trials[0].value == 0.9


@pytest.mark.parametrize("at", ["last", "best"])
def test_a_run_that_ends_without_a_finite_value_is_diverged(at: str) -> None:
    conductor = a_conductor(objective={"at": at})
    given = claimed(conductor)
    finish = a_finish(given.fence, a_point(10, 0.5), a_point(100, None))
    assert conductor.finish(finish, NOON).status == "accepted"
    trial = conductor.trials[0]
    assert (trial.state, trial.value, trial.best) == (TrialState.DIVERGED, None, 0.5)
    assert trial.reason == "val_loss was not finite at the last evaluation"
    assert conductor.finish(finish, NOON).reason == "this outcome was recorded before"


def test_a_diverged_trial_tells_where_and_at_which_rate() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    conductor.finish(a_finish(given.fence, a_point(10, 0.5), outcome=Diverged(update=17, rate=0.25)), NOON)
    trial = conductor.trials[0]
    assert (trial.state, trial.update, trial.rate, trial.value) == (TrialState.DIVERGED, 17, 0.25, None)
    assert trial.reason == "the training loss was not finite at update 17, at a rate of 0.25"


def test_a_worse_trial_is_pruned_at_its_rung_with_a_reason() -> None:
    conductor = a_conductor(**PRUNING)
    good, bad = claimed(conductor), claimed(conductor)
    assert conductor.report(a_report(good.fence, a_point(50, 0.1)), NOON).action == "continue"
    complete(conductor, good)
    told = conductor.report(a_report(bad.fence, a_point(50, 9.0)), NOON)
    assert (told.action, bool(told.reason)) == ("prune", True)
    assert conductor.report(a_report(bad.fence, update=51), NOON) == told
    conductor.finish(a_finish(bad.fence, a_point(60, 8.0), outcome=Pruned()), NOON)
    trial = conductor.trials[1]
    assert (trial.state, trial.value, trial.reason, trial.prune) == (TrialState.PRUNED, 9.0, told.reason, None)


def test_a_trial_that_completes_before_it_hears_that_it_is_pruned_is_completed() -> None:
    conductor = a_conductor(**PRUNING)
    good, bad = claimed(conductor), claimed(conductor)
    conductor.report(a_report(good.fence, a_point(50, 0.1)), NOON)
    told = conductor.report(a_report(bad.fence, a_point(50, 9.0)), NOON)
    conductor.finish(a_finish(bad.fence, a_point(100, 0.05)), NOON)
    trial = conductor.trials[1]
    assert (trial.state, trial.value) == (TrialState.COMPLETED, 0.05)
    assert trial.reason == f"completed before it heard: {told.reason}"


def test_a_pruned_trial_whose_worker_is_lost_is_pruned_all_the_same() -> None:
    conductor = a_conductor(**PRUNING)
    good, bad = claimed(conductor), claimed(conductor)
    complete(conductor, good)
    conductor.report(a_report(bad.fence, a_point(50, 9.0)), NOON)
    conductor.expire(NOON + timedelta(seconds=LEASE_SECONDS))
    assert (conductor.trials[1].state, conductor.trials[1].value) == (TrialState.PRUNED, 9.0)


def test_a_repeated_point_is_ignored() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    report = a_report(given.fence, a_point(10, 0.5))
    conductor.report(report, NOON)
    conductor.take_changes()
    conductor.report(report.model_copy(update={"points": (a_point(10, 0.1), a_point(20, 0.4))}), NOON)
    changes = conductor.take_changes()
    assert changes is not None
    assert [(number, attempt, point.update) for number, attempt, point in changes.points] == [(0, 1, 20)]
    assert conductor.trials[0].best == 0.4


def test_a_point_that_was_behind_the_progress_is_still_taken() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    conductor.report(a_report(given.fence, update=15), NOON)
    conductor.report(a_report(given.fence, a_point(10, 0.5)), NOON)
    assert (conductor.trials[0].update, conductor.trials[0].evaluated, conductor.trials[0].best) == (15, 10, 0.5)


def test_a_new_attempt_starts_with_a_clean_curve() -> None:
    conductor = a_conductor(**PRUNING)
    given = claimed(conductor)
    conductor.report(a_report(given.fence, a_point(10, 0.5), a_point(50, 0.1)), NOON)
    conductor.release(given.fence, NOON)
    again = claimed(conductor)
    trial = conductor.trials[0]
    assert (trial.update, trial.evaluated, trial.best, dict(trial.at_rungs), dict(trial.metrics)) == (
        0,
        0,
        None,
        {},
        {},
    )
    conductor.take_changes()
    conductor.report(a_report(again.fence, a_point(10, 0.6)), NOON)
    changes = conductor.take_changes()
    assert changes is not None
    assert [(number, attempt) for number, attempt, _ in changes.points] == [(0, 2)]


def test_cancelled_trials_are_told_and_end_so() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    conductor.cancel(NOON)
    told = conductor.report(a_report(given.fence, a_point(10, 0.5)), NOON)
    assert (told.action, told.reason) == ("cancel", "the study was cancelled")
    conductor.finish(a_finish(given.fence, outcome=Cancelled()), NOON)
    assert (conductor.trials[0].state, conductor.trials[0].reason) == (TrialState.CANCELLED, "the study was cancelled")


def test_what_changed_is_told_once_with_its_events() -> None:
    conductor = a_conductor(budget={"trials": 1})
    given = claimed(conductor)
    changes = conductor.take_changes()
    assert changes is not None
    assert [(event.kind, event.payload["state"]) for event in changes.events] == [
        ("trial", "running"),
        ("study", "running"),
    ]
    assert [(each.trial, each.attempt, each.worker, each.ending) for each in changes.attempts] == [(0, 1, "ada", None)]
    assert conductor.take_changes() is None
    complete(conductor, given, loss=0.25)
    changes = conductor.take_changes()
    assert changes is not None
    told, ended = changes.events
    assert told.payload == {
        "number": 0,
        "state": "completed",
        "attempt": 1,
        "value": 0.25,
        "reason": "",
        "plan": conductor.trials[0].parameters["plan"],
        "recipe": given.recipe.summary(),
        "best": {"number": 0, "value": 0.25},
        "counts": {
            "queued": 0,
            "running": 0,
            "completed": 1,
            "pruned": 0,
            "diverged": 0,
            "cancelled": 0,
            "failed": 0,
        },
    }
    assert (ended.kind, ended.payload["state"]) == ("study", "completed")
    assert changes.attempts[0].ending == "completed"
