"""What the ensemble promises when the service stops, the database fails, or another service leads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from search.errors import Unavailable
from search.protocol import Assignment, Pruned
from search.study import StudyState, Trial, TrialState
from service.ensemble import Ensemble
from service.store import DatabaseInUse, NotLeader, Store, open_store
from service.tables import trials
from tests.search.playing import LEASE_SECONDS, Clock
from tests.service.playing import (
    FaultyStore,
    a_point,
    a_request,
    an_ensemble,
    claim,
    claim_one,
    finish,
    report,
    the_curve,
    without_lease,
)

N_TRIALS = 24
SAMPLED: dict[str, Any] = {
    "budget": {"trials": N_TRIALS},
    "sampler": {"kind": "tpe"},
    "pruner": {"kind": "median", "rungs": [0.5], "start_trials": 3},
    "space": {"families": ["constant", "cosine"]},
    "seed": 5,
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def faulty(sqlite_url: str, clock: Clock) -> Iterator[FaultyStore]:
    store = FaultyStore(sqlite_url, clock)
    yield store
    store.close()


@pytest.fixture
def ensemble(faulty: FaultyStore, clock: Clock) -> Ensemble:
    led = Ensemble(faulty, clock, LEASE_SECONDS)
    led.start()
    return led


def test_a_second_service_on_one_sqlite_file_refuses_to_start(sqlite_url: str, clock: Clock) -> None:
    with an_ensemble(sqlite_url, clock):
        store = open_store(sqlite_url, clock=clock)
        second = Ensemble(store, clock, LEASE_SECONDS)
        with pytest.raises(DatabaseInUse, match="is in use by another service"):
            second.start()
        with pytest.raises(NotLeader, match="stands by and changes nothing"):
            second.create_study("default", a_request())
        store.close()


def test_nothing_is_handed_out_when_the_commit_fails(ensemble: Ensemble, faulty: FaultyStore) -> None:
    ensemble.create_study("default", a_request(budget={"trials": 1}))
    faulty.fails_before = True
    with pytest.raises(Unavailable, match="the database is gone"):
        claim(ensemble)
    given = claim_one(ensemble)
    assert (given.fence.trial, given.fence.attempt) == (0, 1)
    assert claim(ensemble, "bob") == []


def test_a_claim_whose_commit_was_done_but_not_known_is_answered_again(ensemble: Ensemble, faulty: FaultyStore) -> None:
    study = ensemble.create_study("default", a_request(budget={"trials": 1}))
    faulty.fails_after = True
    with pytest.raises(Unavailable, match="with it the answer"):
        claim(ensemble)
    given = claim_one(ensemble)
    assert (given.fence.trial, given.fence.attempt) == (0, 1)
    finish(ensemble, given)
    assert [each.ending for each in faulty.attempts(study.id, 0)] == ["completed"]


@pytest.mark.parametrize("fault", ["fails_before", "fails_after"])
def test_a_report_and_a_finish_are_sent_again_until_they_are_taken(
    ensemble: Ensemble, faulty: FaultyStore, fault: str
) -> None:
    study = ensemble.create_study("default", a_request(budget={"trials": 1}))
    given = claim_one(ensemble)
    setattr(faulty, fault, True)
    with pytest.raises(Unavailable, match="the"):
        report(ensemble, given.fence, a_point(10, 0.5))
    assert report(ensemble, given.fence, a_point(10, 0.5)).action == "continue"
    setattr(faulty, fault, True)
    with pytest.raises(Unavailable, match="the"):
        finish(ensemble, given)
    assert finish(ensemble, given).status == "accepted"
    assert [point.update for point in faulty.curve(study.id, 0)] == list(range(10, 101, 10))
    assert faulty.find_study("default", "first").state is StudyState.COMPLETED


def test_a_study_whose_creation_was_done_but_not_known_runs(ensemble: Ensemble, faulty: FaultyStore) -> None:
    faulty.fails_after = True
    with pytest.raises(Unavailable, match="with it the answer"):
        ensemble.create_study("default", a_request())
    assert claim_one(ensemble).fence.study == "first"


def test_a_study_whose_creation_failed_is_not_there(ensemble: Ensemble, faulty: FaultyStore) -> None:
    faulty.fails_before = True
    with pytest.raises(Unavailable, match="the database is gone"):
        ensemble.create_study("default", a_request())
    assert claim(ensemble) == []
    ensemble.create_study("default", a_request())
    assert claim_one(ensemble).fence.trial == 0


def test_leases_outlive_a_database_that_was_away(ensemble: Ensemble, faulty: FaultyStore, clock: Clock) -> None:
    ensemble.create_study("default", a_request(max_attempts=1))
    given = claim_one(ensemble)
    clock.advance(LEASE_SECONDS - 1)
    faulty.fails_before = True
    with pytest.raises(Unavailable, match="the database is gone"):
        report(ensemble, given.fence)
    clock.advance(2)
    ensemble.tick()
    assert report(ensemble, given.fence).action == "continue"


def test_leases_outlive_a_service_that_was_away(sqlite_url: str, clock: Clock) -> None:
    with an_ensemble(sqlite_url, clock) as before:
        before.create_study("default", a_request(max_attempts=1))
        given = claim_one(before)
    clock.advance(9 * 3600)
    with an_ensemble(sqlite_url, clock) as after:
        after.tick()
        clock.advance(LEASE_SECONDS - 1)
        after.tick()
        assert report(after, given.fence).action == "continue"


def test_leases_outlive_a_service_that_stood_still(sqlite_url: str, clock: Clock) -> None:
    with an_ensemble(sqlite_url, clock, absence_seconds=20) as ensemble:
        ensemble.create_study("default", a_request(max_attempts=1))
        given = claim_one(ensemble)
        ensemble.tick()
        clock.advance(9 * 3600)
        ensemble.tick()
        assert report(ensemble, given.fence).action == "continue"


def test_a_study_for_which_time_does_not_pass_keeps_no_other_study_waiting(
    ensemble: Ensemble, faulty: FaultyStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    broken = ensemble.create_study("default", a_request("broken"))
    sound = ensemble.create_study("default", a_request("sound"))
    given = claim(ensemble, lanes=5)
    _damage(faulty, broken.id)
    faulty.fails_after = True
    with pytest.raises(Unavailable, match="with it the answer"):
        report(ensemble, given[0].fence)  # so that the damaged rows are read
    ensemble.tick()
    clock.advance(LEASE_SECONDS)
    ensemble.tick()
    assert faulty.trial(sound.id, 0).state is TrialState.QUEUED
    assert report(ensemble, given[0].fence).action == "continue"
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        "time did not pass for study default/broken: it is read again"
    ]


def _damage(store: FaultyStore, study_id: int) -> None:
    """Do to the trials of a study what another program might: SQLite keeps a word where a number belongs."""
    with store.engine.begin() as connection:
        connection.execute(update(trials).where(trials.c.study_id == study_id).values(lost_attempts=text("'many'")))


def test_lost_trials_of_a_cancelled_study_end_after_a_restart(sqlite_url: str, clock: Clock) -> None:
    with an_ensemble(sqlite_url, clock) as before:
        study = before.create_study("default", a_request())
        claim_one(before)
        before.cancel_study("default", "first")
    with an_ensemble(sqlite_url, clock) as after:
        for _ in range(2):
            clock.advance(LEASE_SECONDS)
            after.tick()
    store = open_store(sqlite_url, clock=clock)
    assert store.trial(study.id, 0).state is TrialState.CANCELLED
    store.close()


def _played(url: str, stop: int | None) -> list[Trial]:
    """Run a study with two trials at a time; once this trial is handed out, stop the service and start it again."""
    clock = Clock()
    running: list[Assignment] = []
    with an_ensemble(url, clock) as ensemble:
        study_id = ensemble.create_study("default", a_request(**SAMPLED)).id
        _work(ensemble, clock, running, until=stop)
    if stop is not None:
        assert [given.fence.trial for given in running] == [stop - 1, stop]
        with an_ensemble(url, clock) as ensemble:
            _work(ensemble, clock, running)
    store = open_store(url)
    _, trials = store.load_study(study_id)
    store.close()
    return [without_lease(trial) for trial in trials]


def _work(ensemble: Ensemble, clock: Clock, running: list[Assignment], until: int | None = None) -> None:
    """Go on from trial to trial, each begun before the one ahead of it ends."""
    while True:
        held = [given.fence.model_dump(exclude={"lease"}) for given in running]
        if len(running) < 2 and (new := claim(ensemble, held=held)):
            running += new
            if new[0].fence.trial == until:
                return
            continue
        if not running:
            return
        clock.advance(1.0)
        ahead = running.pop(0)
        told = report(ensemble, ahead.fence, *the_curve(ahead)[:5])
        finish(ensemble, ahead, Pruned() if told.action == "prune" else None)


@pytest.mark.parametrize("stop", [3, 13, 20])
def test_a_service_stopped_in_the_middle_goes_on_like_one_that_never_stopped(
    sqlite_template: Path, tmp_path: Path, stop: int
) -> None:
    paths = [tmp_path / name for name in ("unstopped.db", "stopped.db")]
    for path in paths:
        shutil.copyfile(sqlite_template, path)
    unstopped, continued = _played(f"sqlite:///{paths[0]}", None), _played(f"sqlite:///{paths[1]}", stop)
    assert len(unstopped) == N_TRIALS
    assert {trial.state for trial in unstopped} == {TrialState.COMPLETED, TrialState.PRUNED}
    assert continued == unstopped


@pytest.mark.postgres
def test_a_standby_takes_over_and_the_old_leader_writes_nothing_more(postgres_url: str, clock: Clock) -> None:
    stores = [open_store(postgres_url, clock=clock) for _ in range(2)]
    first, second = (Ensemble(store, clock, LEASE_SECONDS, leader_seconds=15) for store in stores)
    first.start()
    second.start()
    first.create_study("default", a_request(max_attempts=1))
    given = claim_one(first)
    second.tick()
    with pytest.raises(NotLeader, match="stands by and changes nothing"):
        report(second, given.fence)
    clock.advance(LEASE_SECONDS)
    second.tick()
    with pytest.raises(NotLeader, match="was replaced by"):
        report(first, given.fence, a_point(10, 0.5))
    with pytest.raises(NotLeader, match="stands by and changes nothing"):
        claim(first)
    first.tick()
    assert report(second, given.fence, a_point(10, 0.5)).action == "continue"
    assert finish(second, given).status == "accepted"
    _close(stores)


def _close(stores: list[Store]) -> None:
    for store in stores:
        store.close()
