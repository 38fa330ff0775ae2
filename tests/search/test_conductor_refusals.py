"""What the conductor does not take, and what it says then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from schedules import MultiFactor, Plateau, Warmup
from schedules.base import Mode
from search.answers import assignment
from search.conductor import Conductor
from search.errors import Conflict, Unsuitable
from search.protocol import Cancelled, Completed, Diverged, Failed, Outcome, Point, Pruned
from search.study import Budget, TrialState
from tests.search.factories import NOON, a_recipe
from tests.search.playing import LEASE_SECONDS, a_conductor, a_finish, a_point, a_report, claimed, complete

LATER = NOON + timedelta(seconds=LEASE_SECONDS)


def _unchanged(conductor: Conductor) -> bool:
    return conductor.take_changes() is None


def test_a_late_report_from_a_lost_lease_is_refused() -> None:
    conductor = a_conductor()
    fence = claimed(conductor).fence
    conductor.expire(LATER)
    conductor.take_changes()
    verdict = conductor.report(a_report(fence, a_point(10, 1.0)), LATER)
    assert (verdict.action, verdict.reason) == ("lost", "attempt 1 at trial 0 was taken back: the trial is queued")
    assert _unchanged(conductor)


def test_a_late_finish_from_a_lost_lease_is_refused_while_another_worker_trains() -> None:
    conductor = a_conductor()
    fence = claimed(conductor).fence
    conductor.expire(LATER)
    claimed(conductor, "bob", LATER)
    conductor.take_changes()
    receipt = conductor.finish(a_finish(fence, a_point(100, 0.5)), LATER)
    assert (receipt.status, receipt.reason) == (
        "lost",
        "attempt 1 at trial 0 is over: attempt 2 is the newest",
    )
    assert _unchanged(conductor)


def test_a_wrong_lease_token_is_refused() -> None:
    conductor = a_conductor()
    fence = claimed(conductor).fence.model_copy(update={"lease": "guessed"})
    conductor.take_changes()
    assert conductor.report(a_report(fence), NOON).reason == "the lease of attempt 1 at trial 0 is another one"
    assert conductor.finish(a_finish(fence, a_point(100, 0.5)), NOON).status == "lost"
    assert conductor.release(fence, NOON).status == "lost"
    assert _unchanged(conductor)


def test_a_trial_that_was_never_handed_out_is_lost() -> None:
    conductor = a_conductor()
    fence = claimed(conductor).fence.model_copy(update={"trial": 7})
    assert conductor.report(a_report(fence), NOON).reason == "study first has no trial 7"


def test_a_report_on_a_trial_that_is_over_is_lost() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    complete(conductor, given)
    verdict = conductor.report(a_report(given.fence, a_point(100, 0.1)), NOON)
    assert (verdict.action, verdict.reason) == ("lost", "trial 0 is completed: it takes no more reports")


def test_completed_before_the_horizon_is_reported_is_refused() -> None:
    conductor = a_conductor()
    fence = claimed(conductor).fence
    conductor.take_changes()
    with pytest.raises(Unsuitable, match="at update 100, is reported; the last one received is at update 90") as caught:
        conductor.finish(a_finish(fence, a_point(90, 0.5)), NOON)
    assert caught.value.where == ("outcome", "kind")
    assert _unchanged(conductor)


@pytest.mark.parametrize(
    "points, words",
    [
        ([a_point(101, 1.0)], "ends after 100 updates, its horizon, but the message speaks of 101"),
        ([a_point(20, 1.0), a_point(10, 1.0)], "must rise, but update 10 follows update 20"),
        ([a_point(20, 1.0), a_point(20, 1.0)], "must rise, but update 20 follows update 20"),
        ([a_point(10, 1.0).model_copy(update={"metrics": {"loss": 1.0}})], "is without 'val_loss'"),
    ],
)
def test_points_that_cannot_be_true_are_refused(points: list[Point], words: str) -> None:
    conductor = a_conductor()
    fence = claimed(conductor).fence
    conductor.take_changes()
    with pytest.raises(Unsuitable, match=words):
        conductor.report(a_report(fence, *points, update=1), NOON)
    with pytest.raises(Unsuitable, match=words):
        conductor.finish(a_finish(fence, *points), NOON)
    assert _unchanged(conductor)


def test_progress_beyond_the_horizon_is_refused() -> None:
    conductor = a_conductor()
    fence = claimed(conductor).fence
    with pytest.raises(Unsuitable, match="the message speaks of 101"):
        conductor.report(a_report(fence, update=101), NOON)


def test_divergence_beyond_the_horizon_is_refused() -> None:
    conductor = a_conductor()
    fence = claimed(conductor).fence
    with pytest.raises(Unsuitable, match="the last update of its 100 has index 99"):
        conductor.finish(a_finish(fence, outcome=Diverged(update=100, rate=0.1)), NOON)


@pytest.mark.parametrize("outcome, told", [(Pruned(), "prune"), (Cancelled(), "cancel")])
def test_a_worker_that_stops_untold_is_refused(outcome: Outcome, told: str) -> None:
    conductor = a_conductor()
    fence = claimed(conductor).fence
    with pytest.raises(Conflict, match=f"trial 0 was not told to {told}; train on, or release it"):
        conductor.finish(a_finish(fence, outcome=outcome), NOON)
    assert conductor.trials[0].state is TrialState.RUNNING


@pytest.mark.parametrize(
    "second", [Diverged(update=3, rate=0.1), Failed(cause="error", message="no"), Failed(cause="device", message="no")]
)
def test_a_second_outcome_that_differs_is_a_conflict(second: Outcome) -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    complete(conductor, given)
    conductor.take_changes()
    with pytest.raises(Conflict, match="attempt 1 at trial 0 has already ended: the trial is completed"):
        conductor.finish(a_finish(given.fence, outcome=second), NOON)
    assert _unchanged(conductor)


def test_completed_after_a_device_failure_of_the_same_attempt_is_a_conflict() -> None:
    conductor = a_conductor()
    fence = claimed(conductor).fence
    conductor.finish(a_finish(fence, outcome=Failed(cause="device", message="gone")), NOON)
    with pytest.raises(Conflict, match="the trial is queued, and completed comes too late"):
        conductor.finish(a_finish(fence, a_point(100, 0.5)), NOON)


def test_a_recipe_beyond_the_budget_is_refused() -> None:
    conductor = a_conductor(budget={"trials": 1})
    claimed(conductor)
    with pytest.raises(Conflict, match="the budget of study first is used up by 1 trials: raise it first"):
        conductor.enqueue(a_recipe(), NOON)


def test_a_recipe_that_does_not_fit_the_horizon_is_refused() -> None:
    crowded = Warmup(fraction=0.99, then=MultiFactor(milestones=(0.2, 0.4, 0.6), gamma=0.5))
    with pytest.raises(Unsuitable, match="after a warm-up of 99 of 100 updates") as caught:
        a_conductor().enqueue(a_recipe(crowded), NOON)
    assert caught.value.where == ("recipe", "schedule")


@pytest.mark.parametrize(
    "metric, right, words",
    [
        ("val_loss", "min", "in mode 'max', but study first is to minimize val_loss: its mode must be 'min'"),
        ("val_accuracy", "max", "in mode 'min', but study first is to maximize val_accuracy: its mode must be 'max'"),
    ],
)
def test_a_recipe_whose_schedule_reads_the_metric_the_wrong_way_is_refused(
    metric: str, right: Mode, words: str
) -> None:
    conductor = a_conductor(objective={"metric": metric})
    schedule = Warmup(then=Plateau()).with_mode(right)
    wrong = schedule.with_mode("min" if right == "max" else "max")
    with pytest.raises(Unsuitable, match=words) as caught:
        conductor.enqueue(a_recipe(wrong), NOON)
    assert caught.value.where == ("recipe", "schedule")
    assert _unchanged(conductor)
    assert conductor.enqueue(a_recipe(schedule), NOON).recipe.schedule == schedule


def test_orders_to_a_study_that_is_over_are_refused() -> None:
    conductor = a_conductor(budget={"trials": 1})
    complete(conductor, claimed(conductor))
    with pytest.raises(Conflict, match="study first cannot be paused: it is completed"):
        conductor.pause(NOON)
    with pytest.raises(Conflict, match="study first cannot be resumed: it is completed"):
        conductor.resume(NOON)
    with pytest.raises(Conflict, match="study first cannot be cancelled: it is completed"):
        conductor.cancel(NOON)


def test_a_cancelled_study_takes_no_recipe_and_no_other_budget() -> None:
    conductor = a_conductor()
    conductor.cancel(NOON)
    with pytest.raises(Conflict, match="study first takes no more recipes: it is cancelled"):
        conductor.enqueue(a_recipe(), NOON)
    with pytest.raises(Conflict, match="study first is cancelled: its budget can no longer change"):
        conductor.amend(budget=Budget(trials=200), now=NOON)


def test_a_budget_below_the_trials_that_exist_is_refused() -> None:
    conductor = a_conductor(budget={"trials": 9})
    complete(conductor, claimed(conductor))
    claimed(conductor)
    conductor.enqueue(a_recipe(), NOON)
    conductor.take_changes()
    with pytest.raises(Conflict, match="study first has 3 trials already: a budget of 2 is too small"):
        conductor.amend(budget=Budget(trials=2), now=NOON)
    assert _unchanged(conductor)


def test_an_assignment_needs_a_lease() -> None:
    conductor = a_conductor()
    complete(conductor, claimed(conductor))
    trial = replace(conductor.trials[0], lease=None)
    with pytest.raises(ValueError, match="trial 0 of study first is completed and has no lease"):
        assignment(conductor.study, trial, LEASE_SECONDS)


def test_completed_twice_is_accepted_and_changes_nothing() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    complete(conductor, given)
    conductor.take_changes()
    receipt = conductor.finish(a_finish(given.fence, a_point(100, 9.0), outcome=Completed()), NOON)
    assert (receipt.status, receipt.reason) == ("accepted", "this outcome was recorded before")
    assert _unchanged(conductor)
