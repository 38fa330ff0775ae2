"""How fast workers train, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from search.study import Lease, Trial, TrialState
from service.telemetry import MEMORY_SECONDS, Telemetry, Work
from tests.search.factories import NOON, a_study, a_trial

STUDY = a_study()


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def held(number: int = 0, worker: str = "ada", *, update: int = 0, **fields: Any) -> Trial:
    """A trial that a worker trains."""
    lease = Lease(token="t", worker=worker, expires_at=after(60), progressed_at=NOON)
    return a_trial(number, lease=lease, attempt=1, update=update, **fields)


def ended(trial: Trial, update: int) -> Trial:
    return replace(trial, state=TrialState.COMPLETED, update=update)


def speed(telemetry: Telemetry, worker: str = "ada") -> float | None:
    return telemetry.works()[worker].updates_per_second


def test_a_worker_without_work_is_left_out() -> None:
    assert Telemetry().works() == {}
    assert Work().updates_per_second is None


def test_a_trial_just_handed_out_has_no_speed() -> None:
    telemetry = Telemetry()
    telemetry.follow(STUDY, held(), NOON)
    (training,) = telemetry.works()["ada"].trainings
    assert (training.study, training.trial, training.attempt, training.update) == ("first", 0, 1, 0)
    assert training.horizon == STUDY.plan.horizon
    assert training.updates_per_second is None


def test_the_first_report_measures_the_time_since_the_trial_was_handed_out() -> None:
    telemetry = Telemetry()
    telemetry.follow(STUDY, held(), NOON)
    telemetry.follow(STUDY, held(update=30), after(2))
    assert speed(telemetry) == 15.0


def test_data_that_is_loaded_first_is_no_slow_training() -> None:
    telemetry = Telemetry()
    telemetry.follow(STUDY, held(), NOON)
    telemetry.follow(STUDY, held(), after(20))
    assert speed(telemetry) is None
    telemetry.follow(STUDY, held(update=30), after(22))
    assert speed(telemetry) == 15.0


def test_what_was_measured_long_ago_no_longer_counts() -> None:
    telemetry = Telemetry()
    telemetry.follow(STUDY, held(), NOON)
    telemetry.follow(STUDY, held(update=10), after(1))
    telemetry.follow(STUDY, held(update=10), after(1 + MEMORY_SECONDS))
    assert speed(telemetry) == pytest.approx(10.0 * 0.367879, rel=1e-5)
    telemetry.follow(STUDY, held(update=10), after(500))
    assert speed(telemetry) == pytest.approx(0.0, abs=1e-9)


def test_two_messages_of_one_moment_are_no_infinite_speed() -> None:
    telemetry = Telemetry()
    telemetry.follow(STUDY, held(), NOON)
    telemetry.follow(STUDY, held(update=10), NOON)
    (training,) = telemetry.works()["ada"].trainings
    assert (training.update, training.updates_per_second) == (10, None)


def test_a_trial_too_short_to_report_is_measured_when_it_ends_and_the_next_one_begins_so() -> None:
    telemetry = Telemetry()
    telemetry.follow(STUDY, held(0), NOON)
    telemetry.follow(STUDY, ended(held(0), 100), after(0.5))
    assert telemetry.works() == {}
    telemetry.follow(STUDY, held(1), after(0.6))
    assert speed(telemetry) == 200.0
    telemetry.follow(replace(STUDY, name="second"), held(0), after(0.6))
    assert [each.updates_per_second for each in telemetry.works()["ada"].trainings] == [200.0, None]


def test_the_trials_of_one_worker_add_up() -> None:
    telemetry = Telemetry()
    for number in range(1024):
        telemetry.follow(STUDY, held(number), NOON)
        telemetry.follow(STUDY, held(number, update=50), after(5))
    telemetry.follow(STUDY, held(1024, "bob"), NOON)
    work = telemetry.works()["ada"]
    assert [each.trial for each in work.trainings] == list(range(1024))
    assert work.updates_per_second == pytest.approx(10240.0)
    assert speed(telemetry, "bob") is None


def test_a_lease_that_ended_unsaid_is_dropped_and_one_that_is_not_known_is_taken_in() -> None:
    telemetry = Telemetry()
    telemetry.follow(STUDY, held(0), NOON)
    telemetry.follow(STUDY, held(1), NOON)
    telemetry.follow(STUDY, held(1, update=20), after(1))
    telemetry.reconcile([(STUDY, held(1, update=20)), (STUDY, held(2, "bob", update=70))], after(2))
    works = telemetry.works()
    assert [(each.trial, each.updates_per_second) for each in works["ada"].trainings] == [(1, 20.0)]
    assert [(each.trial, each.update) for each in works["bob"].trainings] == [(2, 70)]
