"""What the driver reports becomes a sentence that says what to do, with the driver's error as its cause."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import exc, make_url, text

from search.errors import SearchError, Unavailable
from service.store import DatabaseUnreachable, DiskFull, Store, WrongSchema, open_store
from tests.store.stored import a_trial, an_attempt, commit_trials, some_study


@pytest.mark.parametrize(
    "url, message",
    [
        ("nonsense", "the database URL cannot be read: it should look like sqlite:///etude.db or postgresql"),
        ("mysql://localhost/etude", "there is no support for 'mysql' databases: use sqlite or postgresql"),
        ("sqlite://", "names no file: SQLite in memory would be gone with the process"),
        ("sqlite:///:memory:", "names no file: SQLite in memory would be gone with the process"),
        ("sqlite:////nowhere/at/all.db", "its directory must exist and this user must be allowed to write there"),
        ("postgresql://u:secret@127.0.0.1:1/etude", r"does not answer .* is it running, and reachable from here"),
    ],
)
def test_a_database_that_is_not_there_is_refused_with_what_to_do(url: str, message: str) -> None:
    with pytest.raises(DatabaseUnreachable, match=message) as refused:
        open_store(url)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etude.db").write_text("my notes " * 1000)
    with pytest.raises(DatabaseUnreachable, match=r"etude\.db is not a SQLite database: name another file"):
        open_store(f"sqlite:///{tmp_path / 'etude.db'}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any file")
def test_a_read_only_file_is_refused_at_the_first_write(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    Path(str(make_url(sqlite_url).database)).chmod(0o400)
    with pytest.raises(DatabaseUnreachable, match="is read-only for this user"):
        store.lead("tests", 60)
    store.close()


@pytest.mark.postgres
def test_a_postgresql_database_that_was_never_created_is_named(postgres_url: str) -> None:
    missing = make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(DatabaseUnreachable, match="does not exist: create it, for example with: createdb nowhere"):
        open_store(missing)


@pytest.fixture
def small_store(sqlite_url: str) -> Iterator[Store]:
    """A SQLite store whose disk has room for a few pages more."""
    store = open_store(sqlite_url)
    store.lead("tests", 3600)
    yield store
    store.close()


def test_a_full_disk_is_said_and_nothing_is_half_written(small_store: Store) -> None:
    study = some_study(small_store)
    with small_store.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages + 4}"))
    large = a_trial(0, log="x" * 60_000)
    with pytest.raises(DiskFull, match=r"etude\.db cannot be written .*: free space on its disk") as refused:
        commit_trials(small_store, study, large)
    assert isinstance(refused.value.__cause__, exc.OperationalError)
    assert small_store.load_study(study.id) == (study, [])
    with small_store.engine.connect() as connection:
        connection.execute(text(f"PRAGMA max_page_count = {pages + 4000}"))
    commit_trials(small_store, study, large)
    assert small_store.trial(study.id, 0) == large


def test_a_file_that_another_program_locks_is_unavailable(sqlite_url: str) -> None:
    store, other = open_store(sqlite_url), open_store(sqlite_url)
    store.lead("tests", 3600)
    with store.engine.connect() as connection:
        connection.connection.execute("PRAGMA busy_timeout = 1")
    with other.engine.connect() as connection:
        connection = connection.execution_options(etude_writes=True)
        with connection.begin(), pytest.raises(Unavailable, match="stayed locked by another program: send the request"):
            some_study(store)
    some_study(store)
    store.close()
    other.close()


@pytest.mark.postgres
def test_a_connection_lost_between_statements_changes_nothing(postgres_url: str) -> None:
    store = open_store(postgres_url)
    store.lead("tests", 3600)
    study = some_study(store)
    _end_the_connection(store, on="INSERT ON etude_trials", deferred=False)
    with pytest.raises(Unavailable, match="does not answer") as lost:
        commit_trials(store, study, a_trial(0))
    assert isinstance(lost.value.__cause__, exc.DBAPIError)
    assert store.load_study(study.id) == (study, [])
    store.close()


@pytest.mark.postgres
def test_a_connection_lost_during_commit_leaves_the_fate_open_and_says_so(postgres_url: str) -> None:
    store = open_store(postgres_url)
    store.lead("tests", 3600)
    study = some_study(store)
    _end_the_connection(store, on="INSERT ON etude_trials", deferred=True)
    with pytest.raises(Unavailable, match="lost during a commit: whether it was written is not known") as lost:
        commit_trials(store, study, a_trial(0))
    assert isinstance(lost.value.__cause__, exc.DBAPIError)
    assert store.find_study("default", "first") == study
    store.close()


def _end_the_connection(store: Store, *, on: str, deferred: bool) -> None:
    when = "DEFERRABLE INITIALLY DEFERRED" if deferred else "NOT DEFERRABLE"
    with store.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION end_it() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
            )
        )
        connection.execute(
            text(f"CREATE CONSTRAINT TRIGGER ending AFTER {on} {when} FOR EACH ROW EXECUTE FUNCTION end_it()")
        )


@pytest.mark.postgres
def test_the_store_goes_on_after_the_server_dropped_its_connections(postgres_url: str) -> None:
    store, killer = open_store(postgres_url), open_store(postgres_url)
    store.lead("tests", 3600)
    with killer.engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert some_study(store).name == "first"
    store.close()
    killer.close()


def test_every_error_of_the_store_is_one_of_the_search(store: Store) -> None:
    study = some_study(store)
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE etude_attempts"))
    with pytest.raises(SearchError, match="etude_attempts"):
        commit_trials(store, study, a_trial(0), attempts=(an_attempt(0),))


@pytest.mark.parametrize("found", ["v3.0.0.d", "v9.9.9.a"])
def test_optuna_tables_of_another_version_are_refused(database_url: str, found: str) -> None:
    store = open_store(database_url)
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{found}'"))
    store.close()
    with pytest.raises(
        WrongSchema, match=f"at schema {found}, and this Etude writes v3.2.0.a: for an older schema run"
    ):
        open_store(database_url)


def test_tables_of_a_newer_etude_are_refused(database_url: str) -> None:
    store = open_store(database_url)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE etude_alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(WrongSchema, match=r"written by a newer Etude .*revision 9999.*: start that version"):
        open_store(database_url)
