"""Leases, attempts, and what is tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import pytest

from search.protocol import Failed, Slot
from search.study import TrialState
from tests.search.factories import NOON
from tests.search.playing import (
    LEASE_SECONDS,
    a_conductor,
    a_finish,
    a_point,
    a_report,
    claimed,
    complete,
    rebuilt,
    tokens,
)

TERM = timedelta(seconds=LEASE_SECONDS)
TICK = timedelta(seconds=1)


def test_a_lease_holds_until_its_end_and_not_beyond() -> None:
    conductor = a_conductor()
    claimed(conductor)
    conductor.expire(NOON + TERM - TICK)
    assert conductor.trials[0].state is TrialState.RUNNING
    conductor.expire(NOON + TERM)
    trial = conductor.trials[0]
    assert (trial.state, trial.lost_attempts, trial.lease) == (TrialState.QUEUED, 1, None)
    assert trial.reason == "worker ada was not heard of until its lease ended"


def test_an_empty_report_renews_the_lease() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    conductor.report(a_report(given.fence), NOON + TERM - TICK)
    conductor.expire(NOON + TERM)
    assert conductor.trials[0].state is TrialState.RUNNING


def test_a_lost_trial_is_handed_out_again_before_new_ones_with_the_same_recipe() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    conductor.expire(NOON + TERM)
    again = claimed(conductor, "bob")
    assert (again.fence.trial, again.fence.attempt, again.recipe, again.seed) == (0, 2, given.recipe, given.seed)
    assert again.fence.lease != given.fence.lease


def test_a_trial_that_is_lost_too_often_has_failed() -> None:
    conductor = a_conductor(max_attempts=2)
    now = NOON
    for _ in range(2):
        claimed(conductor, now=now)
        now += TERM
        conductor.expire(now)
    trial = conductor.trials[0]
    assert (trial.state, trial.cause, trial.lost_attempts) == (TrialState.FAILED, "lost", 2)
    assert trial.reason == "no attempt is left after 2; the last: worker ada was not heard of until its lease ended"


def test_released_attempts_do_not_count() -> None:
    conductor = a_conductor(max_attempts=1)
    for _ in range(5):
        assert conductor.release(claimed(conductor).fence, NOON).status == "accepted"
    trial = conductor.trials[0]
    assert (trial.state, trial.attempt, trial.lost_attempts) == (TrialState.QUEUED, 5, 0)


def test_the_absence_of_the_service_does_not_count() -> None:
    conductor = a_conductor(max_attempts=1, stall_seconds=100)
    claimed(conductor)
    back = NOON + timedelta(hours=9)
    conductor.extend(back)
    conductor.expire(back + TERM - TICK)
    assert conductor.trials[0].state is TrialState.RUNNING


def test_a_trial_that_makes_no_progress_is_taken_back_although_its_worker_talks() -> None:
    conductor = a_conductor(stall_seconds=100)
    given = claimed(conductor)
    for seconds in range(30, 151, 30):
        now = NOON + timedelta(seconds=seconds)
        conductor.report(a_report(given.fence, update=7), now)
        conductor.expire(now)
    trial = conductor.trials[0]
    assert (trial.state, trial.lost_attempts) == (TrialState.QUEUED, 1)
    assert trial.reason == "worker ada made no progress for 100 s, after update 7"


def test_progress_keeps_a_slow_trial() -> None:
    conductor = a_conductor(stall_seconds=100)
    given = claimed(conductor)
    for seconds in range(30, 601, 30):
        now = NOON + timedelta(seconds=seconds)
        conductor.report(a_report(given.fence, update=seconds // 90), now)
        conductor.expire(now)
    assert conductor.trials[0].state is TrialState.RUNNING


def test_a_device_failure_is_tried_again_and_keeps_its_log() -> None:
    conductor = a_conductor(max_attempts=2)
    failure = Failed(cause="device", message="the GPU fell off the bus", log="Xid 79")
    given = claimed(conductor)
    conductor.finish(a_finish(given.fence, outcome=failure), NOON)
    trial = conductor.trials[0]
    assert (trial.state, trial.cause, trial.log, trial.reason) == (
        TrialState.QUEUED,
        "device",
        "Xid 79",
        "the GPU fell off the bus",
    )
    assert conductor.finish(a_finish(given.fence, outcome=failure), NOON).status == "accepted"
    conductor.finish(a_finish(claimed(conductor).fence, outcome=failure), NOON)
    assert (conductor.trials[0].state, conductor.trials[0].cause) == (TrialState.FAILED, "device")


@pytest.mark.parametrize("cause", ["configuration", "out_of_memory", "error"])
def test_other_failures_are_final(cause: Literal["configuration", "out_of_memory", "error"]) -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    failure = Failed(cause=cause, message="it broke", log="Traceback")
    conductor.finish(a_finish(given.fence, a_point(10, 0.5), outcome=failure), NOON)
    trial = conductor.trials[0]
    assert (trial.state, trial.cause, trial.reason, trial.log) == (TrialState.FAILED, cause, "it broke", "Traceback")
    changes = conductor.take_changes()
    assert changes is not None
    assert (changes.attempts[0].ending, changes.attempts[0].log) == ("failed", "Traceback")
    assert len(changes.points) == 1


def test_a_finish_is_known_again_after_a_rebuild() -> None:
    new_token = tokens()
    conductor = a_conductor(new_token)
    given = claimed(conductor)
    complete(conductor, given)
    again = rebuilt(conductor, new_token)
    assert again.finish(a_finish(given.fence, a_point(100, 0.5)), NOON).status == "accepted"
    assert again.take_changes() is None


def test_leases_whose_answer_was_lost_are_sent_again() -> None:
    conductor = a_conductor()
    heard, unheard, other = claimed(conductor), claimed(conductor), claimed(conductor, "bob")
    held = [Slot(**heard.fence.model_dump(exclude={"lease"}))]
    later = NOON + TERM - TICK
    assert conductor.resend("ada", held, later) == [unheard]
    conductor.expire(NOON + TERM)
    states = [conductor.trials[each.fence.trial].state for each in (heard, unheard, other)]
    assert states == [TrialState.QUEUED, TrialState.RUNNING, TrialState.QUEUED]


def test_the_device_time_of_lost_attempts_counts() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    conductor.report(a_report(given.fence, update=5), NOON + timedelta(seconds=40))
    conductor.expire(NOON + timedelta(seconds=40) + TERM)
    assert conductor.trials[0].train_seconds == 40.0
