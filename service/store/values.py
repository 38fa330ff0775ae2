"""What the store gives back, beyond the values of the search."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import JsonValue

from search.errors import Unsuitable
from search.protocol import Announcement

LARGEST_PAGE = 1000

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Item]):
    """Part of a list.

    Attributes:
        next_cursor: asks for the next part; ``None`` after the last.
    """

    items: tuple[Item, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True)
class Leadership:
    """The right to write, until another service takes it after ``expires_at``.

    Attributes:
        epoch: grows by one with each change of leader; a leader that sees it grow has to read everything again.
    """

    owner: str
    epoch: int
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class WorkerRecord:
    """A worker that has announced itself."""

    announcement: Announcement
    announced_at: datetime
    seen_at: datetime


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file kept of a trial.

    Attributes:
        kind: what is in it: ``weights``.
        attempt: the attempt that it is of.
    """

    trial: int
    attempt: int
    kind: str
    sha256: str
    size_bytes: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class StoredEvent:
    """An event with its place in the order of all events.

    Attributes:
        id: rises from event to event; later events of a study have larger ids.
    """

    id: int
    at: datetime
    kind: str
    payload: Mapping[str, JsonValue]


def cursor_after(key: int) -> str:
    """Hide the key that a page ended with; what a cursor holds is nobody's business but ours."""
    return base64.urlsafe_b64encode(f"after:{key}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> int:
    """The key that the last page ended with.

    Raises:
        Unsuitable: no list ever gave out this cursor.
    """
    try:
        label, _, key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
        if label == "after" and 0 <= (number := int(key)) < 2**63:
            return number
    except (binascii.Error, ValueError):
        pass
    raise Unsuitable(
        f"the cursor {cursor[:80]!r} was not given out by a list: take next_cursor of the last page as it is",
        where=("cursor",),
        value=cursor[:80],
    )


def check_limit(limit: int) -> None:
    """Refuse pages that are empty or too large.

    Raises:
        Unsuitable: the limit is not in 1 … 1000.
    """
    if not 1 <= limit <= LARGEST_PAGE:
        raise Unsuitable(f"limit is {limit}: it must be 1 to {LARGEST_PAGE}", where=("limit",), value=limit)
