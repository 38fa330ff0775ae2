"""What all schedules that are made of others have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Self

from pydantic import model_validator

from schedules.base import Mode, PlateauState, Schedule

MOST_DEPTH: Final = 4
"""A schedule may stand in a join in a join in a join, and no deeper."""

MOST_SCHEDULES: Final = 32
"""Schedules that one may be made of, at any depth, itself included."""


class Join(Schedule):
    """A schedule made of others.

    The joins are the places where one part ends and the next begins; each part sees a run of its own, from its
    update 0 to its own horizon. At most one of all parts reads a metric, so that one state serves the whole.
    """

    @model_validator(mode="before")
    @classmethod
    def _is_not_too_much(cls, given: Any) -> Any:
        """Refuse what is nested too deep or too wide before any of it is looked at more closely."""
        kind = cls.model_fields["kind"].default
        n_schedules, seen = 0, [(given, 1)]
        while seen:
            each, depth = seen.pop()
            n_schedules += each.n_schedules if isinstance(each, Schedule) else 1
            depth += each.depth - 1 if isinstance(each, Schedule) else 0
            if depth > MOST_DEPTH:
                raise ValueError(f"schedules may be nested {MOST_DEPTH} deep, and {kind!r} is nested deeper")
            if n_schedules > MOST_SCHEDULES:
                raise ValueError(f"a schedule may be made of {MOST_SCHEDULES} schedules, and {kind!r} is made of more")
            seen.extend((part, depth + 1) for part in (_parts(each) if isinstance(each, dict) else ()))
        return given

    @model_validator(mode="after")
    def _has_one_memory(self) -> Self:
        n_reading = sum(part.start() is not None for part in self.parts)
        if n_reading > 1:
            raise ValueError(f"one part of a schedule may read a metric, got {n_reading} at {self.kind!r}")
        return self

    @property
    def parts(self) -> tuple[Schedule, ...]:
        return tuple(_parts(self.__dict__))

    def start(self) -> PlateauState | None:
        return next((state for part in self.parts if (state := part.start()) is not None), None)

    def with_mode(self, mode: Mode) -> Self:
        return self.model_copy(update={name: _with_mode(value, mode) for name, value in self.__dict__.items()})


def _parts(fields: dict[str, Any]) -> Iterator[Any]:
    """Yield the values that are schedules, or may become some; what lies in a list of lists may not."""
    for value in fields.values():
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, dict | Schedule):
                yield each


def _with_mode(value: Any, mode: Mode) -> Any:
    if isinstance(value, tuple):
        return tuple(_with_mode(each, mode) for each in value)
    return value.with_mode(mode) if isinstance(value, Schedule) else value


def check_part(part: Schedule, horizon: int, where: str) -> None:
    """Check a part against its own run, and say where it stands when it is refused.

    Raises:
        ValueError: the part's run is too short for it.
    """
    try:
        part.check(horizon)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
