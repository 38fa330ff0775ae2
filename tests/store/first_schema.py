"""A database as the first released schema left it, with studies at work in it.

``first_schema.json`` was written by the code of that release, which played four studies: the rows of all tables,
Optuna's too, and what its store read of them. Rows are put in as they are, on either kind of database.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import optuna
from optuna.distributions import BaseDistribution, distribution_to_json
from pydantic import BaseModel
from sqlalchemy import Connection, DateTime, MetaData, Table, delete, insert, inspect, text

import service.migrations
from service.store.engine import connect, parse, writing

FIRST = "0001"
PLAYED: dict[str, Any] = json.loads((Path(__file__).parent / "first_schema.json").read_text())
NOW = datetime.fromisoformat(PLAYED["now"])
"""When the last service of that release was stopped."""


def load(url: str, revision: str = FIRST) -> None:
    """Fill an empty database with what the first release left."""
    engine = connect(parse(url))
    storage = optuna.storages.RDBStorage(url)
    storage.remove_session()
    storage.engine.dispose()
    with writing(engine) as connection:
        _migrate(connection, revision)
    tables = MetaData()
    tables.reflect(engine)
    with writing(engine) as connection:
        # The migrations and Optuna have put rows of their own into some tables.
        for table in reversed(tables.sorted_tables):
            connection.execute(delete(table))
        for table in tables.sorted_tables:
            _fill(connection, table)
    engine.dispose()


def stamp(url: str, revision: str) -> None:
    """Have the tables of a database say that they are at some revision."""
    engine = connect(parse(url))
    with writing(engine) as connection:
        connection.execute(text("UPDATE etude_alembic_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()


def _migrate(connection: Connection, revision: str) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(service.migrations.__file__).parent))
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, revision)


def _fill(connection: Connection, table: Table) -> None:
    stored = PLAYED["tables"][table.name]
    assert stored["columns"] == [column.name for column in table.columns], "the first schema is frozen"
    times = {column.name for column in table.columns if isinstance(column.type, DateTime)}
    rows = [dict(zip(stored["columns"], row, strict=True)) for row in stored["rows"]]
    for row in rows:
        row |= {name: datetime.fromisoformat(row[name]) for name in times if row[name] is not None}
    if not rows:
        return
    connection.execute(insert(table), rows)
    if connection.dialect.name == "postgresql":
        _count_on(connection, table)


def _count_on(connection: Connection, table: Table) -> None:
    """Let the database's own ids go on after those that were put in."""
    for column in inspect(connection).get_columns(table.name):
        if "nextval" in str(column["default"]):
            last = f"SELECT setval(pg_get_serial_sequence(:table, :column), max({column['name']})) FROM {table.name}"
            connection.execute(text(last), {"table": table.name, "column": column["name"]})


def told(value: object) -> Any:
    """A value of the search in plain JSON, as the first release wrote down what it read."""
    match value:
        case BaseModel():
            return value.model_dump(mode="json")
        case BaseDistribution():
            return json.loads(distribution_to_json(value))
        case Enum():
            return value.value
        case datetime():
            return value.isoformat()
        case Mapping():
            return {str(key): told(each) for key, each in value.items()}
        case list() | tuple():
            return [told(each) for each in value]
        case _ if dataclasses.is_dataclass(value):
            return {field.name: told(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            return value


def lost(before: Any, after: Any, place: str = "") -> list[str]:
    """The places at which a value is not what it was; what a later version adds beside it is not lost."""
    match before, after:
        case dict(), dict():
            missing = [f"{place}.{key}" for key in before.keys() - after.keys()]
            common = before.keys() & after.keys()
            return missing + [where for key in common for where in lost(before[key], after[key], f"{place}.{key}")]
        case list(), list() if len(before) == len(after):
            pairs = enumerate(zip(before, after, strict=True))
            return [where for index, (one, other) in pairs for where in lost(one, other, f"{place}[{index}]")]
        case _:
            return [] if type(before) is type(after) and before == after else [f"{place}: {before!r} is {after!r}"]
