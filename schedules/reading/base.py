"""What reading other people's schedules has in common: pieces that are exact at every update, and the refusal."""

from __future__ import annotations

from collections.abc import Sequence as Several
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from schedules.base import Schedule
from schedules.decays import Factor
from schedules.drops import Constant, MultiFactor, Step
from schedules.joins import AnySchedule, Cooldown, Product, Sequence
from schedules.knots import Piecewise
from schedules.recipe import MomentumCurve

MOST_DROPS: Final = 20
"""Drops at places of their own that one schedule may have."""

MOST_KNOTS: Final = 50
"""Knots that one curve may have."""

SMALLEST_DECAY: Final = 1e-300
"""Shares below which a float is no longer exact."""


class NotExact(ValueError):
    """What was read is no schedule of ours at some update of the run, as the message says in a sentence."""


@dataclass(frozen=True)
class Momentum:
    """A momentum that moves with the rate.

    Attributes:
        high: the momentum, or beta1, where the curve is 1.
        curve: the curve and the momentum where it is 0.
    """

    high: float
    curve: MomentumCurve


@dataclass(frozen=True)
class Reading:
    """What was read: at every update of the run the rate is the peak rate times the schedule.

    Attributes:
        peak_lr: the rate where the schedule's multiplier is 1.
        momentum: how the momentum moves, if it does.
        conditions: sentences that say when it is exact; none if it always is.
    """

    schedule: Schedule
    peak_lr: float
    momentum: Momentum | None = None
    conditions: tuple[str, ...] = ()


def made(cls: type[Schedule], **fields: object) -> Any:
    """Make a schedule from what was read.

    Raises:
        NotExact: it has no such form.
    """
    try:
        return cls.model_validate(fields)
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise NotExact(f"no schedule {cls.model_fields['kind'].default!r} is the same: {reasons}") from error


def checked(schedule: Schedule, horizon: int) -> Schedule:
    """Return a schedule that can be run for so many updates, as one that a recipe can hold.

    Raises:
        NotExact: the run is too short for it.
    """
    try:
        whole: Schedule = TypeAdapter[Schedule](AnySchedule).validate_python(schedule)
        whole.check(horizon)
    except ValueError as error:
        raise NotExact(f"no schedule of {horizon} updates is the same: {error}") from error
    return whole


def ratio(value: float, of: float, what: str) -> float:
    """Return a rate as a share of another.

    Raises:
        NotExact: it is not between 0 and the other.
    """
    if not 0 <= value <= of:
        raise NotExact(f"a multiplier lies between 0 and 1, but {what} is {value} where the peak rate is {of}")
    return value / of


def flat(level: float) -> Schedule:
    """Return one level throughout.

    Raises:
        NotExact: the level is 0.
    """
    if level == 1:
        return Constant()
    if level == 0:
        raise NotExact("a part of the run is at rate 0 throughout, which no schedule by itself is")
    return curve([(0.0, level), (1.0, level)])


def curve(knots: Several[tuple[float, float]], form: Literal["linear", "cosine"] = "linear") -> Piecewise:
    """Return a curve through knots (place, multiplier).

    Raises:
        NotExact: there are too many.
    """
    if len(knots) > MOST_KNOTS:
        raise NotExact(f"a curve has up to {MOST_KNOTS} knots, and this one would have {len(knots)}")
    piecewise: Piecewise = made(Piecewise, knots=tuple(knots), curve=form)
    return piecewise


def in_turn(first: Schedule, n_first: int, then: Schedule, horizon: int) -> Schedule:
    """Return one schedule for the first updates of a run, and another for the rest."""
    if n_first == 0:
        return then
    if n_first >= horizon:
        return first
    merged: Schedule = made(Sequence, schedules=(first, then), milestones=(n_first / horizon,))
    return merged


def then_held(schedule: Schedule, n_updates: int, level: float, horizon: int) -> Schedule:
    """Return a schedule of so many updates, and its last level from there on to the horizon.

    Raises:
        NotExact: a level of 0 is held for one update.
    """
    if n_updates == horizon:
        return schedule
    if level > 0:
        return in_turn(schedule, n_updates, flat(level), horizon)
    n_held = horizon - n_updates
    if n_held < 2:
        raise NotExact(f"the rate is 0 at the last update, {horizon - 1}: its decay ends one update before the run")
    held: Schedule = made(Cooldown, fraction=n_held / horizon, decay="linear", first=schedule)
    return held


def lowered(schedule: Schedule, level: float) -> Schedule:
    """Return a schedule at a share of its height."""
    if level == 1:
        return schedule
    if isinstance(schedule, Constant):
        return flat(level)
    product: Schedule = made(Product, schedules=(flat(level), schedule))
    return product


def exponential(gamma: float, n_updates: int) -> Schedule:
    """Return a factor of ``gamma`` at every update.

    Raises:
        NotExact: the rate rises, changes its sign, or ends below what a float holds exactly.
    """
    if gamma == 1:
        return Constant()
    if not 0 < gamma < 1:
        raise NotExact(f"a rate that is multiplied by {gamma} at every update does not fall from its peak")
    total = gamma**n_updates
    if total < SMALLEST_DECAY:
        raise NotExact(f"{gamma} ** {n_updates} is {total}: below what a float holds exactly")
    decay: Schedule = made(Factor, total_decay=total)
    return decay


def drops(updates: Several[int], gamma: float, horizon: int) -> Schedule:
    """Return a drop by ``gamma`` at each of these updates, those past the run left out; at 0 it drops at once.

    Raises:
        NotExact: the drops raise the rate, or are too many.
    """
    if gamma == 1:
        return Constant()
    if not 0 < gamma < 1:
        raise NotExact(f"a rate that is multiplied by {gamma} does not drop to a share of its peak")
    at_once = sum(update <= 0 for update in updates)
    later = sorted(update for update in updates if 0 < update < horizon)
    return lowered(_drops(later, gamma, horizon), float(gamma**at_once))


def _drops(updates: list[int], gamma: float, horizon: int) -> Schedule:
    if not updates:
        return Constant()
    size, n_drops = updates[0], len(updates)
    if updates == [size * number for number in range(1, n_drops + 1)] and size * (n_drops + 1) == horizon <= 100 * size:
        step: Schedule = made(Step, drops=n_drops, gamma=gamma)
        return step
    distinct = sorted(set(updates))
    if len(distinct) > MOST_DROPS:
        raise NotExact(f"up to {MOST_DROPS} drops have places of their own, and there are {len(distinct)} in this run")
    # an update that is named twice drops twice: once in each of two factors
    most = max(updates.count(each) for each in distinct)
    layers = [[each for each in distinct if updates.count(each) > number] for number in range(most)]
    factors = [made(MultiFactor, milestones=tuple(each / horizon for each in layer), gamma=gamma) for layer in layers]
    together: Schedule = factors[0] if most == 1 else made(Product, schedules=tuple(factors))
    return together


def is_whole(value: float) -> bool:
    """Say whether a number is a whole one, but for what the rounding of a product leaves."""
    return abs(value - round(value)) <= 1e-9 * max(1.0, abs(value))
