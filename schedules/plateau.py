"""The family that reads a metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from schedules.base import (
    FINAL_RATIO,
    GAMMA,
    Count,
    Fraction,
    Mode,
    NonNegativeNumber,
    OpenFraction,
    PlateauState,
    Range,
    Schedule,
    whole,
)


class Plateau(Schedule):
    """A drop by ``factor`` when the metric has stopped improving: ReduceLROnPlateau.

    Each reading is good or bad. It is good if it is finite and better than the best before it by more than
    ``threshold``: by ``threshold`` times the size of the best (``rel``) or by ``threshold`` itself (``abs``).
    When more than ``patience`` bad readings have come in a row::

        multiplier = max(final_ratio, factor * multiplier)

    unless that is a drop of no more than ``eps``, and the next ``cooldown`` readings are not counted as bad. At t = 0
    the multiplier is 1; between readings it holds; at T and after it is what the last reading left.

    Where libraries differ: with ``patience`` = p the drop comes at the (p + 1)-th bad reading in a row, as in
    torch; Keras and optax drop at the p-th. ``cooldown`` counts as in torch. For ``rel``, torch multiplies the
    best itself by 1 - threshold, so that any reading near a negative best passes for an improvement and
    the rate never drops; here the margin is a share of its absolute value, the same for positive metrics.
    NaN is bad, as in torch; so is an infinite reading, even one of the good sign. The floor is torch's
    ``min_lr`` as a share of the peak rate, and ``eps`` is torch's as a share of it: 0 here, where torch by default
    makes no drop of less than 1e-8, so that its rate never falls below about that.

    Attributes:
        patience: bad readings in a row that are borne.
        cooldown: readings after a drop during which none is counted as bad.
        mode: ``min`` if the metric improves by falling, ``max`` by rising.
        final_ratio: the floor of the multiplier.
        eps: a drop of the multiplier by no more than this is not made.

    Source: ``torch.optim.lr_scheduler.ReduceLROnPlateau``,
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html
    """

    searched: ClassVar[Mapping[str, Range]] = {
        "gamma": replace(GAMMA, default=0.5),
        "plateau_patience": Range(1.0, 5.0, "linear", 3.0),
        "final_ratio": FINAL_RATIO,
        "plateau_cooldown": Range(0.0, 0.0),
        "plateau_threshold": Range(1e-4, 1e-4, "log"),
    }

    kind: Literal["plateau"] = "plateau"
    factor: OpenFraction = 0.1
    patience: Count = 10
    cooldown: Count = 0
    threshold: NonNegativeNumber = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    mode: Mode = "min"
    final_ratio: Fraction = 0.0
    # left out where it is 0, so that a recipe from before it existed has the text it had
    eps: Annotated[Fraction, Field(exclude_if=lambda eps: eps == 0)] = 0.0

    def multiplier(self, t: int, horizon: int, state: PlateauState | None) -> float:
        return 1.0 if state is None else state.multiplier

    def start(self) -> PlateauState:
        return PlateauState()

    def observe(self, state: PlateauState, metric: float, t: int, horizon: int) -> PlateauState:
        is_good = self._is_better(metric, state.best)
        n_bad = 0 if is_good or state.cooldown_left > 0 else state.n_bad + 1
        drops = n_bad > self.patience
        return PlateauState(
            multiplier=self._dropped(state.multiplier) if drops else state.multiplier,
            best=metric if is_good else state.best,
            n_bad=0 if drops else n_bad,
            cooldown_left=self.cooldown if drops else max(state.cooldown_left - 1, 0),
        )

    def with_mode(self, mode: Mode) -> Self:
        return self.model_copy(update={"mode": mode})

    def summary(self) -> str:
        floor = f" → {self.final_ratio:.3g}" if self.final_ratio else ""
        return f"plateau × {self.factor:.3g} patience {self.patience}{floor}"

    @classmethod
    def build(cls, values: Mapping[str, float]) -> Self:
        """Make a plateau from searched values: ``gamma`` is its factor; patience and cooldown are rounded."""
        fields: dict[str, float] = {name.removeprefix("plateau_"): value for name, value in values.items()}
        fields["factor"] = fields.pop("gamma")
        counts = {name: whole(fields[name]) for name in ("patience", "cooldown") if name in fields}
        return cls.model_validate(fields | counts)

    def _dropped(self, multiplier: float) -> float:
        lower = max(self.final_ratio, self.factor * multiplier)
        return lower if multiplier - lower > self.eps else multiplier

    def _is_better(self, metric: float, best: float | None) -> bool:
        if not math.isfinite(metric):
            return False
        if best is None:
            return True
        sign = 1.0 if self.mode == "max" else -1.0
        if self.threshold_mode == "abs":
            return sign * metric > sign * (best + sign * self.threshold)
        return sign * metric > sign * best * (1 + math.copysign(self.threshold, sign * best))
