"""Schedules as points: few of them, and those that a picture needs."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise

from schedules.base import PlateauState, Schedule
from schedules.drawing.marks import MarkKind, marks
from schedules.recipe import Recipe

Ask = Callable[[int], float]

_SMOOTH = (MarkKind.CYCLE, MarkKind.KNOT, MarkKind.TURN)


def points(what: Recipe | Schedule, horizon: int, limit: int = 500) -> list[tuple[int, float]]:
    """Return (update, multiplier) pairs that draw the schedule well, by rising update, at most ``limit`` of them.

    A run of at most ``limit`` updates is returned whole. Of a longer one, half lie evenly, some where the schedule
    has marks, and the rest where the multiplier changes most, so that a drop looks like one. A schedule
    that reads a metric is drawn as if there were no reading.

    Raises:
        ValueError: the horizon is below 1 or the limit below 2.
    """
    if horizon < 1:
        raise ValueError(f"a run has at least 1 update, got a horizon of {horizon}")
    if limit < 2:
        raise ValueError(f"a curve needs at least 2 points, got a limit of {limit}")
    return sampled(asking(what, horizon), horizon, limit, corners(what, horizon))


def asking(what: Recipe | Schedule, horizon: int) -> Ask:
    """Return the multiplier as a function of the update alone."""
    multiplier = what.multiplier
    return lambda t: multiplier(t, horizon, None)


def asking_with_readings(schedule: Schedule, horizon: int, readings: Sequence[float]) -> tuple[Ask, list[int]]:
    """Return the multiplier of a schedule that is told these metrics, evenly over the run, and when it is told.

    The last reading comes with the end of the run. A schedule that reads no metric is not changed by them.
    """
    state = schedule.start()
    told: list[int] = [0]
    states: list[PlateauState | None] = [state]
    for number, metric in enumerate(readings, start=1):
        told.append(number * horizon // len(readings))
        state = None if state is None else schedule.observe(state, metric, told[-1], horizon)
        states.append(state)
    return lambda t: schedule.multiplier(t, horizon, states[bisect_right(told, t) - 1]), told


def corners(what: Recipe | Schedule, horizon: int) -> list[int]:
    """Return the updates at which the schedule may turn or jump; of a jump also the update before."""
    found = {(mark.update, mark.kind) for mark in marks(what, horizon)}
    return sorted({t for update, kind in found for t in ((update,) if kind in _SMOOTH else (update - 1, update))})


def sampled(ask: Ask, horizon: int, limit: int, corners: Sequence[int] = ()) -> list[tuple[int, float]]:
    """Return at most ``limit`` (update, answer) pairs of a run, by rising update; both are checked by the caller."""
    if horizon <= limit:
        return [(t, ask(t)) for t in range(horizon)]
    n_even = max(limit // 2, 2)
    wanted = [i * (horizon - 1) // (n_even - 1) for i in range(n_even)]
    n_corners = limit - n_even
    wanted += corners[:: math.ceil(len(corners) / n_corners)] if n_corners and corners else []
    known = {t: ask(t) for t in wanted if t < horizon}
    _refine(ask, known, limit)
    return sorted(known.items())


def _refine(ask: Ask, known: dict[int, float], limit: int) -> None:
    """Halve the gap with the largest change until there are ``limit`` points."""
    gaps = [(-abs(known[b] - known[a]), a, b) for a, b in pairwise(sorted(known)) if b - a > 1]
    heapq.heapify(gaps)
    while gaps and len(known) < limit:
        change, a, b = heapq.heappop(gaps)
        if change == 0:
            break
        middle = (a + b) // 2
        known[middle] = ask(middle)
        for left, right in ((a, middle), (middle, b)):
            if right - left > 1:
                heapq.heappush(gaps, (-abs(known[right] - known[left]), left, right))
