"""Insert rows, or replace those whose key is there already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from service.store.rows import Row


def upsert(connection: Connection, table: Table, rows: Sequence[Row], *, key: Sequence[str] = ()) -> None:
    """Write the rows in one statement; no two of them may have the same key.

    Args:
        key: the columns of the unique constraint, by default the primary key.
    """
    if not rows:
        return
    statement: Any = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    columns = list(key) or [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in columns}
    connection.execute(statement.on_conflict_do_update(index_elements=columns, set_=changed), rows)
