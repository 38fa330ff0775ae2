"""Schedules made of other schedules.

Each part of a join sees a run of its own: its update 0 is where it begins, its horizon is how long it lasts, and its
fractions are fractions of that. In the formulas t is the update and T the horizon of the whole.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from schedules.base import (
    FINAL_RATIO,
    Fraction,
    Number,
    OpenFraction,
    PlateauState,
    Range,
    Schedule,
    updates_at,
    whole,
)
from schedules.cycles import cut_run, equal_run
from schedules.decays import Cosine
from schedules.drops import Constant
from schedules.levels import Descent, Ramp, descend, refuse_exponential_to_zero, rise
from schedules.nesting import Join, check_part
from schedules.phases import refuse_short_decay
from schedules.shapes import Family


class Warmup(Join):
    """A ramp up to where another schedule begins, and then that schedule over the rest of the run.

    With W = ``updates_at(fraction, T)``, s = ``start_ratio``, u = (t + 1) / W and the other schedule f::

        multiplier(t) = ramp(u) * f(0, T - W)         for t < W
        multiplier(t) = f(t - W, T - W)               for t >= W

        ramp(u) = s + (1 - s) * u                         linear
        ramp(u) = s + (1 - s) * (1 - cos(pi u)) / 2       cosine
        ramp(u) = s ** (1 - u)                            exponential, which needs s > 0

    At t = 0 it is one step up from s, the last update of the warm-up, t = W - 1, runs at the peak, and so does the
    next, with which the other schedule begins. None runs at rate 0. At T and after it is where the other schedule
    ends. Readings of a metric during the warm-up are not counted.

    Where libraries differ: torch's ``LinearLR`` starts at its ``start_factor`` exactly and reaches the peak one update
    later, at t = W; transformers, timm and optax start at 0, which wastes the first update, and reach the
    peak at W; timm without ``warmup_prefix`` never does, since its schedule has gone on underneath.

    Attributes:
        fraction: share of the run that the ramp takes; 0 is no warm-up.
        start_ratio: where the ramp sets off, one step before the first update.
        ramp: its form.
        then: the schedule after the ramp, any but another warm-up; it sees a run of T - W updates.

    Source: Goyal et al. (2017), section 2.2, arXiv:1706.02677.
    """

    searched: ClassVar[Mapping[str, Range]] = {"warmup_fraction": Range(0.0, 0.2, "linear", 0.05)}

    kind: Literal["warmup"] = "warmup"
    fraction: Annotated[Number, Field(ge=0, lt=1)] = 0.05
    start_ratio: Fraction = 0.0
    # left out where it is linear, so that a recipe from before there were others has the text it had
    ramp: Annotated[Ramp, Field(exclude_if=lambda ramp: ramp == "linear")] = "linear"
    then: AnySchedule

    @model_validator(mode="after")
    def _refuse_a_second_warmup_and_a_ramp_from_nowhere(self) -> Self:
        if self.then.kind == "warmup":
            raise ValueError("a warm-up leads to a schedule that is not a warm-up itself, got 'warmup'")
        refuse_exponential_to_zero(self.ramp, self.start_ratio, "start_ratio")
        return self

    def updates(self, horizon: int) -> int:
        """Return how many updates the ramp takes of a run of ``horizon`` updates."""
        return updates_at(self.fraction, horizon)

    def rest(self, horizon: int) -> int:
        """Return how many updates the ramp leaves; a ramp as long as the run, which ``check`` refuses, leaves one."""
        return max(horizon - self.updates(horizon), 1)

    def multiplier(self, t: int, horizon: int, state: PlateauState | None) -> float:
        n_ramp, rest = self.updates(horizon), self.rest(horizon)
        if t >= n_ramp:
            return self.then.multiplier(t - n_ramp, rest, state)
        return rise(self.ramp, (t + 1) / n_ramp, self.start_ratio) * self.then.multiplier(0, rest, None)

    def observe(self, state: PlateauState, metric: float, t: int, horizon: int) -> PlateauState:
        n_ramp = self.updates(horizon)
        return state if t < n_ramp else self.then.observe(state, metric, t - n_ramp, self.rest(horizon))

    def fair_from(self, horizon: int) -> int:
        return min(self.updates(horizon) + self.then.fair_from(self.rest(horizon)), horizon)

    def check(self, horizon: int) -> None:
        super().check(horizon)
        n_ramp = self.updates(horizon)
        if n_ramp >= horizon:
            raise ValueError(
                f"a warm-up of {self.fraction} takes all of a horizon of {horizon}: "
                f"nothing is left for the schedule {self.then.kind!r}"
            )
        check_part(self.then, horizon - n_ramp, f"after a warm-up of {n_ramp} of {horizon} updates")

    def summary(self) -> str:
        if not self.fraction:
            return self.then.summary()
        form = "" if self.ramp == "linear" else f" {self.ramp}"
        return f"warmup {100 * self.fraction:.3g}%{form} · {self.then.summary()}"


class Cooldown(Join):
    """Another schedule for most of the run, and then a decay from wherever it has come to.

    With D = ``updates_at(fraction, T)``, at least 1, S = T - D, the other schedule f and r = ``final_ratio``::

        multiplier(t) = f(t, S)                               for t < S
        multiplier(t) = f(S, S) * descent((t - S) / D)        for t >= S

    where ``descent`` falls from 1 to r in the form that ``decay`` names, as in ``Wsd``: of a constant rate, this is
    ``Wsd``. At t = 0 it is where the other schedule begins, at t = S where it ends, at T and after it is r times
    that. Readings of a metric during the cooldown are not counted.

    Where libraries differ: timm's ``wsd`` with a ``stable_fn`` other than constant lets that go on falling under the
    decay, as Zhai et al. (2022) did: here that is a ``Product`` of ``InverseSqrt`` and ``Wsd``.

    Attributes:
        fraction: share of the run that the decay takes.
        decay: its form.
        final_ratio: where it ends, as a share of where it begins.
        first: what comes before it; it sees a run of S updates.

    Source: Hägele et al. (2024), section 3, arXiv:2405.18392.
    """

    kind: Literal["cooldown"] = "cooldown"
    fraction: Annotated[Number, Field(gt=0, lt=1)] = 0.2
    decay: Descent = "one_minus_sqrt"
    final_ratio: Fraction = 0.0
    first: AnySchedule = Constant()

    @model_validator(mode="after")
    def _refuse_an_exponential_to_zero(self) -> Self:
        refuse_exponential_to_zero(self.decay, self.final_ratio, "final_ratio")
        return self

    def decay_start(self, horizon: int) -> int:
        """Return the update at which the decay sets in; before it ``check`` wants at least one."""
        return horizon - updates_at(self.fraction, horizon)

    def multiplier(self, t: int, horizon: int, state: PlateauState | None) -> float:
        start = self.decay_start(horizon)
        level = self.first.multiplier(min(t, start), max(start, 1), state)
        if t <= start:
            return level
        return level * descend(self.decay, (t - start) / (horizon - start), self.final_ratio)

    def observe(self, state: PlateauState, metric: float, t: int, horizon: int) -> PlateauState:
        start = self.decay_start(horizon)
        return state if t > start else self.first.observe(state, metric, t, max(start, 1))

    def fair_from(self, horizon: int) -> int:
        """Before its decay a run looks worse than where it ends."""
        return self.decay_start(horizon)

    def check(self, horizon: int) -> None:
        super().check(horizon)
        refuse_short_decay(self.kind, self.fraction, horizon)
        start = self.decay_start(horizon)
        if start < 1:
            raise ValueError(
                f"a cooldown of {self.fraction} takes all of a horizon of {horizon}: "
                f"nothing is left for the schedule {self.first.kind!r}"
            )
        check_part(self.first, start, f"before a cooldown of {horizon - start} of {horizon} updates")

    def summary(self) -> str:
        floor = f" → {self.final_ratio:.3g}" if self.final_ratio else ""
        return f"{self.first.summary()} · cooldown {100 * self.fraction:.3g}% {self.decay.replace('_', ' ')}{floor}"


class Restarts(Join):
    """Another schedule again and again, each cycle longer than the one before by ``t_mult``: warm restarts.

    With ``cycles`` = n of them the lengths are in the ratio 1, t_mult, t_mult ** 2, ... and add up to the run; with
    ``first_fraction`` the first takes that share of it and the last is cut off by the end. Cycle i begins at the
    update b(i), rounded as every position is, and lasts until b(i + 1); in it the other schedule f runs over the
    whole length of the cycle, under a peak that falls::

        multiplier(t) = peak_decay ** i * f(t - b(i), b(i + 1) - b(i))        for b(i) <= t < b(i + 1)

    At t = 0 it is where f begins, at each b(i) it is there again, at T and after it is where the last cycle has come
    to. The floor of f is never reached by an update, except after the end: b(i + 1) is the next start.

    Where libraries differ: torch's ``CosineAnnealingWarmRestarts`` takes whole ``T_mult`` only and has no decay of
    the peak; transformers' ``cosine_with_restarts`` has equal cycles that are not rounded to updates; timm's
    ``cycle_decay`` and Keras's ``m_mul`` lower the peak and leave the floor where it is, here the floor is lowered
    with it; fairseq's ``lr_shrink`` is 0.1 by default. optax's ``sgdr_schedule`` is given each cycle by itself.

    Attributes:
        cycles: how many, from 2 to 100; 3 unless ``first_fraction`` is given.
        first_fraction: share of the run that the first cycle takes, instead of ``cycles``.
        t_mult: how many times longer each cycle is than the one before, from 1 to 10.
        peak_decay: what each restart multiplies the peak by.
        then: the schedule of a cycle, any that changes with the update alone; it may bring a warm-up of its own.

    Source: Loshchilov and Hutter (2017), section 3, arXiv:1608.03983.
    """

    searched: ClassVar[Mapping[str, Range]] = {
        "restarts_cycles": Range(2.0, 4.0, "linear", 3.0),
        "restarts_t_mult": Range(1.0, 2.0, "linear", 2.0),
        "restarts_peak_decay": Range(0.3, 1.0, "linear", 1.0),
        "final_ratio": FINAL_RATIO,
    }

    kind: Literal["restarts"] = "restarts"
    cycles: Annotated[int, Field(strict=True, ge=2, le=100)] | None = 3
    first_fraction: Annotated[Number, Field(ge=0.01, lt=1)] | None = None
    t_mult: Annotated[Number, Field(ge=1, le=10)] = 1.0
    peak_decay: Annotated[Number, Field(gt=0, le=1)] = 1.0
    then: AnySchedule = Cosine()

    @model_validator(mode="before")
    @classmethod
    def _a_first_cycle_tells_how_many(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("first_fraction") is not None:
            return {"cycles": None, **given}
        return given

    @model_validator(mode="after")
    def _refuse_what_cannot_be_repeated(self) -> Self:
        if (self.cycles is None) == (self.first_fraction is None):
            raise ValueError(
                f"the length of a cycle follows from cycles or from first_fraction, from one of them, "
                f"got cycles {self.cycles} and first_fraction {self.first_fraction}"
            )
        if self.then.start() is not None:
            raise ValueError(f"a schedule that reads a metric does not restart, got {self.then.kind!r}")
        if self.then.kind == "constant":
            raise ValueError("a restart takes back a decay, but the schedule 'constant' has none")
        return self

    def bounds(self, horizon: int) -> tuple[int, ...]:
        """Return the update at which each cycle begins, and last that at which the last would end."""
        if self.first_fraction is None:
            return equal_run(self.cycles or 1, self.t_mult, horizon)
        return cut_run(self.first_fraction, self.t_mult, horizon)

    def multiplier(self, t: int, horizon: int, state: PlateauState | None) -> float:
        bounds = self.bounds(horizon)
        cycle = min(bisect_right(bounds, t), len(bounds) - 1) - 1
        begin, end = bounds[cycle], bounds[cycle + 1]
        return float(self.peak_decay**cycle) * self.then.multiplier(t - begin, max(end - begin, 1), None)

    def fair_from(self, horizon: int) -> int:
        """Return the last restart, and what the schedule of a cycle asks for: before it a decay is taken back again."""
        begin, end = self.bounds(horizon)[-2:]
        return min(begin + self.then.fair_from(max(end - begin, 1)), horizon)

    def check(self, horizon: int) -> None:
        super().check(horizon)
        for number, (begin, end) in enumerate(pairwise(self.bounds(horizon)), start=1):
            check_part(self.then, end - begin, f"in cycle {number}, from update {begin} of {horizon} on")

    def summary(self) -> str:
        many = f"{self.cycles}" if self.first_fraction is None else f"first {100 * self.first_fraction:.3g}%"
        longer = "" if self.t_mult == 1 else f" × {self.t_mult:.3g}"
        lower = "" if self.peak_decay == 1 else f" peak × {self.peak_decay:.3g}"
        return f"restarts {many}{longer}{lower} · {self.then.summary()}"

    @classmethod
    def shortest_for(cls, ranges: Mapping[str, Range]) -> int:
        """A first cycle of three updates is one of two, however its end is rounded, and the others are no shorter."""
        t_mult = ranges["restarts_t_mult"].high
        shares = [t_mult**number for number in range(whole(ranges["restarts_cycles"].high))]
        return math.ceil(3 * math.fsum(shares))

    @classmethod
    def build(cls, values: Mapping[str, float]) -> Self:
        """Make restarts of a cosine from searched values: the number of cycles is rounded to a whole number."""
        fields: dict[str, object] = {
            name.removeprefix("restarts_"): value for name, value in values.items() if name != "final_ratio"
        }
        fields["cycles"] = whole(values["restarts_cycles"])
        fields["then"] = Cosine.build({name: value for name, value in values.items() if name == "final_ratio"})
        return cls.model_validate(fields)


class Sequence(Join):
    """One schedule after the other, each over its own stretch of the run.

    With b(0) = 0, b(i) = ``updates_at(milestones[i - 1], T)`` and b(n) = T::

        multiplier(t) = schedules[i](t - b(i), b(i + 1) - b(i))        for b(i) <= t < b(i + 1)

    Each is a share of the same peak rate, so where one ends and the next begins the rate may jump. At t = 0 it is
    where the first begins, at a milestone where the next one does, at T and after where the last ends. One of them
    may read a metric, and reads it while its stretch lasts.

    Where libraries differ: torch's ``SequentialLR`` and optax's ``join_schedules`` take updates for milestones, and
    each part must know its own length; ignite's ``ConcatScheduler`` and Composer's lists take durations. torch's
    ``ChainedScheduler`` is no sequence but a ``Product``.

    Attributes:
        schedules: from 2 to 8.
        milestones: where the second and the later ones begin: fractions of the run, strictly increasing, each
            inside (0, 1), one fewer than schedules.

    Source: ``torch.optim.lr_scheduler.SequentialLR``,
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html
    """

    kind: Literal["sequence"] = "sequence"
    schedules: Annotated[tuple[AnySchedule, ...], Field(min_length=2, max_length=8)]
    milestones: Annotated[tuple[OpenFraction, ...], Field(min_length=1, max_length=7)]

    @field_validator("milestones")
    @classmethod
    def _refuse_disorder(cls, milestones: tuple[float, ...]) -> tuple[float, ...]:
        for earlier, later in pairwise(milestones):
            if earlier >= later:
                raise ValueError(f"milestones must be strictly increasing, got {earlier} before {later}")
        return milestones

    @model_validator(mode="after")
    def _refuse_more_or_fewer_milestones(self) -> Self:
        if len(self.milestones) != len(self.schedules) - 1:
            raise ValueError(
                f"{len(self.schedules)} schedules meet at {len(self.schedules) - 1} milestones, "
                f"got {len(self.milestones)}"
            )
        return self

    def bounds(self, horizon: int) -> tuple[int, ...]:
        """Return the update at which each schedule begins, and last the horizon."""
        return (0, *(updates_at(milestone, horizon) for milestone in self.milestones), horizon)

    def place(self, t: int, horizon: int) -> tuple[Schedule, int, int]:
        """Return the schedule of update ``t``, and the update and the horizon that it sees."""
        bounds = self.bounds(horizon)
        number = min(bisect_right(bounds, t), len(self.schedules)) - 1
        return self.schedules[number], t - bounds[number], max(bounds[number + 1] - bounds[number], 1)

    def multiplier(self, t: int, horizon: int, state: PlateauState | None) -> float:
        schedule, place, length = self.place(t, horizon)
        return schedule.multiplier(place, length, state)

    def observe(self, state: PlateauState, metric: float, t: int, horizon: int) -> PlateauState:
        schedule, place, length = self.place(t, horizon)
        return schedule.observe(state, metric, place, length)

    def fair_from(self, horizon: int) -> int:
        """Return where the last schedule begins, and what it asks for: before it nothing is known of how a run ends."""
        begin, end = self.bounds(horizon)[-2:]
        return min(begin + self.schedules[-1].fair_from(max(end - begin, 1)), horizon)

    def check(self, horizon: int) -> None:
        super().check(horizon)
        for number, (begin, end) in enumerate(pairwise(self.bounds(horizon))):
            if begin >= end:
                raise ValueError(
                    f"the schedule {self.schedules[number].kind!r} has no update of a horizon of {horizon}: "
                    f"it would begin and end at update {begin}"
                )
            check_part(self.schedules[number], end - begin, f"from update {begin} to {end} of {horizon}")

    def summary(self) -> str:
        first, *others = self.schedules
        later = (f"{at:.3g}: {each.summary()}" for at, each in zip(self.milestones, others, strict=True))
        return " | ".join([first.summary(), *later])


class Product(Join):
    """Several schedules over the whole run, multiplied.

    ::

        multiplier(t) = schedules[0](t, T) * schedules[1](t, T) * ...

    Every factor lies in [0, 1], and so does the product. At t = 0, at T and after it is the product of what the parts
    are there: a warm-up times a decay never reaches the peak, since the decay has begun meanwhile. One of the parts
    may read a metric.

    Where libraries differ: torch's ``ChainedScheduler`` is the same for schedulers that multiply. What is commonly
    meant by chaining a warm-up and a decay is ``Warmup`` instead.

    Attributes:
        schedules: from 2 to 8.

    Source: ``torch.optim.lr_scheduler.ChainedScheduler``,
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ChainedScheduler.html
    """

    kind: Literal["product"] = "product"
    schedules: Annotated[tuple[AnySchedule, ...], Field(min_length=2, max_length=8)]

    def multiplier(self, t: int, horizon: int, state: PlateauState | None) -> float:
        return math.prod(part.multiplier(t, horizon, state) for part in self.schedules)

    def observe(self, state: PlateauState, metric: float, t: int, horizon: int) -> PlateauState:
        for part in self.schedules:
            state = part.observe(state, metric, t, horizon)
        return state

    def fair_from(self, horizon: int) -> int:
        return max(part.fair_from(horizon) for part in self.schedules)

    def check(self, horizon: int) -> None:
        super().check(horizon)
        for number, part in enumerate(self.schedules, start=1):
            check_part(part, horizon, f"factor {number} of a product")

    def summary(self) -> str:
        return " × ".join(f"({part.summary()})" for part in self.schedules)


AnySchedule = Annotated[Family | Warmup | Cooldown | Restarts | Sequence | Product, Field(discriminator="kind")]
"""Any schedule, told apart by its kind: the type of a field that holds one."""

for _join in (Warmup, Cooldown, Restarts, Sequence, Product):
    _join.model_rebuild()
