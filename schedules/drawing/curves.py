"""What a picture shows: curves over one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schedules.base import Schedule
from schedules.drawing.sampling import asking, asking_with_readings, corners, sampled
from schedules.recipe import Recipe

RateAxis = Literal["linear", "log"]

MOST_CURVES = 20
"""More lines than this nobody can tell apart in one frame."""

_MOST_POINTS = 500


@dataclass(frozen=True)
class Curve:
    """One line of a chart: a schedule, or all that a recipe schedules.

    Attributes:
        label: its name in the picture; its summary where there is none.
        peak_lr: the rate where the multiplier is 1; a recipe's own where there is none. Without either, the
            curve is a share of the peak rate.
        readings: what a schedule that reads a metric is told, evenly over the run, the last at its end.
    """

    what: Recipe | Schedule
    label: str = ""
    peak_lr: float | None = None
    readings: Sequence[float] = ()

    @property
    def name(self) -> str:
        """What the picture calls it."""
        return self.label or self.what.summary()

    @property
    def schedule(self) -> Schedule:
        """The schedule of the rate."""
        return self.what.schedule if isinstance(self.what, Recipe) else self.what

    @property
    def peak(self) -> float | None:
        """The rate where the multiplier is 1; None for a share of it."""
        if self.peak_lr is None and isinstance(self.what, Recipe):
            return self.what.peak_lr
        return self.peak_lr

    @property
    def is_blind(self) -> bool:
        """Whether it is drawn without the readings that it would act on."""
        return self.schedule.start() is not None and not self.readings

    def points(self, horizon: int, limit: int = _MOST_POINTS) -> list[tuple[int, float]]:
        """Return (update, multiplier) pairs, by rising update."""
        places = corners(self.what, horizon)
        if not self.readings:
            return sampled(asking(self.what, horizon), horizon, limit, places)
        ask, told = asking_with_readings(self.schedule, horizon, self.readings)
        places += [t for update in told for t in (update - 1, update) if t >= 0]
        return sampled(ask, horizon, limit, sorted(places))


@dataclass(frozen=True)
class Chart:
    """One or many curves over a run.

    Attributes:
        horizon: updates of the whole run.
        rate_axis: how the rate is drawn.
        updates_per_epoch: where it is given, the axis of the run counts epochs of so many updates.
        title: what stands above; the curve's name, or how many there are, where there is none.

    Raises:
        ValueError: there is no curve or more than ``MOST_CURVES``, some have a peak rate and some have none, or the
            horizon or the updates per epoch are below 1.
    """

    curves: tuple[Curve, ...]
    horizon: int
    rate_axis: RateAxis = "linear"
    updates_per_epoch: int | None = None
    title: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.curves) <= MOST_CURVES:
            raise ValueError(f"a chart has from 1 to {MOST_CURVES} curves, got {len(self.curves)}")
        if self.horizon < 1:
            raise ValueError(f"a run has at least 1 update, got a horizon of {self.horizon}")
        if self.updates_per_epoch is not None and self.updates_per_epoch < 1:
            raise ValueError(f"an epoch has at least 1 update, got {self.updates_per_epoch}")
        without = [curve.name for curve in self.curves if curve.peak is None]
        if 0 < len(without) < len(self.curves):
            raise ValueError(
                f"either all curves of a chart have a peak rate or none has, but {without[0]!r} has none: "
                f"a rate and a share of one have no common axis"
            )

    @property
    def peak(self) -> float | None:
        """The highest peak rate; None where the curves are shares of it."""
        return max((curve.peak for curve in self.curves if curve.peak is not None), default=None)
