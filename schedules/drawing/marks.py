"""Where a run changes: the end of a warm-up, restarts, drops, and where one phase ends and the next begins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice, pairwise, repeat

from schedules.averaging import Averaging, CyclicTail, Swa
from schedules.base import Schedule
from schedules.cycles import Cyclic
from schedules.drops import MultiFactor, Step
from schedules.joins import Cooldown, Product, Restarts, Sequence, Warmup
from schedules.knots import Piecewise
from schedules.phases import OneCycle, Wsd
from schedules.recipe import Recipe

MOST_MARKS = 500
"""With more of them nothing is marked: no picture could show them apart."""


class MarkKind(StrEnum):
    """What happens at a mark; the value is how a key names it."""

    WARMUP = "warm-up ends"
    RESTART = "restart"
    CYCLE = "cycle begins"
    DROP = "drop"
    PHASE = "next phase"
    DECAY = "decay begins"
    KNOT = "knot"
    AVERAGING = "averaging begins"
    TURN = "turn"


@dataclass(frozen=True)
class Mark:
    """An update at which something happens: the first to which the new applies."""

    update: int
    kind: MarkKind

    def after(self, updates: int) -> Mark:
        """Return this mark of a part that begins after so many updates of the whole."""
        return Mark(self.update + updates, self.kind)


def marks(what: Recipe | Schedule, horizon: int) -> list[Mark]:
    """Return what happens in a run of ``horizon`` updates, by rising update.

    A schedule that reads a metric drops where its readings say, which nobody knows beforehand: it has no marks.
    """
    schedule = what.schedule if isinstance(what, Recipe) else what
    found = list(islice(_of(schedule, horizon), MOST_MARKS + 1))
    if len(found) > MOST_MARKS:
        found = []
    if isinstance(what, Recipe) and what.averaging is not None:
        found = [*_before_a_tail(found, what.averaging, horizon), *_of_averaging(what.averaging, horizon)]
    inside = {mark for mark in found if 0 < mark.update < horizon}
    return sorted(inside, key=lambda mark: (mark.update, mark.kind))


def _of(schedule: Schedule, horizon: int) -> Iterator[Mark]:
    match schedule:
        case Warmup():
            n_ramp = schedule.updates(horizon)
            yield Mark(n_ramp, MarkKind.WARMUP)
            yield from _part(schedule.then, n_ramp, horizon)
        case Cooldown():
            start = schedule.decay_start(horizon)
            yield from _part(schedule.first, 0, start)
            yield Mark(start, MarkKind.DECAY)
        case Restarts():
            yield from _one_after_the_other(MarkKind.RESTART, repeat(schedule.then), schedule.bounds(horizon))
        case Sequence():
            yield from _one_after_the_other(MarkKind.PHASE, schedule.schedules, schedule.bounds(horizon))
        case Product():
            for part in schedule.schedules:
                yield from _of(part, horizon)
        case _:
            yield from _of_family(schedule, horizon)


def _of_family(schedule: Schedule, horizon: int) -> Iterator[Mark]:
    match schedule:
        case Step() | MultiFactor():
            yield from (Mark(update, MarkKind.DROP) for update in schedule.drops_at(horizon))
        case Cyclic():
            yield from _of_cycles(schedule, horizon)
        case OneCycle():
            yield from (Mark(update, MarkKind.PHASE) for update, _ in schedule.knots(horizon)[1:-1])
        case Wsd():
            yield Mark(schedule.decay_start(horizon), MarkKind.DECAY)
        case Piecewise():
            yield from (Mark(update, MarkKind.KNOT) for update, _ in schedule.placed(horizon)[1:-1])
        case _:
            pass


def _before_a_tail(found: Iterable[Mark], averaging: Averaging, horizon: int) -> Iterator[Mark]:
    """The marks of a schedule as far as it is followed."""
    start = averaging.start(horizon)
    has_tail = averaging.tail_at(start, horizon) is not None
    yield from (mark for mark in found if not has_tail or mark.update < start)


def _of_averaging(averaging: Averaging, horizon: int) -> Iterator[Mark]:
    start = averaging.start(horizon)
    yield Mark(start, MarkKind.AVERAGING)
    match averaging:
        case Swa(tail=CyclicTail()):
            begins = range(start, horizon, averaging.every(horizon))[1:]
            for begin in begins if len(begins) <= MOST_MARKS else ():
                yield Mark(begin - 1, MarkKind.TURN)
                yield Mark(begin, MarkKind.CYCLE)
        case _:
            pass


def _of_cycles(schedule: Cyclic, horizon: int) -> Iterator[Mark]:
    """A cycle need not begin at a whole update, and its peak need not be at one."""
    up, down = schedule.halves(horizon)
    n_cycles = math.ceil(horizon / (up + down))
    for number in range(n_cycles) if n_cycles <= MOST_MARKS else ():
        begin = number * (up + down)
        yield Mark(math.ceil(begin), MarkKind.CYCLE)
        yield from (Mark(turn, MarkKind.TURN) for turn in (math.floor(begin), math.floor(begin + up)))
        yield Mark(math.ceil(begin + up), MarkKind.TURN)


def _one_after_the_other(kind: MarkKind, schedules: Iterable[Schedule], bounds: tuple[int, ...]) -> Iterator[Mark]:
    for schedule, (begin, end) in zip(schedules, pairwise(bounds), strict=False):
        yield Mark(begin, kind)
        yield from _part(schedule, begin, end)


def _part(schedule: Schedule, begin: int, end: int) -> Iterator[Mark]:
    length = end - begin
    if length > 1:
        yield from (mark.after(begin) for mark in _of(schedule, length) if 0 < mark.update < length)
