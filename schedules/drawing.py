"""Schedules as points and as pictures."""

from __future__ import annotations

import heapq
import html
import math
from collections.abc import Sequence
from itertools import pairwise

from schedules.base import Schedule
from schedules.recipe import Recipe

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 40, 56, 56
_INK, _GRID, _LINE = "#757b85", "#8a909a", "#3f7fe0"


def points(what: Recipe | Schedule, horizon: int, limit: int = 500) -> list[tuple[int, float]]:
    """Return (update, multiplier) pairs that draw the schedule well, by rising update, at most ``limit`` of them.

    A run of at most ``limit`` updates is returned whole. Of a longer one, half of the points lie evenly and the
    other half where the multiplier changes most, so that a drop looks like one. A schedule that reads a
    metric is drawn as if there were no reading.

    Raises:
        ValueError: the horizon is below 1 or the limit below 2.
    """
    if horizon < 1:
        raise ValueError(f"a run has at least 1 update, got a horizon of {horizon}")
    if limit < 2:
        raise ValueError(f"a curve needs at least 2 points, got a limit of {limit}")
    schedule = what.schedule if isinstance(what, Recipe) else what
    if horizon <= limit:
        return [(t, schedule(t, horizon)) for t in range(horizon)]
    n_even = max(limit // 2, 2)
    known = {t: schedule(t, horizon) for t in (i * (horizon - 1) // (n_even - 1) for i in range(n_even))}
    _refine(schedule, horizon, known, limit)
    return sorted(known.items())


def _refine(schedule: Schedule, horizon: int, known: dict[int, float], limit: int) -> None:
    """Halve the gap with the largest change until there are ``limit`` points."""
    updates = sorted(known)
    gaps = [(-abs(known[b] - known[a]), a, b) for a, b in pairwise(updates) if b - a > 1]
    heapq.heapify(gaps)
    while gaps and len(known) < limit:
        change, a, b = heapq.heappop(gaps)
        if change == 0:
            break
        middle = (a + b) // 2
        known[middle] = schedule(middle, horizon)
        for left, right in ((a, middle), (middle, b)):
            if right - left > 1:
                heapq.heappush(gaps, (-abs(known[right] - known[left]), left, right))


def svg(what: Recipe | Schedule, horizon: int, peak_lr: float | None = None) -> str:
    """Draw the learning rate over the updates of a run, as an SVG that reads well on light and on dark.

    Args:
        peak_lr: the rate where the multiplier is 1; a recipe's own by default. A schedule without one
            is drawn as a share of the peak rate.

    Raises:
        ValueError: the horizon is below 1.
    """
    if peak_lr is None and isinstance(what, Recipe):
        peak_lr = what.peak_lr
    schedule = what.schedule if isinstance(what, Recipe) else what
    top, y_unit = (1.0, "share of the peak rate") if peak_lr is None else (peak_lr, "learning rate")
    title = f"{what.summary()} · {horizon:,} updates"
    note = "drawn without readings: it drops when the metric stops improving" if schedule.start() else ""
    curve = [(t, top * multiplier) for t, multiplier in points(schedule, horizon)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="13" fill="{_INK}">'
    )
    words = [
        f"<title>{html.escape(title)}</title>",
        f'<text x="{_LEFT}" y="22" font-size="15">{html.escape(title)}</text>',
        f'<text x="{_LEFT}" y="40" font-size="12">{html.escape(note)}</text>',
    ]
    drawn = [*_y_axis(top, y_unit), *_x_axis(horizon), _line(curve, horizon, top)]
    return "\n".join([head, *words, *drawn, "</svg>", ""])


def _x(t: float, horizon: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * t / horizon


def _y(rate: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * rate / top


def _line(curve: Sequence[tuple[int, float]], horizon: int, top: float) -> str:
    """Each rate holds for the one update that it is applied to, so a curve of every update is drawn as steps."""
    corners: list[tuple[float, float]] = []
    for t, rate in curve:
        corners.append((t, rate))
        corners.append((t + 1, rate))
    path = " ".join(f"{_x(t, horizon):.2f},{_y(rate, top):.2f}" for t, rate in corners)
    return f'<polyline fill="none" stroke="{_LINE}" stroke-width="2" stroke-linejoin="round" points="{path}"/>'


def _y_axis(top: float, unit: str) -> list[str]:
    marks = []
    for tick in _ticks(top, 5):
        y = _y(tick, top)
        marks.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.2f}" y2="{y:.2f}" stroke="{_GRID}" '
            f'stroke-opacity="{0.9 if tick == 0 else 0.3}"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.2f}" text-anchor="end">{tick:.4g}</text>'
        )
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    return [*marks, f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">{unit}</text>']


def _x_axis(horizon: int) -> list[str]:
    base = _HEIGHT - _BOTTOM
    marks = []
    for tick in _ticks(horizon, 8):
        if tick == int(tick):
            x = _x(tick, horizon)
            marks.append(
                f'<line x1="{x:.2f}" x2="{x:.2f}" y1="{base}" y2="{base + 5}" stroke="{_GRID}"/>'
                f'<text x="{x:.2f}" y="{base + 20}" text-anchor="middle">{int(tick):,}</text>'
            )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return [*marks, f'<text x="{middle}" y="{_HEIGHT - 12}" text-anchor="middle">updates made</text>']


def _ticks(top: float, n_most: int) -> list[float]:
    """Return round numbers from 0 to ``top``, about ``n_most`` of them: multiples of 1, 2 or 5 times a power of ten."""
    if top < 1e-300:  # powers of ten end here
        return [0.0, top]
    power = float(f"1e{math.floor(math.log10(top / n_most))}")
    step = next((s * power for s in (1, 2, 5, 10) if top / (s * power) <= n_most), 10 * power)
    return [i * step for i in range(math.floor(top / step * (1 + 1e-9)) + 1)]
