"""The frames of a chart, one above the other: the rate, and what else a recipe drives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from schedules.drawing.axes import Axis, LinearAxis, LogAxis
from schedules.drawing.curves import Chart, Curve
from schedules.drawing.sampling import sampled
from schedules.drawing.words import number
from schedules.recipe import Recipe

Points = list[tuple[int, float]]

_TALL, _LOW = 250, 90
_MOST_POINTS = 300
_FEW_TICKS = 2


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
    recipes = [(at, curve.what) for at, curve in enumerate(chart.curves) if isinstance(curve.what, Recipe)]
    return [_rate(chart), *_weight_decay(recipes, chart.horizon), *_momentum(recipes, chart.horizon)]


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


def _weight_decay(recipes: list[tuple[int, Recipe]], horizon: int) -> Iterator[Panel]:
    driven = [(at, recipe) for at, recipe in recipes if recipe.weight_decay is not None]
    if driven:
        axis = LinearAxis(0.0, max(recipe.optimizer.weight_decay for _, recipe in driven), _FEW_TICKS)
        lines = (Line(at, _asked(partial(recipe.weight_decay_at, horizon=horizon), horizon)) for at, recipe in driven)
        yield Panel("weight decay", axis, _LOW, tuple(lines))


def _momentum(recipes: list[tuple[int, Recipe]], horizon: int) -> Iterator[Panel]:
    driven = [(at, recipe, recipe.momentum) for at, recipe in recipes if recipe.momentum is not None]
    if driven:
        bottom = min(momentum.low for _, _, momentum in driven)
        top = max(recipe.optimizer.memory or momentum.low for _, recipe, momentum in driven)
        lines = (Line(at, _asked(partial(_momentum_at, recipe, horizon), horizon)) for at, recipe, _ in driven)
        yield Panel("momentum", LinearAxis(bottom, top, _FEW_TICKS), _LOW, tuple(lines))


def _momentum_at(recipe: Recipe, horizon: int, t: int) -> float:
    return recipe.momentum_at(t, horizon) or 0.0


def _asked(ask: Callable[[int], float], horizon: int) -> Points:
    return sampled(ask, horizon, _MOST_POINTS)
