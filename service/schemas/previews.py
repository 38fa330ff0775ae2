"""Schedules to be looked at before anything is trained."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from schedules import AnySchedule, Recipe
from schedules.drawing import MOST_CURVES, Curve, MarkKind, marks
from schedules.drawing.colours import Theme
from schedules.drawing.curves import RateAxis
from schedules.drawing.png import MOST_ZOOM
from service.schemas.base import Body, Out

LONGEST_HORIZON = 1_000_000_000

PeakRate = Annotated[float | None, Field(ge=1e-12, le=1e6)]
Label = Annotated[str, Field(max_length=200)]


class PreviewCurve(Body):
    """One of many curves: a schedule or a recipe, one of both.

    Attributes:
        label: its name in the picture; its summary where there is none.
        peak_lr: the rate where the multiplier is 1; where there is none, a recipe's own, or that of the whole request.
    """

    schedule: AnySchedule | None = None
    recipe: Recipe | None = None
    label: Label = ""
    peak_lr: PeakRate = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (self.schedule is None) == (self.recipe is None):
            raise ValueError(f"a curve is a schedule or a recipe: one of them is needed, {_given(self)}")
        return self


class PreviewBody(Body):
    """A schedule to draw, or a recipe, or up to 20 of them in one picture.

    Attributes:
        schedules: curves, each a schedule or a recipe with a label.
        horizon: updates of the whole run.
        peak_lr: the rate where the multiplier is 1; where there is none, a recipe's own, or else the picture shows
            shares of the peak rate and the points have rates of a peak of 1.
        limit: how many points are wanted at most, of each curve; a picture chooses its own.
        rate_axis: how a picture draws the rate; what is more than four powers of ten below the peak is left out of
            a logarithmic one.
        updates_per_epoch: where it is given, a picture counts epochs of so many updates.
        title: what stands above a picture.
        theme: ``auto`` is light, and in an SVG dark where the reader's system is.
        zoom: pixels of a PNG per pixel of the SVG.
    """

    schedule: AnySchedule | None = None
    recipe: Recipe | None = None
    schedules: Annotated[tuple[PreviewCurve, ...] | None, Field(max_length=MOST_CURVES)] = None
    horizon: Annotated[int, Field(ge=1, le=LONGEST_HORIZON)] = 1000
    peak_lr: PeakRate = None
    limit: Annotated[int, Field(ge=2, le=2000)] = 500
    rate_axis: RateAxis = "linear"
    updates_per_epoch: Annotated[int | None, Field(ge=1, le=LONGEST_HORIZON)] = None
    title: Label = ""
    theme: Theme = "auto"
    zoom: Annotated[float, Field(ge=0.5, le=MOST_ZOOM)] = 1.5

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if [self.schedule, self.recipe, self.schedules].count(None) != 2:
            raise ValueError(
                f"a preview shows a schedule, a recipe or schedules: one of them is needed, {_given(self)}"
            )
        return self

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What is asked for, one or many."""
        alone = PreviewCurve.model_construct(schedule=self.schedule, recipe=self.recipe, peak_lr=self.peak_lr)
        asked = (alone,) if self.schedules is None else self.schedules
        return tuple(_curve(each, self.peak_lr) for each in asked)


class PreviewPoint(Out):
    """The multiplier and the rate of one update."""

    update: int
    multiplier: float
    rate: float


class PreviewMark(Out):
    """Where something happens.

    Attributes:
        update: the first update to which the new applies.
        kind: ``warmup``, ``restart``, ``cycle``, ``drop``, ``phase``, ``decay``, ``knot`` or ``averaging``.
        meaning: the same in words.
    """

    update: int
    kind: str
    meaning: str


class PreviewOut(Out):
    """A schedule in points; one that reads a metric is drawn as if there were no reading."""

    kind: str
    label: str
    summary: str
    horizon: int
    peak_lr: float
    points: list[PreviewPoint]
    marks: list[PreviewMark]


class PreviewsOut(Out):
    """Schedules in points, in the order of the request."""

    horizon: int
    schedules: list[PreviewOut]


def preview_out(curve: Curve, horizon: int, limit: int) -> PreviewOut:
    """A curve in points."""
    peak_lr = 1.0 if curve.peak is None else curve.peak
    return PreviewOut(
        kind=curve.schedule.kind,
        label=curve.name,
        summary=curve.what.summary(),
        horizon=horizon,
        peak_lr=peak_lr,
        points=[
            PreviewPoint(update=update, multiplier=multiplier, rate=peak_lr * multiplier)
            for update, multiplier in curve.points(horizon, limit)
        ],
        marks=[
            PreviewMark(update=mark.update, kind=mark.kind.name.lower(), meaning=mark.kind.value)
            for mark in marks(curve.what, horizon)
            if mark.kind is not MarkKind.TURN
        ],
    )


def _curve(asked: PreviewCurve, peak_lr: float | None) -> Curve:
    own = asked.peak_lr
    if asked.recipe is not None:
        return Curve(asked.recipe, asked.label, own)
    assert asked.schedule is not None
    return Curve(asked.schedule, asked.label, peak_lr if own is None else own)


def _given(body: PreviewCurve | PreviewBody) -> str:
    names = [name for name in ("schedule", "recipe", "schedules") if getattr(body, name, None) is not None]
    return f"got {' and '.join(names) or 'none'}"
