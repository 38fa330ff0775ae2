"""Schedules as points and as pictures: SVG, and PNG where ``resvg-py`` is installed."""

from schedules.drawing.chart import draw, svg
from schedules.drawing.curves import MOST_CURVES, Chart, Curve
from schedules.drawing.gallery import gallery
from schedules.drawing.marks import Mark, MarkKind, marks
from schedules.drawing.png import png
from schedules.drawing.sampling import points

__all__ = [
    "MOST_CURVES",
    "Chart",
    "Curve",
    "Mark",
    "MarkKind",
    "draw",
    "gallery",
    "marks",
    "png",
    "points",
    "svg",
]
