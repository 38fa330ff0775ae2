"""What a trial trains with, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from schedules.averaging import AnyAveraging
from schedules.base import OpenFraction, PlateauState, PositiveNumber, Schedule
from schedules.drops import Constant
from schedules.joins import AnySchedule, Warmup
from schedules.levels import between
from schedules.optimizers import AnyOptimizer


def _is_absent(value: object) -> bool:
    return value is None


class MomentumCurve(BaseModel):
    """How the optimizer's momentum moves between a lowest value and its own.

    With m the optimizer's own momentum (its beta1, where it is an Adam), l = ``low`` and f the curve::

        momentum(t) = l + (m - l) * f(t, T)

    So it is the optimizer's own where the curve is 1. With the mirror of a one-cycle rate it is torch's
    ``cycle_momentum``: ``max_momentum`` is the optimizer's, ``base_momentum`` is ``low``.

    Attributes:
        low: the momentum where the curve is 0, above 0 and below the optimizer's own.
        curve: any schedule that reads no metric.

    Source: Smith (2018), section 4.4, arXiv:1803.09820.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: OpenFraction = 0.85
    curve: AnySchedule

    def at(self, own: float, t: int, horizon: int) -> float:
        """Return the momentum at the update of index ``t`` of an optimizer whose own is ``own``.

        Raises:
            ValueError: ``t`` is negative or ``horizon`` is below 1.
        """
        return between("linear", self.curve(t, horizon), self.low, own)


class Complaint(NamedTuple):
    """What does not go together in a recipe.

    Attributes:
        rule: the id of the rule in ``rules.py``.
        where: the field that breaks it.
        sentence: what breaks it, and how.
    """

    rule: str
    where: tuple[str, ...]
    sentence: str


class Recipe(BaseModel):
    """An optimizer with its constants, the peak learning rate, and the schedule that scales it.

    The same schedules can also drive the weight decay and the momentum, and the weights can be averaged. What a
    recipe does without is left out of its JSON.

    Attributes:
        peak_lr: the learning rate where the schedule's multiplier is 1.
        weight_decay: a curve of its own for the weight decay, as a share of the optimizer's: the decay of
            update t is ``optimizer.weight_decay * weight_decay(t, T)``. Constant where there is none. An optimizer
            with decoupled decay multiplies it by the rate as well.
        momentum: a curve of its own for the momentum; constant where there is none.
        averaging: which average of the weights is judged; the weights themselves where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    optimizer: AnyOptimizer
    peak_lr: PositiveNumber
    schedule: AnySchedule
    weight_decay: Annotated[AnySchedule | None, Field(exclude_if=_is_absent)] = None
    momentum: Annotated[MomentumCurve | None, Field(exclude_if=_is_absent)] = None
    averaging: Annotated[AnyAveraging | None, Field(exclude_if=_is_absent)] = None

    def rate(self, t: int, horizon: int, state: PlateauState | None = None) -> float:
        """Return the learning rate of the update of index ``t``: the peak rate times the multiplier.

        Raises:
            ValueError: ``t`` is negative or ``horizon`` is below 1.
        """
        return self.peak_lr * self.multiplier(t, horizon, state)

    def multiplier(self, t: int, horizon: int, state: PlateauState | None = None) -> float:
        """Return the schedule's multiplier, or that of the averaging's tail where it has one.

        Raises:
            ValueError: ``t`` is negative or ``horizon`` is below 1.
        """
        own = self.schedule(t, horizon, state)
        if self.averaging is None:
            return own
        tail = self.averaging.tail_at(t, horizon)
        return own if tail is None else tail

    def weight_decay_at(self, t: int, horizon: int) -> float:
        """Return the optimizer's weight decay at the update of index ``t``.

        Raises:
            ValueError: ``t`` is negative or ``horizon`` is below 1.
        """
        own = self.optimizer.weight_decay
        return own if self.weight_decay is None else own * self.weight_decay(t, horizon)

    def momentum_at(self, t: int, horizon: int) -> float | None:
        """Return the optimizer's momentum, or beta1, at the update of index ``t``; None if it has none.

        Raises:
            ValueError: ``t`` is negative or ``horizon`` is below 1.
        """
        own = self.optimizer.memory
        return own if self.momentum is None or own is None else self.momentum.at(own, t, horizon)

    def fair_from(self, horizon: int) -> int:
        """Return the number of updates after which comparing this run with others says something about its end."""
        own = self.schedule.fair_from(horizon)
        return own if self.averaging is None else max(own, self.averaging.first(horizon))

    def check(self, horizon: int) -> None:
        """Refuse what cannot be done: a horizon too short, or parts that do not go together.

        Raises:
            ValueError: the schedule, a curve or the averaging needs more updates; a curve reads a metric, or drives
                a constant that the optimizer does not have; or the optimizer is schedule-free and something else
                schedules or averages as well.
        """
        self.schedule.check(horizon)
        for complaint in self.complaints():
            raise ValueError(complaint.sentence)
        for where, curve in self.curves():
            try:
                curve.check(horizon)
            except ValueError as error:
                raise ValueError(f"the curve of the {_words(where)}: {error}") from error
        if self.averaging is not None:
            self.averaging.check(horizon)

    @property
    def digest(self) -> str:
        """The SHA-256 of the recipe's canonical JSON, 64 hexadecimal digits; equal recipes have equal digests."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def summary(self) -> str:
        """Return one short line for tables, such as ``adamw 3.1e-03 · warmup 5% · cosine → 0.01``."""
        words = [f"{self.optimizer.kind} {self.peak_lr:.1e}", self.schedule.summary()]
        if self.weight_decay is not None:
            words.append(f"weight decay by {self.weight_decay.summary()}")
        if self.momentum is not None:
            words.append(f"momentum from {self.momentum.low:.3g} by {self.momentum.curve.summary()}")
        if self.averaging is not None:
            words.append(self.averaging.summary())
        return " · ".join(words)

    def curves(self) -> Iterator[tuple[tuple[str, ...], Schedule]]:
        """Iterate over the curves that drive something other than the rate, each with its place in the recipe."""
        if self.weight_decay is not None:
            yield ("weight_decay",), self.weight_decay
        if self.momentum is not None:
            yield ("momentum", "curve"), self.momentum.curve

    def complaints(self) -> Iterator[Complaint]:
        """Say what does not go together, whatever the horizon."""
        for where, curve in self.curves():
            if curve.start() is not None:
                said = f"the curve of the {_words(where)} must not read a metric, as {curve.kind!r} does"
                yield Complaint("curve-reads-a-metric", where, f"{said}: only the rate's can")
        if self.weight_decay is not None and self.optimizer.weight_decay == 0:
            rule, kind = "weight-decay-curve-without-weight-decay", self.optimizer.kind
            said = f"a curve of the weight decay needs a weight decay above 0, but that of the optimizer {kind!r} is 0"
            yield Complaint(rule, ("weight_decay",), said)
        if self.optimizer.is_schedule_free:
            yield from self._complaints_of_schedule_free()
        elif self.momentum is not None:
            yield from self._complaints_of_momentum(self.momentum)

    def _complaints_of_momentum(self, momentum: MomentumCurve) -> Iterator[Complaint]:
        kind, own = self.optimizer.kind, self.optimizer.memory
        if not own:
            said = f"a curve of the momentum needs a momentum above 0, but the optimizer {kind!r} has none"
            yield Complaint("momentum-curve-without-momentum", ("momentum",), said)
        elif momentum.low >= own:
            said = f"a curve of the momentum goes up to the optimizer's own, {own}, from below it"
            yield Complaint("peak-below-floor", ("momentum", "low"), f"{said}, not from {momentum.low}")

    def _complaints_of_schedule_free(self) -> Iterator[Complaint]:
        rule, kind, schedule = "schedule-free-with-a-schedule", self.optimizer.kind, self.schedule
        then = schedule.then if isinstance(schedule, Warmup) else schedule
        if not isinstance(then, Constant):
            said = f"the optimizer {kind!r} takes a constant schedule, under a warm-up or not, and no {then.kind!r}"
            yield Complaint(rule, ("schedule",), said)
        if self.momentum is not None:
            said = f"the optimizer {kind!r} averages by its momentum: it must stay what it is, and takes no curve"
            yield Complaint(rule, ("momentum",), said)
        if self.averaging is not None:
            said = f"the optimizer {kind!r} averages the weights itself, and takes no {self.averaging.kind!r} beside it"
            yield Complaint(rule, ("averaging",), said)


def _words(where: tuple[str, ...]) -> str:
    return where[0].replace("_", " ")
