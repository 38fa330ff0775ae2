"""Cyclical rates: up and down between a base and the peak, again and again, and how a run is cut into cycles.

In the formulas t is the update and T the horizon.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schedules.base import Fraction, Number, Range, Shape, updates_at

Amplitude = Literal["triangular", "triangular2", "exp_range"]
HalfCycle = Annotated[Number, Field(ge=1e-9, lt=1)]


class Cyclic(Shape):
    """Straight up from a base to the peak and straight down again, in cycles whose height stays or shrinks.

    With b = ``base_ratio``, U = ``rise_fraction`` * T, D = ``fall_fraction`` * T (U where there is none), the cycle
    c = floor(t / (U + D)) and the place x = t - c * (U + D) in it::

        multiplier(t) = b + (1 - b) * height(t) * min(x / U, (U + D - x) / D)

        height(t) = 1                          triangular
        height(t) = 0.5 ** c                   triangular2
        height(t) = total_decay ** (t / T)     exp_range

    At t = 0 it is the base, at t = c * (U + D) the base again, at T and after it is wherever in a cycle T falls. The
    half-cycles are not rounded to whole updates, so that cycles do not drift; a peak between two updates is passed
    by. The base is the first rate: a warm-up of its own it needs none.

    Where libraries differ: torch's ``CyclicLR`` is the same with ``step_size_up`` = U and ``step_size_down`` = D, but
    goes on past T, cycles the momentum too unless told not to, and gives the decay of ``exp_range`` per update, as
    ``gamma`` = ``total_decay ** (1 / T)``. fairseq's ``triangular`` shrinks its peaks by 0.1 by default.

    Attributes:
        base_ratio: the base as a share of the peak rate.
        rise_fraction: share of the run that each rise takes.
        fall_fraction: share of the run that each fall takes; as long as the rise where there is none.
        mode: how the height of a cycle changes.
        total_decay: for ``exp_range`` and nothing else: the share of the height that the whole run leaves.

    Source: Smith (2017), section 3, arXiv:1506.01186.
    """

    searched: ClassVar[Mapping[str, Range]] = {
        "cyclic_base_ratio": Range(0.1, 1 / 3, "linear", 0.25),
        "cyclic_rise_fraction": Range(0.02, 0.25, "log", 0.1),
        "cyclic_total_decay": Range(0.01, 1.0, "log", 0.1),
    }
    shortest_horizon: ClassVar[int] = 2
    brings_warmup: ClassVar[bool] = True

    kind: Literal["cyclic"] = "cyclic"
    base_ratio: Fraction = 0.25
    rise_fraction: HalfCycle = 0.1
    fall_fraction: HalfCycle | None = None
    mode: Amplitude = "triangular"
    total_decay: Annotated[Number, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _refuse_what_does_not_go_together(self) -> Self:
        if self.rise_fraction + self._fall > 1:
            raise ValueError(
                f"a cycle must end within the run, but a rise of {self.rise_fraction} and a fall of {self._fall} "
                f"are longer than all of it"
            )
        if (self.mode == "exp_range") != (self.total_decay is not None):
            raise ValueError(
                f"total_decay belongs to the mode 'exp_range' and to no other, got {self.total_decay} "
                f"with the mode {self.mode!r}"
            )
        return self

    @property
    def _fall(self) -> float:
        return self.rise_fraction if self.fall_fraction is None else self.fall_fraction

    def halves(self, horizon: int) -> tuple[float, float]:
        """Return how many updates each rise and each fall takes; they need not be whole."""
        return self.rise_fraction * horizon, self._fall * horizon

    def shape(self, t: int, horizon: int) -> float:
        up, down = self.halves(horizon)
        cycle, place = divmod(t, up + down)
        height = self._height(cycle, t / horizon) * min(place / up, (up + down - place) / down)
        return self.base_ratio + (1 - self.base_ratio) * height

    def _height(self, cycle: float, progress: float) -> float:
        if self.total_decay is not None:
            return float(self.total_decay**progress)
        return float(0.5**cycle) if self.mode == "triangular2" else 1.0

    def source(self, horizon: int) -> str:
        up, down = self.halves(horizon)
        whole = up + down
        triangle = f"min(t % {whole!r} / {up!r}, ({whole!r} - t % {whole!r}) / {down!r})"
        if self.total_decay is not None:
            triangle = f"{self.total_decay!r} ** (t / {horizon}) * {triangle}"
        elif self.mode == "triangular2":
            triangle = f"0.5 ** (t // {whole!r}) * {triangle}"
        return f"{self.base_ratio!r} + {1 - self.base_ratio!r} * {triangle}"

    def fair_from(self, horizon: int) -> int:
        """Return the update of the last peak: from there on the rate only falls, as far as the run goes."""
        up, down = self.halves(horizon)
        n_cycles = math.floor((horizon - up) / (up + down))
        return min(math.ceil(n_cycles * (up + down) + up), horizon)

    def check(self, horizon: int) -> None:
        super().check(horizon)
        for name, n_updates in zip(("rise", "fall"), self.halves(horizon), strict=True):
            if n_updates < 1:
                raise ValueError(
                    f"each {name} of the schedule 'cyclic' needs at least 1 update, "
                    f"got {n_updates:.3g} of a horizon of {horizon}"
                )

    def summary(self) -> str:
        decay = "" if self.total_decay is None else f" total decay {self.total_decay:.3g}"
        fall = "" if self.fall_fraction is None else f" fall {100 * self.fall_fraction:.3g}%"
        return f"{self.mode} from {self.base_ratio:.3g} rise {100 * self.rise_fraction:.3g}%{fall}{decay}"

    @classmethod
    def shortest_for(cls, ranges: Mapping[str, Range]) -> int:
        return max(cls.shortest_horizon, math.ceil(1 / ranges["cyclic_rise_fraction"].low) + 1)

    @classmethod
    def build(cls, values: Mapping[str, float]) -> Self:
        """Make cycles of shrinking height; a ``cyclic_total_decay`` of 1 keeps it, as triangular does."""
        fields = {name.removeprefix("cyclic_"): value for name, value in values.items()}
        return cls.model_validate({"mode": "exp_range", **fields})


@lru_cache(maxsize=64)
def equal_run(n_cycles: int, t_mult: float, horizon: int) -> tuple[int, ...]:
    """Return the updates at which cycles begin that fill a run, each ``t_mult`` times as long, and last its end."""
    shares = [t_mult**number for number in range(n_cycles)]
    total = math.fsum(shares)
    inner = (updates_at(math.fsum(shares[:number]) / total, horizon) for number in range(1, n_cycles))
    return (0, *inner, horizon)


@lru_cache(maxsize=64)
def cut_run(first_fraction: float, t_mult: float, horizon: int) -> tuple[int, ...]:
    """Return the updates at which cycles begin, the first so long, and last where the one cut off would end."""
    found, place, share = [0], 0.0, first_fraction
    while found[-1] < horizon:
        place, share = place + share, share * t_mult
        found.append(updates_at(place, horizon))
    return tuple(found)
