"""What is said of a trial while it trains, and what is done about the answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from search.errors import NotFound
from search.protocol import Assignment, ClaimRequest, Completed, FinishRequest, Point, TrialFinish
from search.reporting import Backoff, Reporter
from tests.worker.office import Office

NEVER = 1e6
MEDIAN: dict[str, Any] = {"pruner": {"kind": "median", "start_trials": 1}}


def _claim(office: Office, worker: str = "ada") -> Assignment:
    (assignment,) = office.claim(ClaimRequest(worker=worker, tasks=("line",))).assignments
    return assignment


def _point(update: int, loss: float | None = 1.0) -> Point:
    return Point(update=update, epoch=update / 10, rate=0.1, metrics={"val_loss": loss})


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def _wait_until_told(reporter: Reporter) -> str | None:
    pause = threading.Event()
    for _ in range(10_000):
        told = reporter.tick(1)
        if told is not None:
            return told
        pause.wait(0.001)
    return None


def test_a_report_of_a_deleted_study_loses_the_trial(stop: threading.Event) -> None:
    office = Office()

    def refuse(kind: str) -> None:
        raise NotFound("there is no study first")

    assignment = _claim(office)
    office.on_message = refuse
    with Reporter(office, assignment, stop, send_seconds=0.01) as reporter:
        reporter.evaluated(_point(10))
        assert _wait_until_told(reporter) == "drop"
    assert reporter.lost == "there is no study first"


def test_a_report_that_cannot_be_true_stops_the_trial_and_is_kept_apart_from_a_loss(stop: threading.Event) -> None:
    office = Office()
    with Reporter(office, _claim(office), stop, send_seconds=0.01) as reporter:
        reporter.evaluated(_point(31))
        assert _wait_until_told(reporter) == "drop"
    assert reporter.lost is None
    assert reporter.refused is not None
    assert reporter.refused.startswith("the service refuses its report: ")


def test_points_are_sent_together_after_a_while(stop: threading.Event) -> None:
    office = Office()
    with Reporter(office, _claim(office), stop, send_seconds=0.05) as reporter:
        reporter.evaluated(_point(10))
        reporter.evaluated(_point(20))
        office.wait_for("report")
    (trial,) = office.trials
    assert trial.evaluated == 20


def test_the_points_of_a_quick_trial_stay_for_its_finish(stop: threading.Event) -> None:
    office = Office()
    with Reporter(office, _claim(office), stop, send_seconds=NEVER) as reporter:
        for update in (10, 20, 30):
            assert reporter.evaluated(_point(update)) is None
    assert office.said == ["claim"]
    assert [point.update for point in reporter.unsent()] == [10, 20, 30]


def test_the_lease_is_renewed_during_one_long_update(stop: threading.Event) -> None:
    office = Office(lease_seconds=0.06)
    with Reporter(office, _claim(office), stop):
        office.wait_for("report", times=3)


def test_a_cancelled_trial_is_told_at_the_next_renewal(stop: threading.Event) -> None:
    office = Office(lease_seconds=0.06)
    assignment = _claim(office)
    office.conductor.cancel(office.now)
    with Reporter(office, assignment, stop) as reporter:
        assert _wait_until_told(reporter) == "cancel"


def test_a_report_point_waits_for_its_verdict(stop: threading.Event) -> None:
    office = Office(**MEDIAN)
    first, second = _claim(office, "ada"), _claim(office, "ben")
    assert first.report_points == (10, 20)
    with Reporter(office, first, stop, send_seconds=NEVER) as reporter:
        assert reporter.evaluated(_point(10, loss=1.0)) is None
    assert office.said.count("report") == 1
    finish = TrialFinish(fence=first.fence, outcome=Completed(), points=(_point(20), _point(30)))
    office.finish(FinishRequest(finishes=(finish,)))
    with Reporter(office, second, stop, send_seconds=NEVER) as reporter:
        assert reporter.evaluated(_point(10, loss=2.0)) == "prune"


def test_without_a_service_the_training_goes_on_and_its_points_are_kept(stop: threading.Event) -> None:
    office = Office(**MEDIAN)
    assignment = _claim(office)
    office.is_deaf = True
    with Reporter(office, assignment, stop, send_seconds=NEVER) as reporter:
        assert [reporter.evaluated(_point(update)) for update in (10, 20, 30)] == [None, None, None]
    assert [point.update for point in reporter.unsent()] == [10, 20, 30]


def test_what_was_kept_is_sent_when_the_service_is_back(stop: threading.Event) -> None:
    office = Office(lease_seconds=0.06)
    assignment = _claim(office)
    office.is_deaf = True
    absent = threading.Event()
    office.on_message = lambda _: absent.set()
    with Reporter(office, assignment, stop) as reporter:
        reporter.evaluated(_point(10))
        assert absent.wait(30)
        office.is_deaf = False
        office.wait_for("report", times=2)
    assert reporter.unsent() == ()
    assert office.trials[0].evaluated == 10


def test_a_point_whose_answer_was_lost_is_sent_again_and_counted_once(stop: threading.Event) -> None:
    office = Office(lease_seconds=0.06)
    assignment = _claim(office)
    office.is_dumb = True
    with Reporter(office, assignment, stop) as reporter:
        reporter.evaluated(_point(10))
        office.wait_for("report")
        office.is_dumb = False
        office.wait_for("report", times=3)
    changes = office.conductor.take_changes()
    assert changes is not None
    assert [point.update for _, _, point in changes.points] == [10]


def test_a_stopping_worker_drops_its_trial_even_at_a_report_point(stop: threading.Event) -> None:
    office = Office(**MEDIAN)
    assignment = _claim(office)
    release = threading.Event()

    def hang(kind: str) -> None:
        stop.set()
        release.wait(30)

    office.on_message = hang
    with Reporter(office, assignment, stop, send_seconds=NEVER) as reporter:
        assert reporter.evaluated(_point(10)) == "drop"
        release.set()


def test_pauses_grow_to_their_limit_and_start_again_after_a_success() -> None:
    backoff = Backoff(first_seconds=1.0, longest_seconds=5.0)
    pauses = [backoff.fail() for _ in range(6)]
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, [1, 2, 4, 5, 5, 5], strict=True))
    backoff.succeed()
    assert backoff.fail() <= 1.0
