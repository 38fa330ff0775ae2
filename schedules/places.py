"""Where each part of a schedule stands in a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from schedules.base import Schedule
from schedules.joins import Cooldown, Product, Restarts, Sequence, Warmup

Where = tuple[str | int, ...]
"""A path into a recipe, such as ``("schedule", "then")``."""


@dataclass(frozen=True)
class Place:
    """A part of a schedule, or the whole of it, and the run that it sees.

    Attributes:
        where: its path, from the recipe on.
        horizon: updates of its own run; below 1 where the parts around it leave it none.
    """

    schedule: Schedule
    where: Where
    horizon: int


def places(schedule: Schedule, where: Where, horizon: int) -> Iterator[Place]:
    """Iterate over a schedule and all that it is made of, the whole first.

    What restarts stands there once, in its shortest cycle.
    """
    yield Place(schedule, where, horizon)
    for part, step, length in _parts(schedule, horizon):
        yield from places(part, (*where, *step), length)


def _parts(schedule: Schedule, horizon: int) -> Iterator[tuple[Schedule, Where, int]]:
    match schedule:
        case Warmup():
            yield schedule.then, ("then",), horizon - schedule.updates(horizon)
        case Cooldown():
            yield schedule.first, ("first",), schedule.decay_start(horizon)
        case Restarts():
            yield schedule.then, ("then",), _shortest(schedule.bounds(horizon))
        case Sequence():
            for number, (begin, end) in enumerate(pairwise(schedule.bounds(horizon))):
                yield schedule.schedules[number], ("schedules", number), end - begin
        case Product():
            for number, part in enumerate(schedule.schedules):
                yield part, ("schedules", number), horizon
        case _:
            pass


def _shortest(bounds: tuple[int, ...]) -> int:
    return min((end - begin for begin, end in pairwise(bounds)), default=0)
