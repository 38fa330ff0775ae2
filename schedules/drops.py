"""Families that hold a level and drop to the next: constant, evenly spaced drops, drops anywhere.

In the formulas t is the update and T the horizon. The update at a drop is the first with the lower rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator

from schedules.base import GAMMA, Fraction, OpenFraction, Range, Shape, updates_at, whole


class Constant(Shape):
    """The peak rate throughout: ``multiplier(t) = 1``, at t = 0, at T and after it.

    Where libraries differ: torch's ``ConstantLR`` is by default a third of the rate for five updates and the rate
    itself after; only with ``factor=1`` is it constant.

    Source: Bottou et al. (2018), section 4.2, arXiv:1606.04838 (the fixed stepsize).
    """

    kind: Literal["constant"] = "constant"

    def shape(self, t: int, horizon: int) -> float:
        return 1.0

    def source(self, horizon: int) -> str:
        return "1.0"


class Step(Shape):
    """So many drops by ``gamma``, evenly spaced.

    With n = ``drops`` and r = ``final_ratio``::

        multiplier(t) = max(r, gamma ** (number of i in 1 .. n with updates_at(i / (n + 1), T) <= t))

    The drops part the run into n + 1 stretches of equal length, the last of which ends at T. At t = 0 it is 1; from
    the last drop on, at T and after, it is max(r, gamma ** n).

    Where libraries differ: torch's ``StepLR``, timm's ``step`` and optax's ``exponential_decay`` with ``staircase``
    drop every ``step_size`` updates, the same as here where T is n + 1 times that, and go on dropping past T; optax
    alone has the floor (``end_value``).

    Attributes:
        drops: how many, from 1 to 100.

    Source: ``torch.optim.lr_scheduler.StepLR``,
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """

    searched: ClassVar[Mapping[str, Range]] = {
        "step_drops": Range(1.0, 4.0, "linear", 2.0),
        "gamma": GAMMA,
    }
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["step"] = "step"
    drops: Annotated[int, Field(strict=True, ge=1, le=100)] = 2
    gamma: OpenFraction = 0.1
    final_ratio: Fraction = 0.0

    def drops_at(self, horizon: int) -> tuple[int, ...]:
        """Return the updates at which the rate drops."""
        return tuple(updates_at(number / (self.drops + 1), horizon) for number in range(1, self.drops + 1))

    def shape(self, t: int, horizon: int) -> float:
        n_drops = sum(milestone <= t for milestone in self.drops_at(horizon))
        return max(self.final_ratio, float(self.gamma**n_drops))

    def source(self, horizon: int) -> str:
        level = f"{self.gamma!r} ** sum(milestone <= t for milestone in {list(self.drops_at(horizon))})"
        return f"max({self.final_ratio!r}, {level})" if self.final_ratio else level

    def fair_from(self, horizon: int) -> int:
        """Before its first drop this family is a constant rate, whatever comes of it later."""
        return self.drops_at(horizon)[0]

    def check(self, horizon: int) -> None:
        super().check(horizon)
        if horizon <= self.drops:
            raise ValueError(
                f"{self.drops} drops need at least {self.drops + 1} updates, got a horizon of {horizon}: "
                f"two of them would act as one"
            )

    def summary(self) -> str:
        floor = f" → {self.final_ratio:.3g}" if self.final_ratio else ""
        return f"step {self.drops} × {self.gamma:.3g}{floor}"

    @classmethod
    def shortest_for(cls, ranges: Mapping[str, Range]) -> int:
        return max(cls.shortest_horizon, whole(ranges["step_drops"].high) + 1)

    @classmethod
    def build(cls, values: Mapping[str, float]) -> Self:
        """Make steps from searched values: the number of drops is rounded to a whole number."""
        rest = {name: value for name, value in values.items() if name != "step_drops"}
        return cls.model_validate({"drops": whole(values["step_drops"]), **rest})


class MultiFactor(Shape):
    """A drop by ``gamma`` at each milestone.

    ::

        multiplier(t) = gamma ** (number of milestones m with updates_at(m, T) <= t)

    At t = 0 it is 1, at T and after it is where the last drop left it.

    Where libraries differ: the update at a milestone is the first with the lower rate, as in torch's ``MultiStepLR``,
    timm's ``multistep`` and optax's ``piecewise_constant_schedule``; Keras's ``PiecewiseConstantDecay`` drops one
    update later. torch counts a milestone that is named twice twice, and one that is not whole never; neither can be
    written here.

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

    def drops_at(self, horizon: int) -> tuple[int, ...]:
        """Return the updates at which the rate drops."""
        return tuple(updates_at(milestone, horizon) for milestone in self.milestones)

    def shape(self, t: int, horizon: int) -> float:
        n_drops = sum(milestone <= t for milestone in self.drops_at(horizon))
        return float(self.gamma**n_drops)

    def source(self, horizon: int) -> str:
        return f"{self.gamma!r} ** sum(milestone <= t for milestone in {list(self.drops_at(horizon))})"

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
