"""Databases of other versions: those of the first release are brought here whole, and work goes on in them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from search.protocol import Fence
from search.study import Study, StudyState, Trial, TrialState
from service.ensemble import Ensemble
from service.lockfile import hold
from service.store import DatabaseInUse, Store, WrongSchema, open_store, revisions, upgrade
from service.store.engine import connect, parse, writing
from service.tables import leader
from tests.search.playing import LEASE_SECONDS, Clock
from tests.service.playing import claim, claim_one, finish, report, the_curve
from tests.store.first_schema import FIRST, NOW, PLAYED, load, lost, stamp, told
from tests.store.optunas_view import trials_of

RUNNING = "running"
BUDGET = 8


@pytest.fixture
def first_url(empty_database_url: str) -> str:
    """URL of a database that the first release left, on each kind of database in turn."""
    load(empty_database_url)
    return empty_database_url


@pytest.fixture
def upgraded(first_url: str) -> Iterator[Store]:
    """Such a database, opened by this version."""
    store = open_store(first_url)
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = NOW + timedelta(seconds=5)
    return clock


def read_again(store: Store, project: str, name: str) -> dict[str, object]:
    """What the store reads of a study, in the form in which the first release wrote it down."""
    study, trials = store.load_study(store.find_study(project, name).id)
    numbers = [trial.number for trial in trials]
    return {
        "study": told(study),
        "trials": told(trials),
        "counts": {state.value: count for state, count in store.counts(study.id).items()},
        "attempts": [
            [told(store.attempt(study.id, number, each.attempt)) for each in store.attempts(study.id, number)]
            for number in numbers
        ],
        "curves": [told(store.curve(study.id, number)) for number in numbers],
        "leaderboard": [trial.number for trial in store.leaderboard(study.id)],
        "events": told(store.events(study.id, 0)),
    }


def the_running(trials: list[Trial]) -> Trial:
    (running,) = [trial for trial in trials if trial.state is TrialState.RUNNING]
    return running


def test_tables_of_a_newer_version_are_refused_and_left_alone(first_url: str) -> None:
    stamp(first_url, "9999")
    for work in (upgrade, open_store):
        with pytest.raises(WrongSchema, match=r"written by a newer Etude .*revision 9999.*: start that version"):
            work(first_url)
    assert revisions(first_url).found == "9999"


def test_tables_are_not_changed_under_a_service_on_the_same_file(sqlite_url: str) -> None:
    stamp(sqlite_url, FIRST)
    held = hold(Path(f"{parse(sqlite_url).database}.lock"))
    with pytest.raises(DatabaseInUse, match="stop that service first"):
        upgrade(sqlite_url)
    held.let_go()
    assert revisions(sqlite_url).found == FIRST


@pytest.mark.postgres
def test_tables_are_not_changed_under_a_service_that_leads(empty_postgres_url: str) -> None:
    load(empty_postgres_url)
    engine = connect(parse(empty_postgres_url))
    until = NOW + timedelta(days=36500)
    with writing(engine) as connection:
        connection.execute(update(leader).values(owner="another:1", expires_at=until))
    engine.dispose()
    for work in (upgrade, open_store):
        with pytest.raises(DatabaseInUse, match=r"another service \(another:1, .*: stop that service first"):
            work(empty_postgres_url)
    assert revisions(empty_postgres_url).found == FIRST


def test_the_first_release_left_trials_in_every_state() -> None:
    states = {trial["state"] for each in PLAYED["read"] for trial in each["trials"]}
    assert states == {state.value for state in TrialState}


def test_an_upgrade_loses_nothing_and_says_where_it_came_from(first_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "service.store"):
        before = upgrade(first_url)
    assert (before.found, before.fit) == (FIRST, False)
    assert f"from revision {FIRST} to {before.wanted}" in caplog.text
    assert revisions(first_url).fit
    with closing(open_store(first_url)) as store:
        for each in PLAYED["read"]:
            study = each["study"]
            assert lost(each, read_again(store, study["project"], study["name"])) == []
        assert lost(PLAYED["workers"], told(store.workers())) == []
        assert lost(PLAYED["tasks"], told(store.announced_tasks())) == []


def test_an_upgrade_of_what_fits_changes_nothing(upgraded: Store, caplog: pytest.LogCaptureFixture) -> None:
    assert upgrade(upgraded.url).fit
    assert caplog.text == ""


def test_optuna_reads_as_many_trials_as_before(upgraded: Store) -> None:
    for each in PLAYED["read"]:
        study = each["study"]
        assert len(trials_of(upgraded, f"{study['project']}/{study['name']}")) == len(each["trials"])


def test_a_running_study_goes_on_with_the_worker_that_trains_it(upgraded: Store, clock: Clock) -> None:
    study, trials = upgraded.load_study(upgraded.find_study("default", RUNNING).id)
    ensemble = Ensemble(upgraded, clock, LEASE_SECONDS)
    ensemble.start()
    running = the_running(trials)
    assert running.lease is not None
    fence = Fence(
        project="default", study=RUNNING, trial=running.number, attempt=running.attempt, lease=running.lease.token
    )
    (given,) = claim(ensemble, running.lease.worker)
    assert given.fence == fence
    assert report(ensemble, fence, *the_curve(given)[3:5]).action == "continue"
    assert len(upgraded.curve(study.id, running.number)) == 5


def test_a_running_study_goes_on_to_its_end(upgraded: Store, clock: Clock) -> None:
    ensemble = Ensemble(upgraded, clock, LEASE_SECONDS)
    ensemble.start()
    _, trials = upgraded.load_study(upgraded.find_study("default", RUNNING).id)
    (waiting,) = [trial for trial in trials if trial.state is TrialState.QUEUED]
    first = claim_one(ensemble, "dan", studies=[RUNNING])
    assert (first.fence.trial, first.fence.attempt) == (waiting.number, waiting.attempt + 1)
    finish(ensemble, first)
    clock.advance(LEASE_SECONDS + 1)
    ensemble.tick()
    while given := claim(ensemble, "dan", studies=[RUNNING]):
        finish(ensemble, given[0])
    study: Study = upgraded.find_study("default", RUNNING)
    assert study.state is StudyState.COMPLETED
    assert upgraded.counts(study.id)[TrialState.COMPLETED] == BUDGET
    assert len(trials_of(upgraded, f"default/{RUNNING}")) == BUDGET
