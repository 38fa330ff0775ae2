"""The tables: Optuna's made by Optuna, ours by our migrations, both once and before anybody works."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import alembic.command
import alembic.config
import optuna
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from service.lockfile import LockHeld, hold
from service.store.engine import reading, writing
from service.store.errors import DatabaseInUse, DatabaseUnreachable, WrongSchema, translated

OPTUNA_HEAD = "v3.2.0.a"
"""The one version of Optuna's schema that the store writes."""

VERSION_TABLE = "etude_alembic_version"

_MIGRATIONS = Path(__file__).parent.parent / "migrations"
_ADVISORY_LOCK = 0x65747564
"""Of PostgreSQL: "etud" in ASCII."""


def prepare(engine: Engine) -> None:
    """Bring the database to this version's tables, or say why that cannot be.

    Raises:
        WrongSchema: the tables belong to another version of Optuna or of Etude.
        DatabaseInUse: another service holds the SQLite file, whose tables are not this version's.
        Unavailable: the database cannot be reached.
    """
    if _is_current(engine):
        return
    with translated(engine.url), _alone(engine):
        _create_optuna_tables(engine)
        _check_optuna_head(engine)
        with writing(engine) as connection:
            _migrate(connection)


def lock_path(engine: Engine) -> Path:
    """Where the lock of a SQLite database stands: beside it."""
    return Path(f"{engine.url.database}.lock")


def _is_current(engine: Engine) -> bool:
    with reading(engine) as connection:
        names = set(inspect(connection).get_table_names())
        if VERSION_TABLE not in names or "alembic_version" not in names:
            return False
        found = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    _check_optuna_head(engine)
    scripts = ScriptDirectory(str(_MIGRATIONS))
    known = {script.revision for script in scripts.walk_revisions()}
    if found is not None and found not in known:
        raise WrongSchema(
            f"the database was written by a newer Etude (its tables are at revision {found}): start that version, "
            "or name another database"
        )
    return found == scripts.get_current_head()


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


def _check_optuna_head(engine: Engine) -> None:
    with reading(engine) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != OPTUNA_HEAD:
        raise WrongSchema(
            f"the Optuna tables in the database are at schema {found}, and this Etude writes {OPTUNA_HEAD}: for an "
            "older schema run: optuna storage upgrade --storage URL; for a newer one install the Etude that fits it"
        )


def _migrate(connection: Connection) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = alembic.config.Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")
