"""A curve drawn in text: Braille dots, two across and four down in each character."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each dot of a Braille character, by row and column."""
BLANK = 0x2800


def draw(
    points: Sequence[tuple[float, float]], *, columns: int = 64, rows: int = 14, top: float, bottom: float = 0.0
) -> str:
    """Draw points (x, y) joined by lines, with a labelled frame.

    Args:
        points: by rising x, at least one.
        columns: characters across.
        rows: characters down.
        top: y of the upper edge.
        bottom: y of the lower edge.
    """
    grid = [[0] * columns for _ in range(rows)]
    for x, y in _pixels(points, columns * 2, rows * 4, top, bottom):
        grid[y // 4][x // 2] |= DOTS[y % 4][x % 2]
    lines = ["".join(chr(BLANK + cell) for cell in row) for row in grid]
    labels = {0: f"{top:.3g}", rows // 2: f"{(top + bottom) / 2:.3g}", rows - 1: f"{bottom:.3g}"}
    width = max(map(len, labels.values()))
    framed = [f"{labels.get(row, ''):>{width}} ┤{line}" for row, line in enumerate(lines)]
    return "\n".join([*framed, _axis(points, width, columns)])


def _axis(points: Sequence[tuple[float, float]], width: int, columns: int) -> str:
    first, last = f"{points[0][0]:g}", f"{points[-1][0]:g}"
    line = f"{'':>{width}} └{'─' * columns}"
    return f"{line}\n{'':>{width}}  {first}{last:>{columns - len(first)}}"


def _pixels(
    points: Sequence[tuple[float, float]], across: int, down: int, top: float, bottom: float
) -> list[tuple[int, int]]:
    """Every dot on the way from point to point; upright jumps are filled, so that steps stay joined."""
    start, end = points[0][0], points[-1][0]
    span = (end - start) or 1.0
    height = (top - bottom) or 1.0
    dots = [
        (round((x - start) / span * (across - 1)), round((top - min(max(y, bottom), top)) / height * (down - 1)))
        for x, y in points
    ]
    found = [dots[0]]
    for (x0, y0), (x1, y1) in pairwise(dots):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        found += [(round(x0 + (x1 - x0) * i / steps), round(y0 + (y1 - y0) * i / steps)) for i in range(1, steps + 1)]
    return found
