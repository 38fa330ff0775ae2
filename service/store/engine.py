"""Connections: one engine for each database, set up so that writers never upgrade a read lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url

from search.errors import Unavailable
from service.store.errors import DatabaseUnreachable, translated

BUSY_SECONDS = 10
"""How long a statement waits for another one's lock."""

ABANDONED_SECONDS = 30
"""After this long PostgreSQL ends a transaction whose client went silent, and so frees the leader row."""

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="constants"))

WRITES = "etude_writes"
"""Execution option of the connections that write."""


def parse(url: str) -> URL:
    """Read a database URL and name the driver.

    Raises:
        DatabaseUnreachable: the URL cannot be read, or names a database that Etude does not know.
    """
    try:
        parsed = make_url(url)
    except exc.ArgumentError as error:
        raise DatabaseUnreachable(
            "the database URL cannot be read: it should look like sqlite:///etude.db or "
            "postgresql+psycopg://user:password@host/database"
        ) from error
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite_file(parsed)
        case "postgresql" | "postgres":
            return parsed.set(drivername="postgresql+psycopg")
        case other:
            raise DatabaseUnreachable(f"there is no support for {other!r} databases: use sqlite or postgresql+psycopg")


def _sqlite_file(url: URL) -> URL:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise DatabaseUnreachable(
            f"the database URL {url} names no file: SQLite in memory would be gone with the process, and Optuna "
            "could not read it; write sqlite:///path/to/etude.db"
        )
    return url.set(drivername="sqlite", database=str(Path(url.database).absolute()))


def connect(url: URL) -> Engine:
    """Build the engine; nothing is opened yet."""
    if url.get_backend_name() == "sqlite":
        return _connect_sqlite(url)
    defaults = {} if "connect_timeout" in url.query else {"connect_timeout": BUSY_SECONDS}
    engine = create_engine(
        url, pool_pre_ping=True, pool_timeout=BUSY_SECONDS, json_serializer=_json, connect_args=defaults
    )

    @event.listens_for(engine, "connect")
    def limit_waiting(connection: Any, record: object) -> None:
        connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
        connection.execute(f"SET idle_in_transaction_session_timeout = '{ABANDONED_SECONDS}s'")
        connection.commit()

    return engine


def _connect_sqlite(url: URL) -> Engine:
    timeout = {"timeout": BUSY_SECONDS}
    engine = create_engine(url, pool_timeout=BUSY_SECONDS, json_serializer=_json, connect_args=timeout)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        # The driver would open transactions by itself, and only before a write: too late for BEGIN IMMEDIATE.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later fails at once when another one wrote in between.
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _json(value: Any) -> str:
    """Write JSON; a batch of reports has hundreds of small ones, and the standard library is ten times as slow."""
    return _ANYTHING.dump_json(value).decode()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that reads.

    Raises:
        Unavailable: the database cannot be read now.
    """
    with translated(engine.url), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def reading_one_moment(engine: Engine) -> Iterator[Connection]:
    """A connection whose statements all see the database as it was at the first.

    Raises:
        Unavailable: the database cannot be read now.
    """
    with translated(engine.url), engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed when the block ends, rolled back when it raises.

    Raises:
        Unavailable: the database failed; after a lost connection nobody knows whether it had committed.
    """
    with translated(engine.url), engine.connect() as connection:
        connection = connection.execution_options(**{WRITES: True})
        transaction = connection.begin()
        try:
            yield connection
        except BaseException:
            # Where the connection is gone there is nothing to roll back, and the first error says why.
            if not connection.invalidated:
                transaction.rollback()
            raise
        try:
            transaction.commit()
        except exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
            raise Unavailable(
                "the connection to the database was lost during a commit: whether it was written is not known, "
                "so the state is read again; send the request again"
            ) from error
