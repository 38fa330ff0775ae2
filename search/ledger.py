"""What the conductor changed and somebody must make durable before anybody is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue

from search.protocol import Point
from search.study import Study, Trial


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try of a worker at a trial, as it stands.

    Attributes:
        ending: ``None`` while it runs; then the outcome's kind, ``lost`` or ``released``.
    """

    trial: int
    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime | None = None
    ending: str | None = None
    message: str = ""
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that people who watch a study are told.

    Attributes:
        kind: ``study`` (its state changed) or ``trial`` (a trial's state changed).
    """

    kind: str
    payload: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """All that happened to one study since its changes were last taken: one database transaction.

    Attributes:
        study: the study as it now stands.
        trials: each touched trial as it now stands, new ones included, by rising number.
        points: (trial, attempt, point) of each new evaluation.
    """

    study: Study
    trials: tuple[Trial, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    points: tuple[tuple[int, int, Point], ...] = ()
    events: tuple[Event, ...] = ()
