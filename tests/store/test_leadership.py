"""Who may write: one leader, by a row that every writing transaction checks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from search.errors import Unavailable
from search.protocol import Announcement
from search.study import Study
from service.store import DatabaseInUse, NotLeader, Store, open_store
from tests.store.conftest import HandClock
from tests.store.stored import NOW, a_trial, commit_trials, counting, some_study

OpenStore = Callable[[str], Store]


@pytest.fixture
def opened(clock: HandClock) -> Iterator[OpenStore]:
    """Open stores that are closed when the test ends."""
    with ExitStack() as stack:

        def open_one(url: str) -> Store:
            store = open_store(url, clock=clock)
            stack.callback(store.close)
            return store

        yield open_one


WRITES: list[Callable[[Store, Study], object]] = [
    lambda store, study: some_study(store, "another"),
    lambda store, study: commit_trials(store, study, a_trial(0)),
    lambda store, study: store.delete_study(study.id),
    lambda store, study: store.announce(Announcement(worker="w"), NOW),
    lambda store, study: store.seen("w", NOW),
]


@pytest.mark.parametrize("write", WRITES, ids=["create", "commit", "delete", "announce", "seen"])
def test_who_never_led_writes_nothing(
    database_url: str, opened: OpenStore, write: Callable[[Store, Study], object]
) -> None:
    leader, bystander = opened(database_url), opened(database_url)
    leader.lead("leader", 30)
    study = some_study(leader)
    with pytest.raises(NotLeader, match="this service does not lead"):
        write(bystander, study)
    assert leader.studies("default").items == (study,)
    assert leader.load_study(study.id) == (study, [])
    assert leader.workers() == []


@pytest.mark.postgres
@pytest.mark.parametrize("write", WRITES, ids=["create", "commit", "delete", "announce", "seen"])
def test_a_leader_that_slept_through_a_takeover_writes_nothing(
    postgres_url: str, opened: OpenStore, clock: HandClock, write: Callable[[Store, Study], object]
) -> None:
    old, new = opened(postgres_url), opened(postgres_url)
    old.lead("old", 30)
    study = some_study(old)
    clock.forward(31)
    assert new.lead("new", 30).epoch == 2
    with pytest.raises(NotLeader, match="led in epoch 1 and was replaced by new: nothing was written"):
        write(old, study)
    assert new.load_study(study.id) == (study, [])
    assert new.studies("default").items == (study,)
    assert new.workers() == []


@pytest.mark.postgres
def test_a_second_service_on_postgresql_stands_by_until_the_term_has_ended(
    postgres_url: str, opened: OpenStore, clock: HandClock
) -> None:
    first, second = opened(postgres_url), opened(postgres_url)
    first.lead("first", 30)
    clock.forward(29)
    with pytest.raises(NotLeader, match=r"first leads until 2026-03-29T00:30:30.*this service stands by") as refused:
        second.lead("second", 30)
    assert refused.value.retry_after_seconds == 1
    clock.forward(1)
    taken = second.lead("second", 30)
    assert (taken.owner, taken.epoch) == ("second", 2)


@pytest.mark.postgres
def test_a_replaced_leader_may_lead_again_in_a_new_epoch_only(
    postgres_url: str, opened: OpenStore, clock: HandClock
) -> None:
    old, new = opened(postgres_url), opened(postgres_url)
    old.lead("old", 30)
    clock.forward(31)
    new.lead("new", 30)
    with pytest.raises(NotLeader, match="new leads until"):
        old.lead("old", 30)
    clock.forward(31)
    assert old.lead("old", 30).epoch == 3


@pytest.mark.postgres
def test_a_service_that_stands_by_answers_questions(postgres_url: str, opened: OpenStore) -> None:
    leader, bystander = opened(postgres_url), opened(postgres_url)
    leader.lead("leader", 30)
    study = some_study(leader)
    commit_trials(leader, study, a_trial(0))
    assert bystander.trial(study.id, 0) == a_trial(0)


@pytest.mark.postgres
def test_who_steps_down_need_not_be_waited_for(postgres_url: str, opened: OpenStore) -> None:
    first, second = opened(postgres_url), opened(postgres_url)
    first.lead("first", 30)
    first.step_down()
    assert second.lead("second", 30).epoch == 2
    with pytest.raises(NotLeader, match="this service does not lead"):
        some_study(first)


def test_a_second_service_on_one_sqlite_file_is_refused(
    sqlite_url: str, opened: OpenStore, clock: HandClock, tmp_path: Path
) -> None:
    first, second = opened(sqlite_url), opened(sqlite_url)
    first.lead("first", 30)
    clock.forward(3600)
    with pytest.raises(
        DatabaseInUse, match=r"the database file .*etude\.db is in use by another service .* stop it, or"
    ):
        second.lead("second", 30)
    some_study(first)


def test_a_file_that_its_service_has_left_is_led_at_once(sqlite_url: str, opened: OpenStore) -> None:
    first, second = opened(sqlite_url), opened(sqlite_url)
    first.lead("first", 3600)
    first.close()
    assert second.lead("second", 30).epoch == 2


def test_a_service_that_was_killed_keeps_nobody_from_its_file(sqlite_url: str, opened: OpenStore) -> None:
    script = (
        "import os, sys\n"
        "from service.store import open_store\n"
        "open_store(sys.argv[1]).lead('killed', 3600)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, sqlite_url], check=False, timeout=60)
    assert killed.returncode == -9
    assert opened(sqlite_url).lead("next", 30).epoch == 2


def test_to_lead_again_is_to_prolong_the_term(database_url: str, opened: OpenStore, clock: HandClock) -> None:
    store = opened(database_url)
    first = store.lead("leader", 30)
    clock.forward(20)
    second = store.lead("leader", 30)
    assert second.epoch == first.epoch
    assert (second.expires_at - first.expires_at).total_seconds() == 20


def test_a_leader_whose_term_has_ended_goes_on_while_nobody_takes_over(
    database_url: str, opened: OpenStore, clock: HandClock
) -> None:
    store = opened(database_url)
    store.lead("leader", 30)
    clock.forward(3600)
    some_study(store)
    assert store.lead("leader", 30).epoch == 1


def test_a_commit_checks_the_leader_in_its_own_transaction(database_url: str, opened: OpenStore) -> None:
    store = opened(database_url)
    store.lead("leader", 30)
    study = some_study(store)
    with counting(store) as cost:
        commit_trials(store, study, a_trial(0))
    assert cost.transactions == 1


@pytest.mark.postgres
def test_nobody_takes_over_in_the_middle_of_a_writing_transaction(
    postgres_url: str, opened: OpenStore, clock: HandClock
) -> None:
    old, new = opened(postgres_url), opened(postgres_url)
    old.lead("old", 30)
    clock.forward(31)
    event.listen(new.engine, "begin", _wait_for_no_lock)
    with old._changing(), pytest.raises(Unavailable, match="kept a row locked for too long"):
        new.lead("new", 30)


def _wait_for_no_lock(connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL lock_timeout = '1ms'")
