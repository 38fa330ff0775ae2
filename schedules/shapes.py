"""Families whose multiplier depends on the update alone, one class each.

In the formulas t is the update, T the horizon and r the ``final_ratio``. All hold for 0 <= t <= T; past the
end the value at t = T stays. The last update of a run is t = T - 1, so a floor that is reached at t = T is
reached one past the last update, as in torch, optax and Keras.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator

from schedules.base import FINAL_RATIO, GAMMA, Fraction, Number, OpenFraction, Range, Shape, updates_at


class Constant(Shape):
    """The peak rate throughout, and past the end: ``multiplier(t) = 1``."""

    kind: Literal["constant"] = "constant"

    def shape(self, t: int, horizon: int) -> float:
        return 1.0

    def source(self, horizon: int) -> str:
        return "1.0"


class Factor(Shape):
    """The same factor at every update, down to a floor.

    With d = ``total_decay``, the share of the peak that a whole run would leave::

        multiplier(t) = max(r, d ** (t / T))

    The factor per update is ``d ** (1 / T)``: torch's ``gamma`` in ``ExponentialLR``, which has no floor; the
    ``factor`` of d2l's ``FactorScheduler``, whose ``stop_factor_lr`` is ``r`` times the peak rate. Past the end
    the multiplier stays at max(r, d).

    Source: Zhang et al., Dive into Deep Learning, 12.11.4.1, https://d2l.ai/chapter_optimization/lr-scheduler.html
    """

    searched: ClassVar[Mapping[str, Range]] = {
        "factor_total_decay": Range(1e-4, 0.5, "log", 1e-2),
        "final_ratio": FINAL_RATIO,
    }
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["factor"] = "factor"
    total_decay: Annotated[Number, Field(gt=0, le=1)] = 0.01
    final_ratio: Fraction = 0.0

    def shape(self, t: int, horizon: int) -> float:
        return max(self.final_ratio, float(self.total_decay ** (t / horizon)))

    def source(self, horizon: int) -> str:
        decay = f"{self.total_decay!r} ** (t / {horizon})"
        return f"max({self.final_ratio!r}, {decay})" if self.final_ratio else decay


class MultiFactor(Shape):
    """A drop by ``gamma`` at each milestone.

    ::

        multiplier(t) = gamma ** (number of milestones m with updates_at(m, T) <= t)

    The update at a milestone is the first with the lower rate, as in torch's ``MultiStepLR`` and optax's
    ``piecewise_constant_schedule``; Keras's ``PiecewiseConstantDecay`` drops one update later. Past the end the
    multiplier stays where the last drop left it.

    A search places two drops by stick-breaking: ``multi_factor_first`` is the first milestone, and
    ``multi_factor_second`` the share of the rest of the run that passes before the second.

    Attributes:
        milestones: fractions of the run, strictly increasing, each inside (0, 1).
        gamma: what each drop multiplies the rate by.

    Source: He et al. (2016), section 3.4, arXiv:1512.03385 (drops by 0.1 at about half and three quarters).
    """

    searched: ClassVar[Mapping[str, Range]] = {
        "multi_factor_first": Range(0.2, 0.8, "linear", 0.5),
        "multi_factor_second": Range(0.2, 0.8, "linear", 0.5),
        "gamma": GAMMA,
    }
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["multi_factor"] = "multi_factor"
    milestones: Annotated[tuple[OpenFraction, ...], Field(min_length=1, max_length=20)] = (0.5, 0.75)
    gamma: OpenFraction = 0.1

    @field_validator("milestones")
    @classmethod
    def _refuse_disorder(cls, milestones: tuple[float, ...]) -> tuple[float, ...]:
        for earlier, later in pairwise(milestones):
            if earlier >= later:
                raise ValueError(f"milestones must be strictly increasing, got {earlier} before {later}")
        return milestones

    def shape(self, t: int, horizon: int) -> float:
        n_drops = sum(updates_at(milestone, horizon) <= t for milestone in self.milestones)
        return float(self.gamma**n_drops)

    def source(self, horizon: int) -> str:
        updates = [updates_at(milestone, horizon) for milestone in self.milestones]
        return f"{self.gamma!r} ** sum(milestone <= t for milestone in {updates})"

    def fair_from(self, horizon: int) -> int:
        """Before its first drop this family is a constant rate, whatever comes of it later."""
        return updates_at(self.milestones[0], horizon)

    def check(self, horizon: int) -> None:
        super().check(horizon)
        for earlier, later in pairwise(self.milestones):
            if updates_at(earlier, horizon) == updates_at(later, horizon):
                raise ValueError(
                    f"the milestones {earlier} and {later} both fall on update {updates_at(later, horizon)} "
                    f"of a horizon of {horizon}: they would act as one"
                )
        if updates_at(self.milestones[-1], horizon) >= horizon:
            raise ValueError(
                f"the milestone {self.milestones[-1]} falls past the last update of a horizon of {horizon}: "
                f"it would never act"
            )

    def summary(self) -> str:
        if len(self.milestones) > 4:
            places = f"{len(self.milestones)} milestones from {self.milestones[0]:.3g}"
        else:
            places = ", ".join(f"{milestone:.3g}" for milestone in self.milestones)
        return f"multi factor × {self.gamma:.3g} at {places}"

    @classmethod
    def shortest_for(cls, ranges: Mapping[str, Range]) -> int:
        """Two milestones that are a whole update apart never fall on one, however they are rounded."""
        rest = 1 - ranges["multi_factor_first"].high
        second = ranges["multi_factor_second"]
        between, after = rest * second.low, rest * (1 - second.high)
        return max(cls.shortest_horizon, math.ceil(1 / between), math.floor(0.5 / after) + 1)

    @classmethod
    def build(cls, values: Mapping[str, float]) -> Self:
        first, second = values["multi_factor_first"], values["multi_factor_second"]
        return cls.model_validate(
            {"milestones": (first, first + (1 - first) * second), "gamma": values.get("gamma", GAMMA.default)}
        )


class Cosine(Shape):
    """Half a cosine wave from 1 down to ``final_ratio``.

    ::

        multiplier(t) = r + (1 - r) * (1 + cos(pi * t / T)) / 2

    The floor is reached at t = T and stays; torch's ``CosineAnnealingLR`` climbs again.

    Source: Loshchilov and Hutter (2017), eq. 5 with one cycle, arXiv:1608.03983.
    """

    searched: ClassVar[Mapping[str, Range]] = {"final_ratio": FINAL_RATIO}
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["cosine"] = "cosine"
    final_ratio: Fraction = 0.0

    def shape(self, t: int, horizon: int) -> float:
        return self.final_ratio + (1 - self.final_ratio) * (1 + math.cos(math.pi * t / horizon)) / 2

    def source(self, horizon: int) -> str:
        return _above_floor(self.final_ratio, f"(1 + math.cos(math.pi * t / {horizon})) / 2")


class Linear(Shape):
    """A straight line from 1 down to ``final_ratio``: the polynomial of power 1.

    ::

        multiplier(t) = r + (1 - r) * (1 - t / T)

    The floor is reached at t = T and stays.

    Source: Defazio et al. (2023), arXiv:2310.07831 (the line to 0 is worst-case optimal).
    """

    searched: ClassVar[Mapping[str, Range]] = {"final_ratio": FINAL_RATIO}
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["linear"] = "linear"
    final_ratio: Fraction = 0.0

    def shape(self, t: int, horizon: int) -> float:
        return self.final_ratio + (1 - self.final_ratio) * (1 - t / horizon)

    def source(self, horizon: int) -> str:
        return _above_floor(self.final_ratio, f"(1 - t / {horizon})")


class Polynomial(Shape):
    """A power of what is left of the run, from 1 down to ``final_ratio``.

    ::

        multiplier(t) = r + (1 - r) * (1 - t / T) ** power

    The floor is reached at t = T and stays. Power 1 is ``Linear``; torch's ``PolynomialLR`` has r = 0.

    Source: Chen et al. (2017), section 4.1, arXiv:1606.00915 (the "poly" policy, power 0.9).
    """

    searched: ClassVar[Mapping[str, Range]] = {
        "polynomial_power": Range(0.5, 2.0, "log", 1.0),
        "final_ratio": FINAL_RATIO,
    }
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["polynomial"] = "polynomial"
    power: Annotated[Number, Field(gt=0, le=100)] = 1.0
    final_ratio: Fraction = 0.0

    def shape(self, t: int, horizon: int) -> float:
        return self.final_ratio + (1 - self.final_ratio) * float((1 - t / horizon) ** self.power)

    def source(self, horizon: int) -> str:
        return _above_floor(self.final_ratio, f"(1 - t / {horizon}) ** {self.power!r}")


class InverseSqrt(Shape):
    """One over the square root of the update, counted in units of a timescale.

    With s = ``updates_at(timescale_fraction, T)``, at least 1::

        multiplier(t) = sqrt(s / (s + t))

    A timescale of one update is d2l's ``SquareRootScheduler``, ``(t + 1) ** -0.5``. It
    never reaches 0, and past the end it stays at its value for t = T.

    Source: Vaswani et al. (2017), eq. 3, arXiv:1706.03762, where the timescale is the length of the warm-up.
    """

    searched: ClassVar[Mapping[str, Range]] = {"inverse_sqrt_timescale_fraction": Range(0.005, 0.3, "log", 0.05)}
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["inverse_sqrt"] = "inverse_sqrt"
    timescale_fraction: Annotated[Number, Field(gt=0, le=1)] = 0.05

    def shape(self, t: int, horizon: int) -> float:
        timescale = updates_at(self.timescale_fraction, horizon)
        return math.sqrt(timescale / (timescale + t))

    def source(self, horizon: int) -> str:
        timescale = updates_at(self.timescale_fraction, horizon)
        return f"math.sqrt({timescale} / ({timescale} + t))"


def _above_floor(floor: float, decay: str) -> str:
    return f"{floor!r} + {1 - floor!r} * {decay}" if floor else decay
