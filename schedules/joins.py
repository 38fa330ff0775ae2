"""Schedules made of other schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from schedules.base import Fraction, Mode, Number, PlateauState, Range, Schedule, updates_at
from schedules.families import AnyFamily, Family


class Warmup(Schedule):
    """A straight ramp up to where another schedule begins, and then that schedule over the rest of the run.

    With W = ``updates_at(fraction, T)``, s = ``start_ratio`` and the other schedule f::

        multiplier(t) = (s + (1 - s) * (t + 1) / W) * f(0, T - W)     for t < W
        multiplier(t) = f(t - W, T - W)                               for t >= W

    The last update of the warm-up runs at the peak, and none at rate 0; torch's ``LinearLR`` reaches the peak one
    update later and starts at its ``start_factor`` exactly. Readings of a metric during the
    warm-up are not counted.

    Attributes:
        fraction: share of the run that the ramp takes; 0 is no warm-up.
        start_ratio: where the ramp sets off, one step before the first update.
        then: the schedule after the ramp; it sees a run of T - W updates.

    Source: Goyal et al. (2017), section 2.2, arXiv:1706.02677.
    """

    searched: ClassVar[Mapping[str, Range]] = {"warmup_fraction": Range(0.0, 0.2, "linear", 0.05)}

    kind: Literal["warmup"] = "warmup"
    fraction: Annotated[Number, Field(ge=0, lt=1)] = 0.05
    start_ratio: Fraction = 0.0
    then: AnyFamily

    def updates(self, horizon: int) -> int:
        """Return how many updates the ramp takes of a run of ``horizon`` updates."""
        return updates_at(self.fraction, horizon)

    def multiplier(self, t: int, horizon: int, state: PlateauState | None) -> float:
        n_ramp = self.updates(horizon)
        # a ramp as long as the run leaves nothing: check refuses it, a call still answers past the end
        rest = max(horizon - n_ramp, 1)
        if t >= n_ramp:
            return self.then(t - n_ramp, rest, state)
        return (self.start_ratio + (1 - self.start_ratio) * (t + 1) / n_ramp) * self.then(0, rest)

    def start(self) -> PlateauState | None:
        return self.then.start()

    def observe(self, state: PlateauState, metric: float, t: int, horizon: int) -> PlateauState:
        n_ramp = self.updates(horizon)
        if t < n_ramp:
            return state
        return self.then.observe(state, metric, t - n_ramp, max(horizon - n_ramp, 1))

    def with_mode(self, mode: Mode) -> Self:
        return self.model_copy(update={"then": self.then.with_mode(mode)})

    def fair_from(self, horizon: int) -> int:
        n_ramp = self.updates(horizon)
        return n_ramp + self.then.fair_from(max(horizon - n_ramp, 1))

    def check(self, horizon: int) -> None:
        super().check(horizon)
        rest = horizon - self.updates(horizon)
        if rest < 1:
            raise ValueError(
                f"a warm-up of {self.fraction} takes all of a horizon of {horizon}: "
                f"nothing is left for the schedule {self.then.kind!r}"
            )
        try:
            self.then.check(rest)
        except ValueError as error:
            raise ValueError(f"after a warm-up of {self.updates(horizon)} of {horizon} updates: {error}") from error

    def summary(self) -> str:
        return f"warmup {100 * self.fraction:.3g}% · {self.then.summary()}" if self.fraction else self.then.summary()


AnySchedule = Annotated[Family | Warmup, Field(discriminator="kind")]
"""Any schedule, told apart by its kind: the type of a field that holds one."""
