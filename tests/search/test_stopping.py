"""When a study stops by itself: which limit of its budget it has reached, and that it then stays stopped."""

from __future__ import annotations

from datetime import datetime, timedelta

from search.conductor import Conductor
from search.protocol import Diverged, Failed
from search.study import Budget, StudyState, TrialState
from tests.search.factories import NOON, a_recipe
from tests.search.playing import (
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

FAILURE = Failed(cause="error", message="no such file")


def _stopped_by(conductor: Conductor) -> str | None:
    return conductor.study.stopped_by


def _states(conductor: Conductor) -> list[TrialState]:
    return [trial.state for trial in conductor.trials.values()]


def test_a_study_stops_at_its_target() -> None:
    conductor = a_conductor(budget={"trials": 10, "target": 0.2})
    good, running = claimed(conductor), claimed(conductor)
    conductor.enqueue(a_recipe(), NOON)
    complete(conductor, good, loss=0.2)
    reason = "trial 0 reached the target of 0.2 with 0.2"
    assert (state_of(conductor), conductor.study.reason) == (StudyState.RUNNING, reason)
    assert (conductor.claim("ada", NOON), conductor.trials[2].state) == (None, TrialState.CANCELLED)
    complete(conductor, running, loss=0.4)
    assert (state_of(conductor), conductor.study.reason) == (StudyState.COMPLETED, reason)
    assert _stopped_by(conductor) == "target"


def test_a_study_that_maximises_stops_at_its_target_from_below() -> None:
    conductor = a_conductor(objective={"metric": "val_accuracy"}, budget={"target": 0.9})
    for accuracy in (0.8, 0.95):
        assert state_of(conductor) is not StudyState.COMPLETED
        given = claimed(conductor)
        conductor.finish(a_finish(given.fence, a_point(100, 0.1, val_accuracy=accuracy)), NOON)
    assert state_of(conductor) is StudyState.COMPLETED


def test_a_study_stops_when_its_seconds_are_used_up() -> None:
    conductor = a_conductor(budget={"seconds": 90})
    given = claimed(conductor)
    conductor.expire(NOON + timedelta(seconds=30))
    assert conductor.claim("bob", NOON + timedelta(seconds=90)) is None
    conductor.report(a_report(given.fence, update=1), NOON + timedelta(seconds=50))
    conductor.expire(NOON + timedelta(seconds=90))
    assert (state_of(conductor), conductor.study.reason) == (StudyState.RUNNING, "the budget of 90 s is used up")
    conductor.expire(NOON + timedelta(seconds=110))
    assert (state_of(conductor), _states(conductor)) == (StudyState.COMPLETED, [TrialState.CANCELLED])
    assert _stopped_by(conductor) == "seconds"


def test_a_study_stops_when_its_device_time_is_used_up() -> None:
    conductor = a_conductor(budget={"device_seconds": 3})
    for _ in range(3):
        assert state_of(conductor) is not StudyState.COMPLETED
        complete(conductor, claimed(conductor))
    assert state_of(conductor) is StudyState.COMPLETED
    assert conductor.study.reason == "the budget of 3 s of device time is used up: 3.0 s"
    assert _stopped_by(conductor) == "device_seconds"


def test_a_study_whose_trials_are_used_up_says_so_once_the_last_has_ended() -> None:
    conductor = a_conductor(budget={"trials": 1})
    given = claimed(conductor)
    assert _stopped_by(conductor) is None
    complete(conductor, given)
    assert (_stopped_by(conductor), conductor.study.reason) == ("trials", "")


def _ended_with(conductor: Conductor, loss: float, now: datetime = NOON) -> None:
    complete(conductor, claimed(conductor, now=now), now, loss=loss)


def test_a_study_stops_when_so_many_trials_brought_no_better_value() -> None:
    conductor = a_conductor(budget={"no_improvement_trials": 3})
    for loss in (0.5, 0.4, 0.6, 0.4):
        _ended_with(conductor, loss)
    assert (state_of(conductor), _stopped_by(conductor)) == (StudyState.RUNNING, None)
    _ended_with(conductor, 0.7)
    assert (state_of(conductor), _stopped_by(conductor)) == (StudyState.COMPLETED, "no_improvement")
    assert conductor.study.reason == "trial 1 brought 0.4, and 3 trials since no better value"


def test_trials_that_failed_do_not_count_as_tried_without_improvement() -> None:
    conductor = a_conductor(budget={"no_improvement_trials": 2})
    _ended_with(conductor, 0.5)
    for _ in range(3):
        conductor.finish(a_finish(claimed(conductor).fence, outcome=FAILURE), NOON)
    assert state_of(conductor) is StudyState.RUNNING


def test_a_study_without_a_completed_trial_does_not_stop_for_want_of_improvement() -> None:
    conductor = a_conductor(budget={"no_improvement_trials": 1})
    for _ in range(4):
        conductor.finish(a_finish(claimed(conductor).fence, outcome=Diverged(update=3, rate=0.1)), NOON)
    assert state_of(conductor) is StudyState.RUNNING
    _ended_with(conductor, 0.5)
    assert state_of(conductor) is StudyState.RUNNING, "the trials before the first value are not counted"


def test_improvement_is_counted_in_the_order_in_which_trials_end() -> None:
    conductor = a_conductor(budget={"no_improvement_trials": 2})
    slow = claimed(conductor)
    _ended_with(conductor, 0.5, NOON)
    _ended_with(conductor, 0.6, NOON + timedelta(seconds=1))
    complete(conductor, slow, NOON + timedelta(seconds=2), loss=0.3)
    assert _stopped_by(conductor) is None
    _ended_with(conductor, 0.4, NOON + timedelta(seconds=3))
    assert _stopped_by(conductor) is None
    _ended_with(conductor, 0.4, NOON + timedelta(seconds=4))
    assert conductor.study.reason == "trial 0 brought 0.3, and 2 trials since no better value"


def test_a_stopped_study_stays_so_although_a_last_trial_improves() -> None:
    conductor = a_conductor(budget={"no_improvement_trials": 1})
    slow = claimed(conductor)
    for loss in (0.5, 0.6):
        _ended_with(conductor, loss)
    conductor = rebuilt(conductor, tokens("new"))
    assert conductor.claim("ada", NOON) is None
    complete(conductor, slow, loss=0.1)
    assert (state_of(conductor), _stopped_by(conductor)) == (StudyState.COMPLETED, "no_improvement")


def test_another_budget_lets_a_study_that_stopped_without_improvement_go_on() -> None:
    conductor = a_conductor(budget={"no_improvement_trials": 1})
    for loss in (0.5, 0.6):
        _ended_with(conductor, loss)
    conductor.amend(budget=Budget(no_improvement_trials=2), now=NOON)
    assert (state_of(conductor), _stopped_by(conductor)) == (StudyState.RUNNING, None)
    _ended_with(conductor, 0.7)
    assert _stopped_by(conductor) == "no_improvement"


def test_a_cancelled_study_was_not_stopped_by_its_budget() -> None:
    conductor = a_conductor(budget={"target": 0.5})
    good, _ = claimed(conductor), claimed(conductor)
    complete(conductor, good, loss=0.4)
    conductor.cancel(NOON)
    assert (state_of(conductor), _stopped_by(conductor)) == (StudyState.CANCELLED, None)


def test_people_who_watch_hear_what_stopped_a_study() -> None:
    conductor = a_conductor(budget={"trials": 9, "target": 0.5})
    _ended_with(conductor, 0.4)
    changes = conductor.take_changes()
    assert changes is not None
    assert [event.payload["stopped_by"] for event in changes.events if event.kind == "study"][-1] == "target"


def test_a_study_that_has_tried_its_whole_grid_was_stopped_by_no_limit() -> None:
    space = {"optimizers": ["sgd"], "families": ["constant"]}
    conductor = a_conductor(space=space, sampler={"kind": "grid", "steps": {"lr_position": 1}})
    _ended_with(conductor, 0.4)
    assert (state_of(conductor), _stopped_by(conductor)) == (StudyState.COMPLETED, None)
