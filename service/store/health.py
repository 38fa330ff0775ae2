"""What a database says of itself, for the doctor: nothing is made or changed but the journal mode, as ever."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, select, text

from service.lockfile import LockHeld, find_holder
from service.store.engine import connect, parse, reading
from service.store.schema import lock_path
from service.tables import leader


@dataclass(frozen=True)
class Health:
    """What a database that answers says of itself.

    Attributes:
        product: its name and version.
        size_bytes: of all that is stored in it.
        now: its own clock; None for SQLite, which has none.
        journal: SQLite's journal mode; empty for others.
        synchronous: SQLite's level of certainty: 2 is FULL.
        writable: whether this user may write to Etude's tables.
        held_by: which service works with it, in words; None when there is none.
    """

    product: str
    size_bytes: int
    writable: bool
    held_by: str | None
    now: datetime | None = None
    journal: str = ""
    synchronous: int | None = None


def ask_health(url: str) -> Health:
    """Ask a database with this version's tables how it is.

    Raises:
        Unavailable: it cannot be reached or read.
    """
    engine = connect(parse(url))
    try:
        with reading(engine) as connection:
            if engine.dialect.name == "sqlite":
                return _sqlite(connection, Path(engine.url.database or ""), lock_path(engine))
            return _postgresql(connection)
    finally:
        engine.dispose()


def _sqlite(connection: Connection, file: Path, lock: Path) -> Health:
    def pragma(name: str) -> object:
        return connection.execute(text(f"PRAGMA {name}")).scalar_one()

    version = connection.execute(text("SELECT sqlite_version()")).scalar_one()
    held = find_holder(lock)
    return Health(
        product=f"SQLite {version}",
        size_bytes=sum(_size(Path(f"{file}{suffix}")) for suffix in ("", "-wal")),
        writable=_is_writable(file),
        held_by=None if held is None else _service(held),
        journal=str(pragma("journal_mode")),
        synchronous=int(str(pragma("synchronous"))),
    )


def _service(held: LockHeld) -> str:
    return "a service" if held.pid is None else f"the service in process {held.pid}"


def _postgresql(connection: Connection) -> Health:
    row = connection.execute(select(leader)).mappings().one()
    now = connection.execute(text("SELECT clock_timestamp()")).scalar_one().astimezone(UTC)
    writable = "SELECT bool_and(has_table_privilege(oid, 'INSERT, UPDATE, DELETE')) FROM pg_class WHERE relname = :name"
    return Health(
        product=f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar_one()}",
        size_bytes=connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one(),
        writable=bool(connection.execute(text(writable), {"name": leader.name}).scalar_one()),
        held_by=f"the service {row['owner']}" if row["expires_at"] > now else None,
        now=now,
    )


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _is_writable(file: Path) -> bool:
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
