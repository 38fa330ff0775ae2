"""The tables: Optuna's made by Optuna, ours by our migrations, both once and before anybody works."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import alembic.command
import alembic.config
import optuna
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, select, text

from service.lockfile import LockHeld, hold
from service.store.engine import reading, writing
from service.store.errors import DatabaseInUse, DatabaseUnreachable, WrongSchema, translated
from service.tables import leader

OPTUNA_HEAD = "v3.2.0.a"
"""The one version of Optuna's schema that the store writes."""

VERSION_TABLE = "etude_alembic_version"

_log = logging.getLogger(__name__)

_MIGRATIONS = Path(__file__).parent.parent / "migrations"
_ADVISORY_LOCK = 0x65747564
"""Of PostgreSQL: "etud" in ASCII."""


@dataclass(frozen=True)
class Revisions:
    """At which revision the tables of a database are, and which one this version writes.

    Attributes:
        found: of Etude's tables; None where there are none.
        optuna_found: of Optuna's tables; None where there are none.
        is_newer: Etude's tables were written by a version that this one does not know.
    """

    found: str | None
    wanted: str
    optuna_found: str | None
    is_newer: bool
    optuna_wanted: str = OPTUNA_HEAD

    @property
    def fit(self) -> bool:
        """Whether this version can work with the tables as they are."""
        return (self.found, self.optuna_found) == (self.wanted, self.optuna_wanted)

    @property
    def refusal(self) -> str | None:
        """Why no upgrade of ours makes the tables fit, and what to do; None where one does."""
        if self.is_newer:
            return (
                f"the database was written by a newer Etude (its tables are at revision {self.found}): start that "
                "version, or name another database"
            )
        if self.optuna_found not in (None, self.optuna_wanted):
            return (
                f"the Optuna tables in the database are at schema {self.optuna_found}, and this Etude writes "
                f"{self.optuna_wanted}: for an older schema run: optuna storage upgrade --storage URL; for a newer "
                "one install the Etude that fits it"
            )
        return None


def look(engine: Engine) -> Revisions:
    """Read at which revision the tables are.

    Raises:
        Unavailable: the database cannot be reached.
    """
    with reading(engine) as connection:
        optuna_found = MigrationContext.configure(connection).get_current_revision()
        ours = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        found = ours.get_current_revision()
    scripts = ScriptDirectory(str(_MIGRATIONS))
    known = {script.revision for script in scripts.walk_revisions()}
    return Revisions(
        found=found,
        wanted=scripts.get_current_head() or "",
        optuna_found=optuna_found,
        is_newer=found is not None and found not in known,
    )


def prepare(engine: Engine, now: datetime) -> Revisions:
    """Bring the database to this version's tables, or say why that cannot be; how they were before.

    Raises:
        WrongSchema: the tables belong to another version of Optuna or of Etude.
        DatabaseInUse: the tables are not this version's, and another service works with them.
        Unavailable: the database cannot be reached.
    """
    before = _checked(look(engine))
    if before.fit:
        return before
    with translated(engine.url), _alone(engine):
        before = _checked(look(engine))
        if before.fit:
            return before
        _create_optuna_tables(engine)
        _checked(look(engine))
        with writing(engine) as connection:
            if before.found is not None:
                _refuse_while_led(connection, now)
            _migrate(connection)
    if before.found is not None:
        _log.warning("the tables of the database were brought from revision %s to %s", before.found, before.wanted)
    return before


def lock_path(engine: Engine) -> Path:
    """Where the lock of a SQLite database stands: beside it."""
    return Path(f"{engine.url.database}.lock")


def _checked(found: Revisions) -> Revisions:
    """Refuse tables that no upgrade of ours makes fit."""
    if found.refusal is not None:
        raise WrongSchema(found.refusal)
    return found


def _refuse_while_led(connection: Connection, now: datetime) -> None:
    """Refuse to change tables under a service that writes to them; on SQLite the lock beside the file has told."""
    # These columns only: the tables are older than those that this version knows.
    query = select(leader.c.owner, leader.c.expires_at).with_for_update()
    row = connection.execute(query).mappings().one()
    if connection.dialect.name == "postgresql" and row["expires_at"] > now:
        raise DatabaseInUse(
            f"the database is in use by another service ({row['owner']}, which leads until "
            f"{row['expires_at'].isoformat()}), and its tables are not this version's: stop that service first"
        )


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Keep every other process from making tables meanwhile: two at once fail on PostgreSQL and on SQLite."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
            connection.commit()
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_LOCK})
                connection.commit()
        return
    try:
        lock = hold(lock_path(engine))
    except LockHeld as error:
        raise DatabaseInUse(
            f"the database file {engine.url.database} is in use by another service ({error}), and its tables are not "
            "this version's: stop that service first"
        ) from error
    except OSError as error:
        raise DatabaseUnreachable(
            f"the lock beside the database file cannot be made ({error}): its directory must exist and be writable"
        ) from error
    try:
        yield
    finally:
        lock.let_go()


def _create_optuna_tables(engine: Engine) -> None:
    try:
        storage = optuna.storages.RDBStorage(engine.url.render_as_string(hide_password=False))
    except RuntimeError as error:
        raise WrongSchema(
            f"the Optuna tables in the database do not fit the installed Optuna {optuna.__version__}: {error}"
        ) from error
    except optuna.exceptions.StorageInternalError as error:
        raise DatabaseUnreachable(f"Optuna's tables cannot be made in the database: {error.__cause__}") from error
    storage.remove_session()
    storage.engine.dispose()


def _migrate(connection: Connection) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = alembic.config.Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")
