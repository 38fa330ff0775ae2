"""The frames of a chart, one above the other: the rate, and what else a recipe drives."""

from __future__ import annotations

from dataclasses import dataclass

from schedules.drawing.axes import Axis, LinearAxis, LogAxis
from schedules.drawing.curves import Chart, Curve
from schedules.drawing.sampling import sampled
from schedules.drawing.words import number
from schedules.recipe import Recipe

Points = list[tuple[int, float]]

_TALL, _LOW = 250, 90
_MOST_POINTS = 300


@dataclass(frozen=True)
class Line:
    """One line in a frame: the number of its curve, and (update, value) pairs by rising update."""

    number: int
    points: Points


@dataclass(frozen=True)
class Panel:
    """One frame with an upright axis.

    Attributes:
        height: of the frame, in pixels.
        is_marked: whether signs stand on its lines.
        note: what a reader must know of it.
    """

    title: str
    axis: Axis
    height: float
    lines: tuple[Line, ...]
    is_marked: bool = False
    note: str = ""


def panels(chart: Chart) -> list[Panel]:
    """Return the frame of the rate and those of what the recipes drive beside it."""
    found = [_rate(chart)]
    for title, drive in (("weight decay", _weight_decay), ("momentum", _momentum)):
        lines = tuple(
            Line(at, points) for at, curve in enumerate(chart.curves) if (points := drive(curve, chart.horizon))
        )
        if lines:
            values = [value for each in lines for _, value in each.points]
            bottom = 0.0 if title == "weight decay" else min(values)
            found.append(Panel(title, LinearAxis(bottom, max(values), n_ticks=2), _LOW, lines))
    return found


def _rate(chart: Chart) -> Panel:
    lines = tuple(Line(at, _scaled(curve, chart.horizon)) for at, curve in enumerate(chart.curves))
    top, title = (1.0, "share of the peak rate") if chart.peak is None else (chart.peak, "learning rate")
    if chart.rate_axis == "linear":
        return Panel(title, LinearAxis(0.0, top), _TALL, lines, is_marked=True)
    values = [value for each in lines for _, value in each.points]
    axis = LogAxis(min((value for value in values if value > 0), default=top), top)
    is_cut = min(axis.share(value) for value in values) < 0
    note = f"what is below {number(10.0**axis.first)} is left out" if is_cut else ""
    return Panel(f"{title}, logarithmic", axis, _TALL, lines, is_marked=True, note=note)


def _scaled(curve: Curve, horizon: int) -> Points:
    peak = 1.0 if curve.peak is None else curve.peak
    return [(t, peak * multiplier) for t, multiplier in curve.points(horizon)]


def _weight_decay(curve: Curve, horizon: int) -> Points:
    recipe = curve.what
    if not isinstance(recipe, Recipe) or recipe.weight_decay is None:
        return []
    return sampled(lambda t: recipe.weight_decay_at(t, horizon), horizon, _MOST_POINTS)


def _momentum(curve: Curve, horizon: int) -> Points:
    recipe = curve.what
    if not isinstance(recipe, Recipe) or recipe.momentum is None:
        return []
    return sampled(lambda t: recipe.momentum_at(t, horizon) or 0.0, horizon, _MOST_POINTS)
