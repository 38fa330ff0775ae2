"""A count of what a service writes to its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, event

from service.store import Store
from service.store.engine import WRITES
from tests.store.stored import Cost


@contextmanager
def counting_writes(store: Store) -> Iterator[Cost]:
    """Count the transactions that write, and the statements inside them."""
    cost = Cost()

    def count_statement(connection: Connection, *_: object) -> None:
        cost.statements += bool(connection.get_execution_options().get(WRITES))

    def count_commit(connection: Connection) -> None:
        cost.transactions += bool(connection.get_execution_options().get(WRITES))

    event.listen(store.engine, "before_cursor_execute", count_statement)
    event.listen(store.engine, "commit", count_commit)
    try:
        yield cost
    finally:
        event.remove(store.engine, "before_cursor_execute", count_statement)
        event.remove(store.engine, "commit", count_commit)
