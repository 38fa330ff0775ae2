"""What people order, and when a study ends by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from search.conductor import Conductor
from search.protocol import Failed
from search.study import Budget, StudyState, TrialState
from tests.search.factories import NOON, a_recipe
from tests.search.playing import (
    LEASE_SECONDS,
    a_conductor,
    a_finish,
    a_point,
    a_report,
    claimed,
    complete,
    state_of,
)

LATER = NOON + timedelta(seconds=LEASE_SECONDS)


def _states(conductor: Conductor) -> list[TrialState]:
    return [trial.state for trial in conductor.trials.values()]


def _fail(conductor: Conductor, cause: Any = "error") -> None:
    failure = Failed(cause=cause, message="no such file")
    conductor.finish(a_finish(claimed(conductor).fence, outcome=failure), NOON)


def test_a_paused_study_hands_out_nothing_and_finishes_what_runs() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    conductor.pause(NOON)
    assert conductor.claim("bob", NOON) is None
    assert conductor.report(a_report(given.fence, a_point(10, 0.5)), NOON).action == "continue"
    complete(conductor, given)
    assert state_of(conductor) is StudyState.PAUSED
    conductor.resume(NOON)
    assert state_of(conductor) is StudyState.RUNNING
    assert claimed(conductor).fence.trial == 1


def test_a_paused_study_that_never_ran_is_queued_again() -> None:
    conductor = a_conductor()
    conductor.pause(NOON)
    conductor.resume(NOON)
    assert state_of(conductor) is StudyState.QUEUED


def test_pausing_twice_changes_nothing() -> None:
    conductor = a_conductor()
    conductor.pause(NOON)
    conductor.take_changes()
    conductor.pause(LATER)
    assert conductor.take_changes() is None


def test_cancelling_ends_queued_trials_now_and_lost_ones_when_their_lease_ends() -> None:
    conductor = a_conductor()
    claimed(conductor)
    conductor.enqueue(a_recipe(), NOON)
    conductor.cancel(NOON)
    assert (state_of(conductor), conductor.study.finished_at) == (StudyState.CANCELLED, NOON)
    assert _states(conductor) == [TrialState.RUNNING, TrialState.CANCELLED]
    assert not conductor.is_over
    conductor.expire(LATER)
    assert _states(conductor) == [TrialState.CANCELLED, TrialState.CANCELLED]
    assert conductor.is_over


def test_a_released_trial_of_a_cancelled_study_is_cancelled() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    conductor.cancel(NOON)
    conductor.release(given.fence, NOON)
    assert _states(conductor) == [TrialState.CANCELLED]


def test_cancelling_twice_changes_nothing() -> None:
    conductor = a_conductor()
    conductor.cancel(NOON)
    conductor.take_changes()
    conductor.cancel(LATER)
    assert conductor.take_changes() is None


def test_a_study_fails_when_its_first_five_trials_fail_with_one_cause() -> None:
    conductor = a_conductor()
    for _ in range(4):
        _fail(conductor)
    last, running = claimed(conductor), claimed(conductor)
    assert state_of(conductor) is StudyState.RUNNING
    conductor.finish(a_finish(last.fence, outcome=Failed(cause="error", message="no such file")), NOON)
    reason = "all of its first 5 trials failed, with cause error: no such file"
    assert (state_of(conductor), conductor.study.reason) == (StudyState.FAILED, reason)
    assert conductor.report(a_report(running.fence), NOON).reason == f"the study failed: {reason}"
    assert conductor.claim("ada", NOON) is None


def test_a_study_goes_on_when_its_first_trials_fail_with_several_causes() -> None:
    conductor = a_conductor()
    for cause in ("error", "error", "configuration", "error", "error", "error"):
        _fail(conductor, cause)
    assert state_of(conductor) is StudyState.RUNNING


def test_a_study_goes_on_when_one_of_its_first_trials_did_not_fail() -> None:
    conductor = a_conductor()
    complete(conductor, claimed(conductor))
    for _ in range(7):
        _fail(conductor)
    assert state_of(conductor) is StudyState.RUNNING


def test_a_smaller_study_fails_when_all_its_trials_do() -> None:
    conductor = a_conductor(budget={"trials": 1})
    _fail(conductor)
    assert (state_of(conductor), conductor.study.reason) == (
        StudyState.FAILED,
        "its only trial failed, with cause error: no such file",
    )


def test_raising_the_budget_reopens_a_completed_study() -> None:
    conductor = a_conductor(budget={"trials": 1})
    complete(conductor, claimed(conductor))
    conductor.amend(budget=Budget(trials=2), now=LATER)
    assert (state_of(conductor), conductor.study.finished_at) == (StudyState.RUNNING, None)
    assert conductor.study.stopped_by is None
    complete(conductor, claimed(conductor, now=LATER), LATER)
    assert (state_of(conductor), len(conductor.trials)) == (StudyState.COMPLETED, 2)


@pytest.mark.parametrize(
    "budget, stopped_by",
    [
        (Budget(trials=1), "trials"),
        (Budget(trials=9, target=0.5), "target"),
        (Budget(trials=9, seconds=30), "seconds"),
        (Budget(trials=9, device_seconds=1), "device_seconds"),
    ],
)
def test_a_budget_without_room_leaves_a_completed_study_as_it_is(budget: Budget, stopped_by: str) -> None:
    conductor = a_conductor(budget={"trials": 1})
    complete(conductor, claimed(conductor), loss=0.4)
    conductor.amend(budget=budget, now=LATER)
    assert (state_of(conductor), conductor.study.finished_at) == (StudyState.COMPLETED, NOON)
    assert conductor.study.stopped_by == stopped_by


def test_lowering_the_budget_ends_a_study_whose_trials_are_over() -> None:
    conductor = a_conductor(budget={"trials": 9})
    complete(conductor, claimed(conductor))
    conductor.amend(budget=Budget(trials=1), now=NOON)
    assert state_of(conductor) is StudyState.COMPLETED


def test_priority_and_labels_change_at_any_time_and_leave_the_rest() -> None:
    conductor = a_conductor(budget={"trials": 1})
    complete(conductor, claimed(conductor))
    conductor.amend(priority=3, labels={"team": "vision"}, now=NOON)
    request = conductor.study.request
    assert (request.priority, request.labels, request.budget.trials) == (3, {"team": "vision"}, 1)
    assert state_of(conductor) is StudyState.COMPLETED
