"""Cubics between knots that rise and fall only where the knots do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Piece:
    """What lies between two knots.

    Attributes:
        begin: the update of the first knot.
        end: the update of the second, above the first.
        first: the multiplier at ``begin``.
        second: the multiplier at ``end``.
        slope: the slope of the cubic at ``begin``, per update.
        slope_after: its slope at ``end``.
    """

    begin: int
    end: int
    first: float
    second: float
    slope: float
    slope_after: float

    @property
    def coefficients(self) -> tuple[float, float, float, float]:
        """The cubic in t - ``begin``, constant term first."""
        length = self.end - self.begin
        line = (self.second - self.first) / length
        square = (3 * line - 2 * self.slope - self.slope_after) / length
        cube = (self.slope + self.slope_after - 2 * line) / length / length
        return self.first, self.slope, square, cube

    @property
    def bounds(self) -> tuple[float, float]:
        """The lower and the higher end; a monotone cubic leaves them by rounding only."""
        return min(self.first, self.second), max(self.first, self.second)

    def cubic(self, t: int) -> float:
        """Return the multiplier at update ``t`` between the two ends."""
        constant, slope, square, cube = self.coefficients
        low, high = self.bounds
        s = t - self.begin
        return min(max(constant + s * (slope + s * (square + s * cube)), low), high)

    def cubic_source(self, place: str) -> str:
        """Return ``cubic`` as Python text; ``place`` is the text of t - ``begin``."""
        constant, slope, square, cube = self.coefficients
        low, high = self.bounds
        inner = f"{constant!r} + {place} * ({slope!r} + {place} * ({square!r} + {place} * {cube!r}))"
        return f"min(max({inner}, {low!r}), {high!r})"


@lru_cache(maxsize=64)
def pieces_between(knots: tuple[tuple[int, float], ...]) -> tuple[Piece, ...]:
    """Return the monotone cubics between knots (update, multiplier); of several at one update the last counts."""
    apart = [knot for knot, after in pairwise(knots) if knot[0] < after[0]]
    apart.append(knots[-1])
    slopes = monotone_slopes(apart)
    return tuple(
        Piece(begin, end, first, second, slope, slope_after)
        for ((begin, first), (end, second)), (slope, slope_after) in zip(pairwise(apart), pairwise(slopes), strict=True)
    )


def monotone_slopes(knots: Sequence[tuple[int, float]]) -> list[float]:
    """Return the slope at each knot of a curve that is monotone wherever the knots are.

    Args:
        knots: at least two pairs (update, multiplier), by strictly rising update.

    Source: Fritsch and Butland (1984), eq. 5, https://doi.org/10.1137/0905021; the ends as in SciPy's
    ``PchipInterpolator``: three points, kept from overshooting.
    """
    lengths = [after[0] - knot[0] for knot, after in pairwise(knots)]
    lines = [(after[1] - knot[1]) / length for (knot, after), length in zip(pairwise(knots), lengths, strict=True)]
    if len(lines) == 1:
        return [lines[0], lines[0]]
    inner = [
        _inner_slope(before, after, line, next_line)
        for (before, after), (line, next_line) in zip(pairwise(lengths), pairwise(lines), strict=True)
    ]
    first = _end_slope(lengths[0], lengths[1], lines[0], lines[1])
    last = _end_slope(lengths[-1], lengths[-2], lines[-1], lines[-2])
    return [first, *inner, last]


def _inner_slope(before: int, after: int, line: float, next_line: float) -> float:
    if _sign(line) * _sign(next_line) <= 0:
        return 0.0
    weight, next_weight = 2 * after + before, after + 2 * before
    return (weight + next_weight) / (weight / line + next_weight / next_line)


def _end_slope(length: int, next_length: int, line: float, next_line: float) -> float:
    slope = ((2 * length + next_length) * line - length * next_line) / (length + next_length)
    if _sign(slope) != _sign(line):
        return 0.0
    if _sign(line) != _sign(next_line) and abs(slope) > 3 * abs(line):
        return 3 * line
    return slope


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)
