"""Families made of phases: one cycle, and a stable rate with a decay at the end.

In the formulas t is the update, T the horizon and r the ``final_ratio``; a phase meets the next at one update,
where both have the same value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schedules.base import DECAY_FRACTION, FINAL_RATIO, Fraction, Number, OpenFraction, Range, Shape, updates_at
from schedules.knots import Piecewise
from schedules.levels import (
    Curve,
    Descent,
    between,
    between_source,
    descend,
    descend_source,
    refuse_exponential_to_zero,
)


class OneCycle(Shape):
    """One rise to the peak and one fall far below where it began.

    With W = ``updates_at(rise_fraction, T)``, s = ``start_ratio`` and two ``phases``::

        multiplier goes from s at t = 0 to 1 at t = W, and from there to r at t = T

    With three, the fall comes to s on the way, as far from the peak as the rise set out, at
    V = ``updates_at(2 * rise_fraction, T)``::

        multiplier goes from s at t = 0 to 1 at t = W, to s at t = V, and from there to r at t = T

    each phase along half a cosine wave or a line (``curve``). At t = 0 it is s exactly, which is above 0, so that no
    warm-up is needed before it; at T and after it is r.

    Where libraries differ: torch's ``OneCycleLR`` puts the peak at t = ``pct_start`` * T - 1 and the floor at the last
    update, T - 1; of a run one longer, with ``pct_start`` = (W + 1) / (T + 1), it is the same. It gives the ratios as
    1 / ``div_factor`` and that over ``final_div_factor``, refuses to go on past T, and writes the momentum of its
    optimizer whether that is wanted or not: here the mirror of the curve (``mirrored``) can drive the
    momentum, and does so only where a recipe says so. optax's ``cosine_onecycle_schedule`` is the same as
    here with ``pct_start`` = W / T.

    Attributes:
        rise_fraction: share of the run that the rise takes; with three phases below a half.
        start_ratio: the rate of the first update, as a share of the peak rate.
        final_ratio: the floor, as a share of the peak rate.

    Source: Smith and Topin (2018), section 2, arXiv:1708.07120; the two phases are fast.ai's.
    """

    searched: ClassVar[Mapping[str, Range]] = {
        "one_cycle_rise_fraction": Range(0.1, 0.45, "linear", 0.3),
        "one_cycle_start_ratio": Range(0.01, 0.1, "log", 0.04),
        "final_ratio": Range(FINAL_RATIO.low, FINAL_RATIO.high, FINAL_RATIO.scale, FINAL_RATIO.low),
    }
    shortest_horizon: ClassVar[int] = 3
    brings_warmup: ClassVar[bool] = True

    kind: Literal["one_cycle"] = "one_cycle"
    rise_fraction: OpenFraction = 0.3
    start_ratio: Fraction = 0.04
    final_ratio: Fraction = 4e-6
    phases: Literal[2, 3] = 2
    curve: Curve = "cosine"

    @model_validator(mode="after")
    def _refuse_a_third_phase_that_rises_or_never_comes(self) -> Self:
        if self.phases == 3 and self.rise_fraction >= 0.5:
            raise ValueError(
                f"with three phases the fall is as long as the rise and something comes after both: "
                f"rise_fraction must be below 0.5, got {self.rise_fraction}"
            )
        if self.phases == 3 and self.final_ratio > self.start_ratio:
            raise ValueError(
                f"the third phase falls from start_ratio to final_ratio, but {self.start_ratio} < {self.final_ratio}"
            )
        return self

    def knots(self, horizon: int) -> tuple[tuple[int, float], ...]:
        """Return where the phases begin and the last ends: (update, multiplier), the last at the horizon."""
        n_rise = updates_at(self.rise_fraction, horizon)
        middle = ((updates_at(2 * self.rise_fraction, horizon), self.start_ratio),) if self.phases == 3 else ()
        return ((0, self.start_ratio), (n_rise, 1.0), *middle, (horizon, self.final_ratio))

    def mirrored(self) -> Piecewise:
        """Return the curve that falls from 1 to 0 where this one rises, rises where it falls, and then stays at 1.

        It is what a momentum follows that is high where the rate is low: mapped onto the band from the lowest to
        the highest momentum, 0 is the lowest.
        """
        rise = self.rise_fraction
        ends = ((2 * rise, 1.0), (1.0, 1.0)) if self.phases == 3 else ((1.0, 1.0),)
        return Piecewise(knots=((0.0, 1.0), (rise, 0.0), *ends), curve=self.curve)

    def shape(self, t: int, horizon: int) -> float:
        knots = self.knots(horizon)
        for (begin, first), (end, second) in pairwise(knots):
            if t < end:
                return between(self.curve, (t - begin) / (end - begin), first, second)
        return self.final_ratio

    def source(self, horizon: int) -> str:
        knots, phases = self.knots(horizon), []
        for (begin, first), (end, second) in pairwise(knots):
            place = f"(t - {begin})" if begin else "t"
            phases.append(f"{between_source(self.curve, f'{place} / {end - begin}', first, second)} if t < {end}")
        return " else ".join([*phases, repr(self.final_ratio)])

    def fair_from(self, horizon: int) -> int:
        """Return the update of the peak: before it this family is still warming up."""
        return updates_at(self.rise_fraction, horizon)

    def check(self, horizon: int) -> None:
        super().check(horizon)
        n_rise, last = self.knots(horizon)[1][0], self.knots(horizon)[-2][0]
        if self.phases == 3 and last <= n_rise:
            raise ValueError(
                f"the fall of the schedule 'one_cycle' with three phases needs at least 1 update, got none of a "
                f"horizon of {horizon}"
            )
        if horizon - last < 2:
            raise ValueError(
                f"the last phase of the schedule 'one_cycle' needs at least 2 updates, got {horizon - last} "
                f"of a horizon of {horizon}"
            )

    def summary(self) -> str:
        words = ["one cycle", f"rise {100 * self.rise_fraction:.3g}%", f"from {self.start_ratio:.3g}"]
        options = [*(["three phases"] if self.phases == 3 else []), *(["linear"] if self.curve == "linear" else [])]
        floor = [f"→ {self.final_ratio:.3g}"] if self.final_ratio else []
        return " ".join([*words, *options, *floor])

    @classmethod
    def shortest_for(cls, ranges: Mapping[str, Range]) -> int:
        """A rise that leaves 2.5 updates, however it is rounded, leaves 2."""
        return max(cls.shortest_horizon, math.ceil(2.5 / (1 - ranges["one_cycle_rise_fraction"].high)))


class Wsd(Shape):
    """The peak rate until late, and then a decay: the stable and the decaying part of warm-up, stable, decay.

    With D = ``updates_at(decay_fraction, T)``, at least 1, and p = (t - (T - D)) / D::

        multiplier(t) = 1                                 for t < T - D
        multiplier(t) = r + (1 - r) * (1 - p)             linear
        multiplier(t) = r + (1 - r) * (1 + cos(pi p)) / 2     cosine
        multiplier(t) = r + (1 - r) * (1 - sqrt(p))       one_minus_sqrt
        multiplier(t) = r ** p                            exponential, which needs r > 0

    At t = 0 and up to t = T - D it is 1, at T and after it is r. The warm-up is the join's: warm-up, stable, decay is
    ``Warmup(then=Wsd())``, whose decay is a share of what the warm-up leaves of the run. Without one it is a constant
    rate with a cooldown; ``Cooldown`` puts the same decay after any other schedule.

    Where libraries differ: transformers' ``warmup_stable_decay`` and timm's ``wsd`` with a constant ``stable_fn`` are
    the same after their warm-ups, and name the parts in updates; timm's ``exp`` is another exponential, moved down to
    end at the floor whatever its factor.

    Attributes:
        decay_fraction: share of the run that the decay takes.
        decay: its form.

    Source: Hu et al. (2024), section 4, arXiv:2404.06395; Hägele et al. (2024), arXiv:2405.18392 (1 - sqrt).
    """

    searched: ClassVar[Mapping[str, Range]] = {"decay_fraction": DECAY_FRACTION, "final_ratio": FINAL_RATIO}
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["wsd"] = "wsd"
    decay_fraction: Annotated[Number, Field(gt=0, le=1)] = 0.2
    decay: Descent = "one_minus_sqrt"
    final_ratio: Fraction = 0.0

    @model_validator(mode="after")
    def _refuse_an_exponential_to_zero(self) -> Self:
        refuse_exponential_to_zero(self.decay, self.final_ratio, "final_ratio")
        return self

    def decay_start(self, horizon: int) -> int:
        """Return the update at which the decay sets in."""
        return horizon - updates_at(self.decay_fraction, horizon)

    def shape(self, t: int, horizon: int) -> float:
        start = self.decay_start(horizon)
        return 1.0 if t <= start else descend(self.decay, (t - start) / (horizon - start), self.final_ratio)

    def source(self, horizon: int) -> str:
        start = self.decay_start(horizon)
        place = f"(t - {start}) / {horizon - start}" if start else f"t / {horizon}"
        decay = descend_source(self.decay, place, self.final_ratio)
        return f"1.0 if t < {start} else {decay}" if start else decay

    def fair_from(self, horizon: int) -> int:
        """Before its decay this family is a constant rate, and looks worse than where it ends."""
        return self.decay_start(horizon)

    def check(self, horizon: int) -> None:
        super().check(horizon)
        refuse_short_decay(self.kind, self.decay_fraction, horizon)

    def summary(self) -> str:
        floor = f" → {self.final_ratio:.3g}" if self.final_ratio else ""
        return f"wsd decay {100 * self.decay_fraction:.3g}% {self.decay.replace('_', ' ')}{floor}"

    @classmethod
    def shortest_for(cls, ranges: Mapping[str, Range]) -> int:
        return max(cls.shortest_horizon, math.ceil(2 / ranges["decay_fraction"].low))


def refuse_short_decay(kind: str, fraction: float, horizon: int) -> None:
    """Refuse a decay that would be over at once.

    Raises:
        ValueError: the decay takes fewer than two updates.
    """
    n_decay = updates_at(fraction, horizon)
    if n_decay < 2:
        raise ValueError(
            f"the decay of the schedule {kind!r} needs at least 2 updates, but {fraction} of a horizon of "
            f"{horizon} is {n_decay}"
        )
