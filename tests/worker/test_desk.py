"""What is said of trials while they train, and what is done about the answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from search.desk import Desk
from search.errors import NotFound
from search.pace import Backoff, Pace
from search.protocol import (
    Announcement,
    Assignment,
    ClaimRequest,
    Completed,
    Diverged,
    FinishRequest,
    Point,
    TrialFinish,
)
from search.training.lanes.driver import Fed
from search.training.loop import Monitor, Stop
from search.training.trainer import Ended
from tests.training.line import LINE
from tests.worker.office import Office

NEVER = 1e6
BAD = Diverged(update=0, rate=0.1)
MEDIAN: dict[str, Any] = {"pruner": {"kind": "median", "start_trials": 1}}


def _claim(office: Office) -> Assignment:
    (assignment,) = office.claim(ClaimRequest(worker="ben", tasks=("line",))).assignments
    return assignment


def _point(update: int, loss: float | None = 1.0) -> Point:
    return Point(update=update, epoch=update / 10, rate=0.1, metrics={"val_loss": loss})


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def _desk(office: Office, stop: threading.Event, *, send: float = NEVER) -> Desk:
    pace = Pace(claim=0.0, idle=0.001, send=send, first_pause=0.001, longest_pause=0.01, last_words=0.05)
    request = ClaimRequest(worker="ada", tasks=("line",))
    return Desk(office, Announcement(worker="ada", tasks=(LINE,)), request, stop, pace)


def _take(desk: Desk, n_lanes: int = 1) -> list[Fed]:
    """Wait for trials for so many free lanes."""
    taken: list[Fed] = []
    while len(taken) < n_lanes and desk.wait():
        fed = desk.take(n_lanes - len(taken))
        taken += [] if fed is None else [fed]
    return taken


def _verdict(monitor: Monitor, point: Point) -> Stop | None:
    told = monitor.evaluated(point)
    if not isinstance(told, threading.Event):
        return told
    assert told.wait(30)
    return monitor.tick(point.update)


def _wait_until_told(monitor: Monitor) -> str | None:
    pause = threading.Event()
    for _ in range(10_000):
        told = monitor.tick(1)
        if told is not None:
            return told
        pause.wait(0.001)
    return None


# refusals


def test_a_report_of_a_deleted_study_loses_the_trial(stop: threading.Event) -> None:
    office = Office()
    with _desk(office, stop, send=0.01) as desk:
        (fed,) = _take(desk)
        office.on_message = _raising(NotFound("there is no study first"), "report")
        fed.monitor.evaluated(_point(10))
        assert _wait_until_told(fed.monitor) == "drop"
        desk.end(fed.assignment, Ended(None, 0.0))
    assert "release" not in office.said


def test_a_report_that_cannot_be_true_fails_its_trial_and_no_other(stop: threading.Event) -> None:
    office = Office(budget={"trials": 2})
    with _desk(office, stop, send=0.01) as desk:
        first, second = _take(desk, 2)
        first.monitor.evaluated(_point(10))
        second.monitor.evaluated(_point(31))
        assert _wait_until_told(second.monitor) == "drop"
        assert first.monitor.tick(11) is None
        desk.end(second.assignment, Ended(None, 0.0))
        office.wait_for("finish")
    trials = office.trials
    assert (trials[1].state.value, trials[1].cause) == ("failed", "error")
    assert trials[1].reason.startswith("the service refuses its report: ")
    assert trials[0].evaluated == 10


def test_an_outcome_that_is_refused_costs_no_other_trial_its_own(stop: threading.Event) -> None:
    office = Office(budget={"trials": 3})
    with _desk(office, stop) as desk:
        feds = _take(desk, 3)
        office.is_deaf = True
        for fed, outcome in zip(feds, [BAD, Diverged(update=99, rate=0.1), BAD], strict=True):
            desk.end(fed.assignment, Ended(outcome, 0.0))
        office.is_deaf = False
    assert [trial.state.value for trial in office.trials] == ["diverged", "failed", "diverged"]
    assert office.trials[1].reason.startswith("the service refuses the outcome 'diverged'")


# what is said, and when


def test_points_are_sent_together_after_a_while(stop: threading.Event) -> None:
    office = Office(budget={"trials": 3})
    with _desk(office, stop, send=0.05) as desk:
        for fed in _take(desk, 3):
            fed.monitor.evaluated(_point(10))
            fed.monitor.evaluated(_point(20))
        until(lambda: [trial.evaluated for trial in office.trials] == [20, 20, 20])
    assert office.said.count("report") <= 3


def test_the_points_of_a_quick_trial_stay_for_its_finish(stop: threading.Event) -> None:
    office = Office(budget={"trials": 1})
    with _desk(office, stop) as desk:
        (fed,) = _take(desk)
        for update in (10, 20, 30):
            assert fed.monitor.evaluated(_point(update)) is None
        assert "report" not in office.said
        desk.end(fed.assignment, Ended(Completed(), 0.0))
        office.wait_for("finish")
    assert office.trials[0].evaluated == 30


def test_all_leases_are_renewed_in_one_message_during_one_long_update(stop: threading.Event) -> None:
    office = Office(budget={"trials": 3}, lease_seconds=0.06)
    with _desk(office, stop) as desk:
        _take(desk, 3)
        office.pass_time(0.05)
        office.wait_for("report", times=office.said.count("report") + 2)
        office.pass_time(0.05)
        assert [trial.state.value for trial in office.trials] == ["running"] * 3


def test_the_lease_of_a_trial_that_waits_for_its_lane_is_renewed(stop: threading.Event) -> None:
    office = Office(budget={"trials": 1}, lease_seconds=0.06)
    with _desk(office, stop) as desk:
        assert desk.wait()
        office.wait_for("report", times=3)


def test_lanes_that_end_together_are_finished_in_one_message(stop: threading.Event) -> None:
    office = Office(budget={"trials": 3})
    held = threading.Event()
    with _desk(office, stop) as desk:
        feds = _take(desk, 3)
        office.on_message = lambda _: _wait_for(held)
        for fed in feds:
            desk.end(fed.assignment, Ended(BAD, 0.0))
        held.set()
    assert office.said.count("finish") <= 2


def test_a_cancelled_trial_is_told_at_the_next_renewal(stop: threading.Event) -> None:
    office = Office(lease_seconds=0.06)
    with _desk(office, stop) as desk:
        (fed,) = _take(desk)
        with office.heard:
            office.conductor.cancel(office.now)
        assert _wait_until_told(fed.monitor) == "cancel"


def test_a_report_point_waits_for_its_verdict_and_holds_up_no_other_trial(stop: threading.Event) -> None:
    office = Office(**MEDIAN)
    first = _claim(office)
    assert first.report_points == (10, 20)
    with _desk(office, stop) as desk:
        second, third = _take(desk, 2)
        finish = TrialFinish(fence=first.fence, outcome=Completed(), points=(_point(10), _point(20), _point(30)))
        office.finish(FinishRequest(finishes=(finish,)))
        told = second.monitor.evaluated(_point(10, loss=2.0))
        assert isinstance(told, threading.Event)
        assert third.monitor.tick(5) is None
        assert told.wait(30)
        assert second.monitor.tick(10) == "prune"
        assert third.monitor.tick(6) is None


def test_without_a_service_the_training_goes_on_and_its_points_are_sent_when_it_is_back(stop: threading.Event) -> None:
    office = Office(budget={"trials": 1}, **MEDIAN)
    with _desk(office, stop) as desk:
        (fed,) = _take(desk)
        office.is_deaf = True
        assert [_verdict(fed.monitor, _point(update)) for update in (10, 20, 30)] == [None, None, None]
        office.is_deaf = False
        desk.end(fed.assignment, Ended(Completed(), 0.0))
        office.wait_for("finish")
    assert (office.trials[0].state.value, office.trials[0].evaluated) == ("completed", 30)


def test_a_point_whose_answer_was_lost_is_sent_again_and_counted_once(stop: threading.Event) -> None:
    office = Office(lease_seconds=0.06)
    with _desk(office, stop) as desk:
        (fed,) = _take(desk)
        office.is_dumb = True
        fed.monitor.evaluated(_point(10))
        office.wait_for("report")
        office.is_dumb = False
        office.wait_for("report", times=office.said.count("report") + 2)
    changes = office.conductor.take_changes()
    assert changes is not None
    assert [point.update for _, _, point in changes.points] == [10]


# what is claimed


def test_as_many_trials_are_claimed_as_lanes_are_free_and_no_more(stop: threading.Event) -> None:
    office = Office(budget={"trials": 9})
    with _desk(office, stop) as desk:
        assert len(_take(desk, 4)) == 4
        assert len(office.trials) == 4


def test_a_trial_is_claimed_ahead_for_a_lane_that_is_soon_free(stop: threading.Event) -> None:
    office = Office(budget={"trials": 9})
    with _desk(office, stop) as desk:
        feds = _take(desk, 3)
        feds[0].monitor.tick(29)
        office.wait_for("claim", times=3)
        until(lambda: len(office.trials) == 4)


def test_what_does_not_fit_is_given_back_and_nothing_is_claimed_until_the_lanes_are_empty(
    stop: threading.Event,
) -> None:
    office = Office(budget={"trials": 9})
    with _desk(office, stop) as desk:
        first, other = _take(desk, 2)
        desk.end(other.assignment, Ended(None, 0.0))
        office.wait_for("release")
        assert desk.take(1) is None
        assert [trial.state.value for trial in office.trials] == ["running", "queued"]
        desk.end(first.assignment, Ended(BAD, 0.0))
        (again,) = _take(desk)
        assert again.assignment.fence.trial == other.assignment.fence.trial


# the end


def test_everything_is_given_back_in_one_message(stop: threading.Event) -> None:
    office = Office(budget={"trials": 9}, **MEDIAN)
    with _desk(office, stop) as desk:
        feds = _take(desk, 3)
        stop.set()
        assert [fed.monitor.evaluated(_point(10)) for fed in feds] == ["drop"] * 3
    assert office.said.count("release") == 1
    assert [(trial.state.value, trial.lost_attempts) for trial in office.trials] == [("queued", 0)] * 3


def _wait_for(event: threading.Event) -> None:
    assert event.wait(30)


def _raising(error: Exception, kind: str) -> Callable[[str], None]:
    def fail(said: str) -> None:
        if said == kind:
            raise error

    return fail


def until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(30_000):
        if condition():
            return
        pause.wait(0.001)
    pytest.fail("the condition did not come true within 30 s")


def test_pauses_grow_to_their_limit_and_start_again_after_a_success() -> None:
    backoff = Backoff(first_seconds=1.0, longest_seconds=5.0)
    pauses = [backoff.fail() for _ in range(6)]
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, [1, 2, 4, 5, 5, 5], strict=True))
    backoff.succeed()
    assert backoff.fail() <= 1.0
