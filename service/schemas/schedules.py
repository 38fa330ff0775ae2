"""Schedules and recipes in the API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from schedules import AnySchedule, Recipe
from service.schemas.base import Body, Out

LONGEST_HORIZON = 1_000_000_000


class RangeOut(Out):
    """Where a searched parameter lies."""

    low: float
    high: float
    scale: Literal["linear", "log", "one_minus_log"]
    default: float


class FamilyOut(Out):
    """A family of schedules.

    Attributes:
        searched: the parameters that a search varies, and their ranges.
        parameters: JSON schema of the schedule's own fields.
    """

    kind: str
    description: str
    searched: dict[str, RangeOut]
    parameters: dict[str, Any]


class OptimizerOut(Out):
    """An optimizer and the ranges that a search takes when the study names none."""

    kind: str
    description: str
    ranges: dict[str, RangeOut]


class FamiliesOut(Out):
    """All that a space may name."""

    families: list[FamilyOut]
    optimizers: list[OptimizerOut]


class PreviewBody(Body):
    """A schedule to draw.

    Attributes:
        horizon: updates of the whole run.
        peak_lr: the rate where the multiplier is 1.
        limit: how many points are wanted at most.
    """

    schedule: AnySchedule
    horizon: Annotated[int, Field(ge=1, le=LONGEST_HORIZON)] = 1000
    peak_lr: Annotated[float, Field(ge=1e-12, le=1e6)] = 1.0
    limit: Annotated[int, Field(ge=2, le=2000)] = 500


class PreviewPoint(Out):
    """The multiplier and the rate of one update."""

    update: int
    multiplier: float
    rate: float


class PreviewOut(Out):
    """A schedule in points; one that reads a metric is drawn as if there were no reading."""

    kind: str
    summary: str
    horizon: int
    peak_lr: float
    points: list[PreviewPoint]


class CheckBody(Body):
    """A recipe to check against the length of a run."""

    recipe: Recipe
    horizon: Annotated[int, Field(ge=1, le=LONGEST_HORIZON)]


class CheckOut(Out):
    """The recipe can be trained.

    Attributes:
        fair_from: the first update from which comparing it with rivals is fair.
    """

    recipe: Recipe
    summary: str
    digest: str
    horizon: int
    fair_from: int
