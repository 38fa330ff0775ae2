"""What a schedule is, how a fraction of a run becomes an update, and where a searched parameter lies."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

Mode = Literal["min", "max"]
Scale = Literal["linear", "log", "one_minus_log"]


def _without_sign_of_zero(number: float) -> float:
    """Two recipes that are equal must have one JSON text, and ``-0.0 == 0.0``."""
    return number + 0.0


Number = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(_without_sign_of_zero)]
"""A finite float; text and booleans are refused, so that what is stored is what was sent."""

Fraction = Annotated[Number, Field(ge=0, le=1)]
OpenFraction = Annotated[Number, Field(gt=0, lt=1)]
PositiveNumber = Annotated[Number, Field(gt=0)]
NonNegativeNumber = Annotated[Number, Field(ge=0)]
Count = Annotated[int, Field(strict=True, ge=0, le=10**9)]


def updates_at(fraction: float, horizon: int) -> int:
    """Turn a position in a run into a number of updates: ``floor(fraction * horizon + 0.5)``.

    A fraction above 0 is at least one update, so that what a schedule names also happens.
    """
    rounded = math.floor(fraction * horizon + 0.5)
    return max(rounded, 1) if fraction > 0 else rounded


def whole(value: float) -> int:
    """Turn a searched value into a whole number: ``floor(value + 0.5)``."""
    return math.floor(value + 0.5)


@dataclass(frozen=True)
class Range:
    """Where a searched parameter lies, and how a position in [0, 1] is mapped onto it.

    Attributes:
        low: the value at position 0.
        high: the value at position 1.
        scale: ``linear``; ``log``; or ``one_minus_log``, logarithmic in 1 - value, for momenta near 1.
        default: a good value when nothing is known, used by the first trials and where a study fixes it.

    Raises:
        ValueError: the bounds are upside down, not finite or not allowed by the scale, or the default lies outside.
    """

    low: float
    high: float
    scale: Scale = "linear"
    default: float = math.nan

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ValueError(f"a range needs finite bounds with low <= high, got {self.low} to {self.high}")
        if self.scale == "log" and self.low <= 0 and self.low != self.high:
            raise ValueError(f"a logarithmic range needs bounds above 0, got {self.low} to {self.high}")
        if self.scale == "one_minus_log" and self.high >= 1 and self.low != self.high:
            raise ValueError(f"a range that is logarithmic in 1 - value ends below 1, got {self.low} to {self.high}")
        if math.isnan(self.default):
            object.__setattr__(self, "default", self._at(0.5))
        if not self.low <= self.default <= self.high:
            raise ValueError(f"the default {self.default} lies outside the range {self.low} to {self.high}")

    def at(self, position: float) -> float:
        """Map a position in [0, 1] to a value; 0 is ``low`` and 1 is ``high`` exactly.

        Raises:
            ValueError: the position lies outside [0, 1].
        """
        if not 0 <= position <= 1:
            raise ValueError(f"a position lies in [0, 1], got {position}")
        return self._at(position)

    def position(self, value: float) -> float:
        """Map a value back to its position, the inverse of ``at``; 0 where the range is one value.

        Raises:
            ValueError: the value lies outside the range.
        """
        if not self.low <= value <= self.high:
            raise ValueError(f"the value {value} lies outside the range {self.low} to {self.high}")
        if self.low == self.high:
            return 0.0
        return min(max(self._position(value), 0.0), 1.0)

    def _at(self, position: float) -> float:
        if position == 0 or self.low == self.high:
            return self.low
        if position == 1:
            return self.high
        return min(max(self._between(position), self.low), self.high)

    def _between(self, position: float) -> float:
        match self.scale:
            case "linear":
                return self.low + (self.high - self.low) * position
            case "log":
                return float(self.low * (self.high / self.low) ** position)
            case "one_minus_log":
                return float(1 - (1 - self.low) * ((1 - self.high) / (1 - self.low)) ** position)

    def _position(self, value: float) -> float:
        match self.scale:
            case "linear":
                return (value - self.low) / (self.high - self.low)
            case "log":
                return math.log(value / self.low) / math.log(self.high / self.low)
            case "one_minus_log":
                return math.log((1 - value) / (1 - self.low)) / math.log((1 - self.high) / (1 - self.low))


FINAL_RATIO = Range(1e-4, 1e-1, "log", 1e-2)
"""Shared by all families with a floor: the share of the peak rate below which the schedule never falls."""

GAMMA = Range(0.1, 0.7, "log", 0.1)
"""Shared by all families that drop in steps: what the rate is multiplied by at each drop."""

DECAY_FRACTION = Range(0.05, 0.5, "linear", 0.2)
"""Shared by all families that hold the rate and decay late: the share of the run that the decay takes."""


class PlateauState(BaseModel):
    """What a schedule that reads a metric remembers between readings.

    Attributes:
        multiplier: the multiplier in force.
        best: the best finite metric so far; ``None`` before the first.
        n_bad: readings in a row without improvement, counted outside cooldown.
        cooldown_left: readings of cooldown still to come.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    multiplier: Fraction = 1.0
    best: Number | None = None
    n_bad: Count = 0
    cooldown_left: Count = 0


def _in_words(name: str, value: float) -> str:
    if name.endswith("_fraction"):
        return f"{name.removesuffix('_fraction').replace('_', ' ')} {100 * value:.3g}%"
    return f"{name.replace('_', ' ')} {value:.3g}"


class Schedule(BaseModel):
    """A map from updates already made to a multiplier in [0, 1] of the peak learning rate.

    The first update asks for ``t = 0``, a run of ``horizon`` updates ends with ``t = horizon - 1``, and from
    ``t = horizon`` on the multiplier stays what it is there. Positions are fractions of the horizon, so that
    one schedule serves any run. A schedule is a value: frozen, comparable, JSON.

    To add a family, write one class with ``kind``, ``shape`` and ``source`` (see ``Shape``) and name it in
    ``families.py``.

    Attributes:
        searched: the parameters that a search varies, by name. A name means the same, and has the same
            bounds and scale, in every family that has it; what only one family has starts with its kind. A
            range of one value is not searched unless a study gives it bounds.
        shortest_horizon: updates without which no schedule of the family can do what it says.
        brings_warmup: the family begins below the peak and rises to it; a search puts no warm-up before it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    searched: ClassVar[Mapping[str, Range]] = {}
    shortest_horizon: ClassVar[int] = 1
    brings_warmup: ClassVar[bool] = False

    kind: Annotated[str, StringConstraints(max_length=63)]

    def __call__(self, t: int, horizon: int, state: PlateauState | None = None) -> float:
        """Return the multiplier for the update of index ``t``.

        Args:
            t: updates already made, at least 0.
            horizon: updates of the whole run, at least 1.
            state: what ``start`` and ``observe`` returned, for a schedule that reads a metric; without one it
                answers as if there had been no reading.

        Raises:
            ValueError: ``t`` is negative or ``horizon`` is below 1.
        """
        if t < 0:
            raise ValueError(f"a schedule starts with update 0, got t = {t}")
        if horizon < 1:
            raise ValueError(f"a run has at least 1 update, got a horizon of {horizon}")
        return self.multiplier(min(t, horizon), horizon, state)

    @abstractmethod
    def multiplier(self, t: int, horizon: int, state: PlateauState | None) -> float:
        """Answer a call for ``t`` from 0 to ``horizon``, both included."""

    @property
    def parts(self) -> tuple[Schedule, ...]:
        """The schedules that this one is made of; none of a family that stands alone."""
        return ()

    @property
    def depth(self) -> int:
        """How many schedules lie around the innermost, itself included."""
        return 1 + max((part.depth for part in self.parts), default=0)

    @property
    def n_schedules(self) -> int:
        """How many schedules it is made of at any depth, itself included."""
        return 1 + sum(part.n_schedules for part in self.parts)

    def start(self) -> PlateauState | None:
        """Return the state before the first reading; ``None`` for a schedule that reads no metric."""
        return None

    def observe(self, state: PlateauState, metric: float, t: int, horizon: int) -> PlateauState:
        """Return the state after one reading of the metric; unchanged for a schedule that reads none.

        Args:
            metric: the value read, which may be NaN or infinite.
            t: updates made when it was read.
        """
        return state

    def with_mode(self, mode: Mode) -> Self:
        """Return this schedule for a metric that improves in this direction; itself if it reads none."""
        return self

    def fair_from(self, horizon: int) -> int:
        """Return the number of updates after which comparing this run with others says something about its end."""
        return 0

    def check(self, horizon: int) -> None:
        """Refuse a horizon in which the schedule cannot do what it says.

        Raises:
            ValueError: the horizon is too short.
        """
        if horizon < self.shortest_horizon:
            raise ValueError(
                f"the schedule {self.kind!r} needs at least {self.shortest_horizon} updates, got a horizon of {horizon}"
            )

    @classmethod
    def shortest_for(cls, ranges: Mapping[str, Range]) -> int:
        """Return a horizon from which on ``check`` passes for whatever a search builds from these ranges.

        Args:
            ranges: where each ``searched`` parameter is looked for, by name; others are ignored.
        """
        return cls.shortest_horizon

    def summary(self) -> str:
        """Return a few words for a table, such as ``cosine → 0.01``."""
        values = self.model_dump(exclude={"kind"})
        end = values.pop("final_ratio", 0)
        words = [self.kind.replace("_", " "), *(_in_words(name, value) for name, value in values.items())]
        return " ".join([*words, f"→ {end:.3g}"] if end else words)

    @classmethod
    def build(cls, values: Mapping[str, float]) -> Self:
        """Make a schedule of this family from values of its ``searched`` parameters, by name.

        Raises:
            ValueError: a value is out of bounds, or a name is not one of the family's.
        """
        prefix = f"{cls.model_fields['kind'].default}_"
        return cls.model_validate({name.removeprefix(prefix): value for name, value in values.items()})


class Shape(Schedule):
    """A family whose multiplier depends on the update alone."""

    def multiplier(self, t: int, horizon: int, state: PlateauState | None) -> float:
        return self.shape(t, horizon)

    @abstractmethod
    def shape(self, t: int, horizon: int) -> float:
        """Return the multiplier for ``t`` from 0 to ``horizon``, both included."""

    @abstractmethod
    def source(self, horizon: int) -> str:
        """Return ``shape`` as a Python expression in ``t``, with every number filled in; it may use ``math``."""
