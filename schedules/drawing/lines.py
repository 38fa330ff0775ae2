"""Lines and signs in a frame, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from schedules.drawing.axes import Axis
from schedules.drawing.colours import Theme, line_style, paint
from schedules.drawing.marks import MarkKind

Place = tuple[float, float]

MOST_SIGNS: Final = 60
"""On one line; with more of them they would hide it."""
_STEP_PIXELS: Final = 5.0
_TOLERANCE: Final = 0.04
"""Pixels by which a place may lie beside the line and still be left out."""

SIGNS: Mapping[MarkKind, str] = MappingProxyType(
    {
        MarkKind.WARMUP: "M0-5L5 4H-5Z",
        MarkKind.DROP: "M0 5L5-4H-5Z",
        MarkKind.RESTART: "M0-5.5L5 0L0 5.5L-5 0Z",
        MarkKind.CYCLE: "M0-5.5L4 0L0 5.5L-4 0Z",
        MarkKind.PHASE: "M-4-4H4V4H-4Z",
        MarkKind.DECAY: "M-4-5L5 0L-4 5Z",
        MarkKind.KNOT: "M-3.5 0A3.5 3.5 0 1 1 3.5 0A3.5 3.5 0 1 1-3.5 0Z",
        MarkKind.AVERAGING: "M-1.7-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
    }
)
"""The sign of each kind of mark that is shown, about its place."""


@dataclass(frozen=True)
class Frame:
    """Where curves are drawn, in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def x(self, share: float) -> float:
        """Return the place of a share of the run."""
        return self.left + self.width * share

    def y(self, share: float) -> float:
        """Return the place of a share of the upright axis."""
        return self.bottom - self.height * share


def trace(points: Sequence[tuple[int, float]], horizon: int, axis: Axis, frame: Frame) -> str:
    """Return the way through the points, by rising update, as the ``d`` of a path.

    Each value holds for the one update that it is applied to: where an update is wide enough to be seen, the way is
    one of steps. What lies below the axis is left out.
    """
    if frame.width / horizon >= _STEP_PIXELS:
        ends = [(place, value) for t, value in points for place in (t, t + 1)]
        places = [(frame.x(t / horizon), frame.y(axis.share(value))) for t, value in ends]
    else:
        # Rounded first, so that which places are left out does not hang on the last bit of a cosine.
        places = _simplified(
            [(round(frame.x(t / horizon), 2), round(frame.y(axis.share(value)), 2)) for t, value in points]
        )
    return _cut_off(places, frame.bottom)


def line(way: str, number: int, theme: Theme, name: str = "", width: float = 2) -> str:
    """Return the element of the line of this number; a reader's pointer is told its name, which is XML already."""
    colour, dashes = line_style(number)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    told = f"<title>{name}</title>" if name else ""
    start = f'<path d="{way}" {paint(theme, stroke=colour)} stroke-width="{width:g}" stroke-linejoin="round"{dashed}'
    return f"{start}>{told}</path>" if told else f"{start}/>"


def sign(kind: MarkKind, place: Place, colour: str, theme: Theme) -> str:
    """Return the sign of a mark."""
    x, y = place
    return (
        f'<path transform="translate({_short(x)} {_short(y)})" d="{SIGNS[kind]}" '
        f'{paint(theme, fill=colour, stroke="paper")} stroke-width="1"/>'
    )


def _simplified(places: Sequence[Place]) -> list[Place]:
    """Leave out what lies on the way between others; the places rise in x, or stay where the way is upright."""
    kept = [places[0]]
    low, high = -math.inf, math.inf
    for before, here in pairwise(places):
        if not low <= _slope(kept[-1], here) <= high:
            kept.append(before)
            low, high = -math.inf, math.inf
        low = max(low, _slope(kept[-1], here, -_TOLERANCE))
        high = min(high, _slope(kept[-1], here, _TOLERANCE))
    return [*kept, places[-1]] if len(places) > 1 else kept


def _slope(a: Place, b: Place, above: float = 0.0) -> float:
    run, rise = b[0] - a[0], b[1] + above - a[1]
    return rise / run if run > 0 else math.copysign(math.inf, rise)


def _cut_off(places: Sequence[Place], bottom: float) -> str:
    """Return the way as text, without what lies below ``bottom``; y grows downwards."""
    first = places[0]
    words = [f"M{_pair(first)}"] if first[1] <= bottom else []
    for a, b in pairwise(places):
        if a[1] > bottom and b[1] > bottom:
            continue
        if a[1] > bottom:
            words.append(f"M{_pair(_crossing(a, b, bottom))}")
        words.append(f"L{_pair(b if b[1] <= bottom else _crossing(a, b, bottom))}")
    return "".join(words)


def _crossing(a: Place, b: Place, y: float) -> Place:
    return a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]), y


def _pair(place: Place) -> str:
    return f"{_short(place[0])} {_short(place[1])}"


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
