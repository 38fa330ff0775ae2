"""Write many rows by one statement, built once for each kind of row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert
from sqlalchemy import update as update_
from sqlalchemy.dialects import postgresql, sqlite

from service.store.rows import Row


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows."""
    if rows:
        connection.execute(insert(table), rows)


def upsert(connection: Connection, table: Table, rows: Sequence[Row], *, key: tuple[str, ...] = ()) -> None:
    """Insert the rows, or replace those whose key is there already; no two of them may have the same key.

    Args:
        key: the columns of the unique constraint, by default the primary key.
    """
    if rows:
        columns = key or tuple(column.name for column in table.primary_key)
        connection.execute(_upserting(connection.dialect.name, table, columns, tuple(rows[0])), rows)


def change(connection: Connection, table: Table, rows: Sequence[Row], *, key: tuple[str, ...]) -> None:
    """Change the rows with these values of the key; one that is not there is not added."""
    if rows:
        statement = _changing(table, key, tuple(rows[0]))
        connection.execute(statement, [{f"to_{name}": value for name, value in row.items()} for row in rows])


@lru_cache
def _upserting(dialect: str, table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Any:
    statement: Any = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    changed = {name: statement.excluded[name] for name in names if name not in key}
    return statement.on_conflict_do_update(index_elements=list(key), set_=changed)


@lru_cache
def _changing(table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Any:
    given = {name: bindparam(f"to_{name}", type_=table.c[name].type) for name in names}
    return (
        update_(table)
        .where(*(table.c[name] == given[name] for name in key))
        .values({name: value for name, value in given.items() if name not in key})
    )
