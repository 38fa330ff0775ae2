"""Schedules over many updates at once; the only module of this package that imports numpy.

Each function is its family's ``shape`` or ``multiplier``, operation for operation, for t = 0, 1, 2, ... A scalar call
stays the definition: where ``math`` and numpy round a cosine or a power differently, the two may be apart
by the last bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from schedules.averaging import Averaging
from schedules.base import Schedule, updates_at
from schedules.cycles import Cyclic
from schedules.decays import Cosine, Factor, InverseSqrt, Linear, OneMinusSqrt, Polynomial
from schedules.drops import Constant, MultiFactor, Step
from schedules.joins import Cooldown, Product, Restarts, Sequence, Warmup
from schedules.knots import Piecewise
from schedules.levels import Curve, Descent, Ramp
from schedules.phases import OneCycle, Wsd
from schedules.plateau import Plateau

Vector = NDArray[np.float64]


@singledispatch
def multipliers(schedule: Schedule, n: int, horizon: int) -> Vector:
    """Return the multipliers of the updates 0 to ``n`` - 1 of a run, as before any reading of a metric.

    Args:
        n: how many, from 0 to ``horizon``.
        horizon: updates of the whole run.
    """
    return np.fromiter((schedule.multiplier(t, horizon, None) for t in range(n)), np.float64, n)


def put_tail(rates: Vector, averaging: Averaging, horizon: int) -> None:
    """Write the multipliers of an averaging's tail over those of the schedule, where it has one.

    A tail repeats itself each time that the weights are taken up, so one period is computed.
    """
    start = averaging.start(horizon)
    period = min(averaging.every(horizon), len(rates) - start)
    tail = [averaging.tail_at(start + since, horizon) for since in range(period)]
    if tail and None not in tail:
        rates[start:] = np.resize(np.array(tail, np.float64), len(rates) - start)


def _updates(n: int) -> Vector:
    return np.arange(n, dtype=np.float64)


def _descend(descent: Descent, progress: Vector, floor: float) -> Vector:
    match descent:
        case "linear":
            return floor + (1 - floor) * (1 - progress)
        case "cosine":
            return floor + (1 - floor) * (1 + np.cos(np.pi * progress)) / 2
        case "one_minus_sqrt":
            return floor + (1 - floor) * (1 - np.sqrt(progress))
        case "exponential":
            return np.power(floor, progress)


def _rise(ramp: Ramp, progress: Vector, start: float) -> Vector:
    match ramp:
        case "linear":
            return start + (1 - start) * progress
        case "cosine":
            return start + (1 - start) * (1 - np.cos(np.pi * progress)) / 2
        case "exponential":
            return np.power(start, 1 - progress)


def _between(curve: Curve, progress: Vector, first: float, second: float) -> Vector:
    match curve:
        case "linear":
            return first + (second - first) * progress
        case "cosine":
            return second + (first - second) * (1 + np.cos(np.pi * progress)) / 2


@multipliers.register(Constant)
@multipliers.register(Plateau)
def _level(schedule: Constant | Plateau, n: int, horizon: int) -> Vector:
    return np.ones(n)


@multipliers.register
def _factor(schedule: Factor, n: int, horizon: int) -> Vector:
    return np.maximum(schedule.final_ratio, np.power(schedule.total_decay, _updates(n) / horizon))


@multipliers.register
def _linear(schedule: Linear, n: int, horizon: int) -> Vector:
    return _descend("linear", _updates(n) / horizon, schedule.final_ratio)


@multipliers.register
def _one_minus_sqrt(schedule: OneMinusSqrt, n: int, horizon: int) -> Vector:
    return _descend("one_minus_sqrt", _updates(n) / horizon, schedule.final_ratio)


@multipliers.register
def _cosine(schedule: Cosine, n: int, horizon: int) -> Vector:
    progress = _updates(n) / horizon
    stretched = progress if schedule.k_decay == 1 else progress**schedule.k_decay
    return _descend("cosine", stretched, schedule.final_ratio)


@multipliers.register
def _polynomial(schedule: Polynomial, n: int, horizon: int) -> Vector:
    left = 1 - _updates(n) / horizon
    return schedule.final_ratio + (1 - schedule.final_ratio) * np.power(left, schedule.power)


@multipliers.register
def _inverse_sqrt(schedule: InverseSqrt, n: int, horizon: int) -> Vector:
    timescale = updates_at(schedule.timescale_fraction, horizon)
    begun = timescale + updates_at(schedule.shift_fraction, horizon)
    return np.sqrt(timescale / (begun + _updates(n)))


@multipliers.register(Step)
@multipliers.register(MultiFactor)
def _drops(schedule: Step | MultiFactor, n: int, horizon: int) -> Vector:
    found = np.empty(n)
    begins = (0, *schedule.drops_at(horizon), n)
    for begin, end in pairwise(begins):
        if begin < n:
            found[begin:end] = schedule.shape(begin, horizon)
    return found


@multipliers.register
def _cyclic(schedule: Cyclic, n: int, horizon: int) -> Vector:
    t = _updates(n)
    up, down = schedule.halves(horizon)
    cycle, place = np.divmod(t, up + down)
    height = np.minimum(place / up, (up + down - place) / down)
    if schedule.total_decay is not None:
        height = np.power(schedule.total_decay, t / horizon) * height
    elif schedule.mode == "triangular2":
        height = height * np.power(0.5, cycle)
    return schedule.base_ratio + (1 - schedule.base_ratio) * height


@multipliers.register
def _one_cycle(schedule: OneCycle, n: int, horizon: int) -> Vector:
    found = np.empty(n)
    for (begin, first), (end, second) in pairwise(schedule.knots(horizon)):
        piece = found[begin:end]
        piece[:] = _between(schedule.curve, _updates(len(piece)) / max(end - begin, 1), first, second)
        piece[:1] = first
    return found


@multipliers.register
def _wsd(schedule: Wsd, n: int, horizon: int) -> Vector:
    start = schedule.decay_start(horizon)
    found = np.ones(n)
    late = found[start:]
    late[:] = _descend(schedule.decay, _updates(len(late)) / (horizon - start), schedule.final_ratio)
    return found


@multipliers.register
def _piecewise(schedule: Piecewise, n: int, horizon: int) -> Vector:
    found = np.empty(n)
    for piece in schedule.pieces(horizon):
        part = found[piece.begin : piece.end]
        s = _updates(len(part))
        if schedule.curve == "cubic":
            constant, slope, square, cube = piece.coefficients
            part[:] = np.clip(constant + s * (slope + s * (square + s * cube)), *piece.bounds)
        else:
            part[:] = _between(schedule.curve, s / (piece.end - piece.begin), piece.first, piece.second)
            part[:1] = piece.first
    return found


@multipliers.register
def _warmup(schedule: Warmup, n: int, horizon: int) -> Vector:
    rest, n_ramp = schedule.rest(horizon), schedule.updates(horizon)
    ramp = _updates(min(n_ramp, n)) + 1
    risen = _rise(schedule.ramp, ramp / max(n_ramp, 1), schedule.start_ratio)
    return np.concatenate(
        [risen * schedule.then.multiplier(0, rest, None), multipliers(schedule.then, max(n - n_ramp, 0), rest)]
    )


@multipliers.register
def _cooldown(schedule: Cooldown, n: int, horizon: int) -> Vector:
    start = schedule.decay_start(horizon)
    level = schedule.multiplier(start, horizon, None)
    late = _descend(schedule.decay, _updates(max(n - start, 0)) / (horizon - start), schedule.final_ratio)
    return np.concatenate([multipliers(schedule.first, min(start, n), max(start, 1)), level * late])


@multipliers.register
def _restarts(schedule: Restarts, n: int, horizon: int) -> Vector:
    return _stretches(
        schedule.bounds(horizon),
        n,
        lambda cycle, part, length: schedule.peak_decay**cycle * multipliers(schedule.then, part, length),
    )


@multipliers.register
def _sequence(schedule: Sequence, n: int, horizon: int) -> Vector:
    return _stretches(
        schedule.bounds(horizon), n, lambda number, part, length: multipliers(schedule.parts[number], part, length)
    )


@multipliers.register
def _product(schedule: Product, n: int, horizon: int) -> Vector:
    found = np.ones(n)
    for part in schedule.parts:
        found *= multipliers(part, n, horizon)
    return found


def _stretches(bounds: tuple[int, ...], n: int, stretch: Callable[[int, int, int], Vector]) -> Vector:
    """Fill in one stretch after the other; ``stretch`` is given its number, how much of it counts, and its length."""
    found = np.empty(n)
    for number, (begin, end) in enumerate(pairwise(bounds)):
        last = min(end, n)
        if begin < last:
            found[begin:last] = stretch(number, last - begin, end - begin)
    return found
