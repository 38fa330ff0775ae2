"""Write many rows by one statement, past what SQLAlchemy does for each row.

psycopg sends a message for each row of a batch, which costs more than to write it. To PostgreSQL the rows of a batch go
as one JSON document, which the server unpacks by the types of the table's columns. SQLite takes rows one by one at no
such price, and does not read every number in JSON exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from sqlalchemy import JSON, Connection, Dialect, Table

from service.store.rows import Row

_ROWS: TypeAdapter[list[Any]] = TypeAdapter(list[Any], config=ConfigDict(ser_json_inf_nan="strings"))


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows."""
    if rows:
        _write(connection, table, rows, _inserting(connection, table, rows))


def upsert(connection: Connection, table: Table, rows: Sequence[Row], *, key: tuple[str, ...] = ()) -> None:
    """Insert the rows, or replace those whose key is there already; no two of them may have the same key.

    Args:
        key: the columns of the unique constraint, by default the primary key.
    """
    if rows:
        key = key or tuple(column.name for column in table.primary_key)
        changed = ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in rows[0] if name not in key)
        replacing = f" ON CONFLICT ({_listed(key)}) DO UPDATE SET {changed}"
        _write(connection, table, rows, _inserting(connection, table, rows) + replacing)


def change(connection: Connection, table: Table, rows: Sequence[Row], *, key: tuple[str, ...]) -> None:
    """Change the rows with these whole numbers as key; one that is not there is not added."""
    if not rows:
        return
    own, changed = f"UPDATE {table.name} SET ", [name for name in rows[0] if name not in key]
    if connection.dialect.name != "postgresql":
        to_values = ", ".join(f'"{name}" = :{name}' for name in changed)
        same = " AND ".join(f'"{name}" = :{name}' for name in key)
        _write(connection, table, rows, f"{own}{to_values} WHERE {same}")
        return
    to_values = ", ".join(f'"{name}" = new."{name}"' for name in changed)
    # Not knowing how many rows the document holds, the planner would read the whole table to find them.
    ends = {name: (min(row[name] for row in rows), max(row[name] for row in rows)) for name in key}
    near = " AND ".join(
        f'{table.name}."{name}" = new."{name}" AND {table.name}."{name}" BETWEEN {int(least)} AND {int(most)}'
        for name, (least, most) in ends.items()
    )
    _write(connection, table, rows, f"{own}{to_values} FROM {_unpacked(table)} AS new WHERE {near}")


def _inserting(connection: Connection, table: Table, rows: Sequence[Row]) -> str:
    into = f"INSERT INTO {table.name} ({_listed(rows[0])})"
    if connection.dialect.name == "postgresql":
        return f"{into} SELECT {_listed(rows[0])} FROM {_unpacked(table)} AS new"
    return f"{into} VALUES ({', '.join(f':{name}' for name in rows[0])})"


def _write(connection: Connection, table: Table, rows: Sequence[Row], statement: str) -> None:
    processors = _processors(table, connection.dialect, tuple(rows[0])).items()
    rows = [row | {name: process(row[name]) for name, process in processors} for row in rows]
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(statement, {"rows": _ROWS.dump_json(list(rows)).decode()})
    else:
        connection.exec_driver_sql(statement, list(rows))


@lru_cache
def _processors(table: Table, dialect: Dialect, names: tuple[str, ...]) -> dict[str, Any]:
    """What the columns' types make of a value before the driver sees it; JSON stays as it is, within JSON."""
    is_document = dialect.name == "postgresql"
    types = {name: table.c[name].type for name in names}
    made = {
        name: own.dialect_impl(dialect).bind_processor(dialect)
        for name, own in types.items()
        if not (is_document and isinstance(own, JSON))
    }
    return {name: process for name, process in made.items() if process is not None}


def _listed(names: Row | Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _unpacked(table: Table) -> str:
    return f"json_populate_recordset(CAST(NULL AS {table.name}), CAST(%(rows)s AS json))"
