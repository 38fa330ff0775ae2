"""The leader row: who may write, checked in the very transaction that writes."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, select, update

from service.store.errors import NotLeader
from service.store.values import Leadership
from service.tables import leader

_ROW = 1
"""The only row; the first migration puts it there, with a term that is over."""


def check(connection: Connection, leadership: Leadership | None) -> None:
    """Make sure that we still lead, and that nobody takes over before this transaction ends.

    The epoch alone decides: the row stays locked until the transaction ends, and a successor has to change it.
    The expiry only says from when another service may try.

    Raises:
        NotLeader: another service has taken over, or this one never led.
    """
    if leadership is None:
        raise NotLeader("this service does not lead: another one writes to the database")
    row = _read(connection, shared=True)
    if row["epoch"] != leadership.epoch:
        raise NotLeader(
            f"this service led in epoch {leadership.epoch} and was replaced by {row['owner']}: nothing was written"
        )


def take(
    connection: Connection, held: Leadership | None, owner: str, now: datetime, seconds: float, *, others_are_gone: bool
) -> Leadership:
    """Become the leader, or stay it.

    Args:
        others_are_gone: no other process can be alive on this database, so nobody's term is waited for.

    Raises:
        NotLeader: another service leads and its term has not ended.
    """
    row = _read(connection, shared=False)
    expires_at = now + timedelta(seconds=seconds)
    leads_already = held is not None and held.epoch == row["epoch"]
    left = (row["expires_at"] - now).total_seconds()
    if not leads_already and left > 0 and not others_are_gone:
        raise NotLeader(
            f"{row['owner']} leads until {row['expires_at'].isoformat()}: this service stands by",
            retry_after_seconds=left,
        )
    epoch = row["epoch"] if leads_already else row["epoch"] + 1
    connection.execute(
        update(leader).values(owner=owner, epoch=epoch, expires_at=expires_at).where(leader.c.id == _ROW)
    )
    return Leadership(owner=owner, epoch=epoch, expires_at=expires_at)


def step_down(connection: Connection, held: Leadership, now: datetime) -> None:
    """End the term now, so that another service need not wait for its end."""
    connection.execute(update(leader).values(expires_at=now).where(leader.c.id == _ROW, leader.c.epoch == held.epoch))


def _read(connection: Connection, *, shared: bool) -> RowMapping:
    query = select(leader).where(leader.c.id == _ROW).with_for_update(read=shared)
    return connection.execute(query).mappings().one()
