"""Families that fall without a step from update 0 to the end of the run, one class each.

In the formulas t is the update, T the horizon and r the ``final_ratio``. All hold for 0 <= t <= T; past the
end the value at t = T stays. The last update of a run is t = T - 1, so a floor that is reached at t = T is
reached one past the last update, as in torch, timm, transformers, optax and Keras.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schedules.base import FINAL_RATIO, Fraction, Number, Range, Shape, updates_at
from schedules.levels import above_floor, descend, descend_source


class Factor(Shape):
    """The same factor at every update, down to a floor: exponential decay.

    With d = ``total_decay``, the share of the peak that a whole run would leave::

        multiplier(t) = max(r, d ** (t / T))

    At t = 0 it is 1, at T and after it is max(r, d). The factor per update is ``d ** (1 / T)``.

    Where libraries differ: that factor is torch's ``gamma`` in ``ExponentialLR``, which has no floor and goes on
    falling past T; optax's ``exponential_decay`` has our floor as ``end_value``, Keras's ``ExponentialDecay`` has
    none; the ``factor`` of d2l's ``FactorScheduler`` is the same, its ``stop_factor_lr`` is ``r`` times the peak rate.

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


class Cosine(Shape):
    """Half a cosine wave from 1 down to ``final_ratio``.

    With k = ``k_decay``::

        multiplier(t) = r + (1 - r) * (1 + cos(pi * (t / T) ** k)) / 2

    At t = 0 it is 1, at T and after it is r. With k above 1 it stays high for longer and falls later, with k
    below 1 it falls at once.

    Where libraries differ: torch's ``CosineAnnealingLR`` climbs again after T; timm, optax, Keras and transformers
    stay, as here. transformers' ``cosine_with_min_lr`` with ``warmup_type`` counts from t + 1. ``k_decay`` is timm's;
    optax's ``exponent`` is another thing, a power of the whole wave.

    Source: Loshchilov and Hutter (2017), eq. 5 with one cycle, arXiv:1608.03983; k: Zhang and Li (2020),
    arXiv:2004.05909.
    """

    searched: ClassVar[Mapping[str, Range]] = {
        "final_ratio": FINAL_RATIO,
        "cosine_k_decay": Range(1.0, 1.0, "log"),
    }
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["cosine"] = "cosine"
    final_ratio: Fraction = 0.0
    # left out where it is 1, so that a recipe from before it existed has the text it had
    k_decay: Annotated[Number, Field(gt=0, le=100, exclude_if=lambda k: k == 1)] = 1.0

    def shape(self, t: int, horizon: int) -> float:
        progress = t / horizon if self.k_decay == 1 else (t / horizon) ** self.k_decay
        return descend("cosine", progress, self.final_ratio)

    def source(self, horizon: int) -> str:
        progress = f"t / {horizon}" if self.k_decay == 1 else f"(t / {horizon}) ** {self.k_decay!r}"
        return descend_source("cosine", progress, self.final_ratio)


class Linear(Shape):
    """A straight line from 1 down to ``final_ratio``: the polynomial of power 1.

    ::

        multiplier(t) = r + (1 - r) * (1 - t / T)

    At t = 0 it is 1, at T and after it is r.

    Where libraries differ: torch's ``LinearLR`` multiplies from ``start_factor`` to ``end_factor`` and rises by
    default; transformers' ``linear`` ends at 0; optax's ``linear_schedule`` and timm's ``poly`` of power 1 are the
    same as here.

    Source: Defazio et al. (2023), arXiv:2310.07831 (the line to 0 is worst-case optimal).
    """

    searched: ClassVar[Mapping[str, Range]] = {"final_ratio": FINAL_RATIO}
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["linear"] = "linear"
    final_ratio: Fraction = 0.0

    def shape(self, t: int, horizon: int) -> float:
        return descend("linear", t / horizon, self.final_ratio)

    def source(self, horizon: int) -> str:
        return descend_source("linear", f"t / {horizon}", self.final_ratio)


class Polynomial(Shape):
    """A power of what is left of the run, from 1 down to ``final_ratio``.

    ::

        multiplier(t) = r + (1 - r) * (1 - t / T) ** power

    At t = 0 it is 1, at T and after it is r. Power 1 is ``Linear``.

    Where libraries differ: torch's ``PolynomialLR`` has r = 0; transformers' ``polynomial`` ends at an absolute
    ``lr_end``, 1e-7 by default; Keras's ``PolynomialDecay`` at an absolute 1e-4 by default; timm names the power
    ``decay_rate``.

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
        return above_floor(self.final_ratio, f"(1 - t / {horizon}) ** {self.power!r}")


class OneMinusSqrt(Shape):
    """One minus the square root of the progress, from 1 down to ``final_ratio``: steep at first, then ever flatter.

    ::

        multiplier(t) = r + (1 - r) * (1 - sqrt(t / T))

    At t = 0 it is 1, at T and after it is r. It is best known as the decay of a late cooldown (``Wsd``,
    ``Cooldown``), and is here a family of its own.

    Where libraries differ: transformers and timm have it as the ``1-sqrt`` of their WSD schedules, torch, optax and
    Keras not at all. In all of them t / T reaches 1 one past the last update, as here; over a short decay the last
    update is therefore well above the floor.

    Source: Hägele et al. (2024), section 3, arXiv:2405.18392.
    """

    searched: ClassVar[Mapping[str, Range]] = {"final_ratio": FINAL_RATIO}
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["one_minus_sqrt"] = "one_minus_sqrt"
    final_ratio: Fraction = 0.0

    def shape(self, t: int, horizon: int) -> float:
        return descend("one_minus_sqrt", t / horizon, self.final_ratio)

    def source(self, horizon: int) -> str:
        return descend_source("one_minus_sqrt", f"t / {horizon}", self.final_ratio)


class InverseSqrt(Shape):
    """One over the square root of the update, counted in units of a timescale.

    With s = ``updates_at(timescale_fraction, T)``, at least 1, and h = ``updates_at(shift_fraction, T)``::

        multiplier(t) = sqrt(s / (s + h + t))

    At t = 0 it is 1 where nothing is shifted; it never reaches 0. At T and after it is its value for t = T. A
    shift is how far the decay had come before update 0: the run goes on with one that began h updates earlier.

    Where libraries differ: a timescale of one update is d2l's ``SquareRootScheduler``, ``(t + 1) ** -0.5``. After a
    warm-up of W updates, fairseq's ``inverse_sqrt`` and transformers' with no ``timescale`` of its own have s = W;
    the ``shift`` of transformers is what makes its curve meet the peak at W, which here the join does.

    Source: Vaswani et al. (2017), eq. 3, arXiv:1706.03762, where the timescale is the length of the warm-up.
    """

    searched: ClassVar[Mapping[str, Range]] = {
        "inverse_sqrt_timescale_fraction": Range(0.005, 0.3, "log", 0.05),
        "inverse_sqrt_shift_fraction": Range(0.0, 0.0),
    }
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["inverse_sqrt"] = "inverse_sqrt"
    timescale_fraction: Annotated[Number, Field(gt=0, le=1)] = 0.05
    shift_fraction: Annotated[Fraction, Field(exclude_if=lambda shift: shift == 0)] = 0.0

    def shape(self, t: int, horizon: int) -> float:
        timescale = updates_at(self.timescale_fraction, horizon)
        return math.sqrt(timescale / (timescale + updates_at(self.shift_fraction, horizon) + t))

    def source(self, horizon: int) -> str:
        timescale = updates_at(self.timescale_fraction, horizon)
        begun = timescale + updates_at(self.shift_fraction, horizon)
        return f"math.sqrt({timescale} / ({begun} + t))"
