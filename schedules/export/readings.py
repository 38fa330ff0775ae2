"""Which part of a schedule reads a metric, and when."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from schedules.base import Schedule
from schedules.joins import Cooldown, Product, Sequence, Warmup
from schedules.plateau import Plateau


@dataclass(frozen=True)
class Window:
    """Between which updates a plateau counts its readings.

    Attributes:
        begin: updates made from which on a reading counts.
        end: updates made from which on it counts no more; ``None`` if it counts to the end.
    """

    begin: int = 0
    end: int | None = None

    def within(self, begin: int, end: int | None) -> Window:
        """Return this window of a part that begins at ``begin`` of the whole and ends at ``end``."""
        last = None if self.end is None else begin + self.end
        return Window(begin + self.begin, min((each for each in (last, end) if each is not None), default=None))

    def refusal(self, updates: str) -> str:
        """Return the condition under which a reading does not count, as Python; empty if it always does.

        Args:
            updates: the updates made, as Python.
        """
        early = f"{updates} < {self.begin}" if self.begin else ""
        late = "" if self.end is None else f"{updates} >= {self.end}"
        return " or ".join(each for each in (early, late) if each)


def plateau_of(schedule: Schedule, horizon: int) -> tuple[Plateau, Window] | None:
    """Return the plateau somewhere in a schedule, and when its readings count; ``None`` if it has none."""
    if isinstance(schedule, Plateau):
        return schedule, Window()
    for part, length, begin, last in _reading_places(schedule, horizon):
        found = plateau_of(part, length)
        if found is not None:
            return found[0], found[1].within(begin, last)
    return None


def _reading_places(schedule: Schedule, horizon: int) -> list[tuple[Schedule, int, int, int | None]]:
    """Return the parts of a join, each with its length, where it begins, and from where on it hears nothing more."""
    match schedule:
        case Warmup():
            return [(schedule.then, schedule.rest(horizon), schedule.updates(horizon), None)]
        case Cooldown():
            start = schedule.decay_start(horizon)
            return [(schedule.first, start, 0, start + 1)]
        case Product():
            return [(part, horizon, 0, None) for part in schedule.schedules]
        case Sequence():
            bounds = schedule.bounds(horizon)
            ends = (*bounds[1:-1], None)
            return [
                (part, end - begin, begin, last)
                for part, (begin, end), last in zip(schedule.schedules, pairwise(bounds), ends, strict=True)
            ]
        case _:
            return []
