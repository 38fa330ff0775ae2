"""Write many rows by one statement, built once for each kind of row.

psycopg sends a message for each row of a batch, which costs more than to write it. To PostgreSQL the rows of a batch go
as one JSON document, which the server unpacks by the types of the table's columns. SQLite takes rows one by one at no
such price, and does not read every number in JSON exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from sqlalchemy import JSON, Connection, Dialect, Table, bindparam, insert, text, update
from sqlalchemy.dialects import sqlite

from service.store.rows import Row

_ROWS: TypeAdapter[list[Any]] = TypeAdapter(list[Any], config=ConfigDict(ser_json_inf_nan="strings"))


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _send(connection, table, rows, _inserting(table, tuple(rows[0])))
    else:
        connection.execute(insert(table), rows)


def upsert(connection: Connection, table: Table, rows: Sequence[Row], *, key: tuple[str, ...] = ()) -> None:
    """Insert the rows, or replace those whose key is there already; no two of them may have the same key.

    Args:
        key: the columns of the unique constraint, by default the primary key.
    """
    if not rows:
        return
    names, key = tuple(rows[0]), key or tuple(column.name for column in table.primary_key)
    if connection.dialect.name == "postgresql":
        _send(connection, table, rows, _inserting(table, names) + _or_replacing(key, names))
    else:
        connection.execute(_upserting(table, key, names), rows)


def change(connection: Connection, table: Table, rows: Sequence[Row], *, key: tuple[str, ...]) -> None:
    """Change the rows with these values of the key; one that is not there is not added."""
    if not rows:
        return
    names = tuple(rows[0])
    if connection.dialect.name == "postgresql":
        _send(connection, table, rows, _changing_all(table, key, names), _bounds(rows, key))
    else:
        statement = _changing(table, key, names)
        connection.execute(statement, [{f"to_{name}": value for name, value in row.items()} for row in rows])


@lru_cache
def _upserting(table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Any:
    statement = sqlite.insert(table)
    changed = {name: statement.excluded[name] for name in names if name not in key}
    return statement.on_conflict_do_update(index_elements=list(key), set_=changed)


@lru_cache
def _changing(table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Any:
    given = {name: bindparam(f"to_{name}", type_=table.c[name].type) for name in names}
    return (
        update(table)
        .where(*(table.c[name] == given[name] for name in key))
        .values({name: value for name, value in given.items() if name not in key})
    )


def _send(connection: Connection, table: Table, rows: Sequence[Row], statement: str, bounds: Row | None = None) -> None:
    processors = _processors(table, connection.dialect)
    for name in processors.keys() & rows[0].keys():
        process = processors[name]
        rows = [row | {name: process(row[name])} for row in rows]
    connection.execute(text(statement), {"rows": _ROWS.dump_json(list(rows)).decode(), **(bounds or {})})


@lru_cache
def _processors(table: Table, dialect: Dialect) -> dict[str, Any]:
    """What the columns' types make of a value before the driver sees it; JSON stays as it is, within JSON."""
    made = {
        column.name: column.type.dialect_impl(dialect).bind_processor(dialect)
        for column in table.columns
        if not isinstance(column.type, JSON)
    }
    return {name: process for name, process in made.items() if process is not None}


def _inserting(table: Table, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({_listed(names)}) SELECT {_listed(names)} FROM {_unpacked(table)} AS new"


def _or_replacing(key: tuple[str, ...], names: tuple[str, ...]) -> str:
    changed = ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in names if name not in key)
    return f" ON CONFLICT ({_listed(key)}) DO UPDATE SET {changed}"


def _changing_all(table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> str:
    changed = ", ".join(f'"{name}" = new."{name}"' for name in names if name not in key)
    same = [f'{table.name}."{name}" = new."{name}"' for name in key]
    # Not knowing how many rows the document holds, the planner would read the whole table to find them.
    near = [f'{table.name}."{name}" BETWEEN :least_{name} AND :most_{name}' for name in key]
    return f"UPDATE {table.name} SET {changed} FROM {_unpacked(table)} AS new WHERE {' AND '.join(same + near)}"


def _bounds(rows: Sequence[Row], key: tuple[str, ...]) -> Row:
    least = {f"least_{name}": min(row[name] for row in rows) for name in key}
    return least | {f"most_{name}": max(row[name] for row in rows) for name in key}


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _unpacked(table: Table) -> str:
    return f"json_populate_recordset(CAST(NULL AS {table.name}), CAST(:rows AS json))"
