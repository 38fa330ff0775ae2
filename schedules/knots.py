"""The free-form family: a curve through given points.

In the formulas t is the update and T the horizon.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator

from schedules.base import Fraction, Range, Shape, updates_at
from schedules.cubics import Piece, pieces_between
from schedules.levels import between, between_source

_SEARCHED_AT = {
    "piecewise_start": 0.0,
    "piecewise_quarter": 0.25,
    "piecewise_half": 0.5,
    "piecewise_three_quarters": 0.75,
    "piecewise_end": 1.0,
}

Knot = tuple[Fraction, Fraction]
"""A place in the run, as a fraction, and the multiplier there."""


class Piecewise(Shape):
    """A curve through knots, each a place in the run and the multiplier there.

    A knot (p, v) lies at the update u = ``updates_at(p, T)``, the last at T; there the multiplier is v exactly.
    Between neighbours (u, v) and (u', v'), with x = (t - u) / (u' - u)::

        multiplier(t) = v + (v' - v) * x                          linear
        multiplier(t) = v' + (v - v') * (1 + cos(pi x)) / 2       cosine
        multiplier(t) = the cubic with slopes m and m'            cubic

    ``cubic`` is the monotone one: its slope at an inner knot is 0 where the curve turns, else the harmonic mean of
    the slopes of the lines on both sides, weighted by their lengths, so that it rises and falls only where the knots
    do and has no other highs and lows than theirs. At t = 0 it is at the first knot, at T and after at the last.

    Where libraries differ: optax's ``piecewise_interpolate_schedule`` has ``linear`` and ``cosine`` and gives each
    knot as a factor on the one before; ignite's ``PiecewiseLinear`` has ``linear`` with absolute values.

    A search places five knots, evenly: ``piecewise_start``, ``_quarter``, ``_half``, ``_three_quarters`` and ``_end``
    are their heights, of which the highest becomes the peak, so that the curve and the peak rate do not say the same.

    Attributes:
        knots: from 2 to 50 pairs [place, multiplier]; places strictly increasing from 0 to 1, one multiplier above 0.
        curve: what lies between them.

    Source: Fritsch and Carlson (1980), the condition for monotone cubics, https://doi.org/10.1137/0717021; Fritsch and
    Butland (1984), the slopes, https://doi.org/10.1137/0905021, as in SciPy's ``PchipInterpolator``.
    """

    searched: ClassVar[Mapping[str, Range]] = {
        "piecewise_start": Range(1e-3, 1.0, "log", 1.0),
        "piecewise_quarter": Range(1e-3, 1.0, "log", 0.85),
        "piecewise_half": Range(1e-3, 1.0, "log", 0.5),
        "piecewise_three_quarters": Range(1e-3, 1.0, "log", 0.15),
        "piecewise_end": Range(1e-3, 1.0, "log", 1e-2),
    }
    shortest_horizon: ClassVar[int] = 2

    kind: Literal["piecewise"] = "piecewise"
    knots: Annotated[tuple[Knot, ...], Field(min_length=2, max_length=50)] = ((0.0, 1.0), (0.5, 0.5), (1.0, 0.0))
    curve: Literal["linear", "cosine", "cubic"] = "cubic"

    @field_validator("knots")
    @classmethod
    def _refuse_disorder(cls, knots: tuple[Knot, ...]) -> tuple[Knot, ...]:
        for (earlier, _), (later, _) in pairwise(knots):
            if earlier >= later:
                raise ValueError(f"knots must lie at strictly increasing places, got {earlier} before {later}")
        if (knots[0][0], knots[-1][0]) != (0, 1):
            raise ValueError(f"the first knot must lie at 0 and the last at 1, got {knots[0][0]} and {knots[-1][0]}")
        if not any(multiplier for _, multiplier in knots):
            raise ValueError("at least one knot must be above 0: a run whose rate is 0 throughout trains nothing")
        return knots

    def placed(self, horizon: int) -> tuple[tuple[int, float], ...]:
        """Return the knots as (update, multiplier)."""
        return tuple((updates_at(place, horizon), multiplier) for place, multiplier in self.knots)

    def pieces(self, horizon: int) -> tuple[Piece, ...]:
        """Return what lies between the knots; only of a curve that is ``cubic`` do the slopes matter."""
        return pieces_between(self.placed(horizon))

    def shape(self, t: int, horizon: int) -> float:
        pieces = self.pieces(horizon)
        piece = pieces[bisect_right([piece.begin for piece in pieces], t) - 1]
        if t >= piece.end:
            return piece.second
        if self.curve == "cubic":
            return piece.cubic(t)
        return between(self.curve, (t - piece.begin) / (piece.end - piece.begin), piece.first, piece.second)

    def source(self, horizon: int) -> str:
        pieces = self.pieces(horizon)
        return " else ".join(
            [*(f"{self._piece_source(piece)} if t < {piece.end}" for piece in pieces), repr(self.knots[-1][1])]
        )

    def _piece_source(self, piece: Piece) -> str:
        place = f"(t - {piece.begin})" if piece.begin else "t"
        if self.curve == "cubic":
            return piece.cubic_source(place)
        return between_source(self.curve, f"{place} / {piece.end - piece.begin}", piece.first, piece.second)

    def fair_from(self, horizon: int) -> int:
        """Return the update of the last of the highest knots: before it the rate is still on its way up."""
        highest = max(multiplier for _, multiplier in self.knots)
        return max(update for update, multiplier in self.placed(horizon) if multiplier == highest)

    def check(self, horizon: int) -> None:
        super().check(horizon)
        for (earlier, _), (later, _) in pairwise(self.knots):
            if updates_at(earlier, horizon) == updates_at(later, horizon):
                raise ValueError(
                    f"the knots at {earlier} and {later} both fall on update {updates_at(later, horizon)} of a "
                    f"horizon of {horizon}: they would act as one"
                )

    def summary(self) -> str:
        shown = self.knots if len(self.knots) <= 5 else (*self.knots[:2], self.knots[-1])
        values = [f"{multiplier:.3g}" for _, multiplier in shown]
        if len(self.knots) > 5:
            values.insert(2, "…")
        return f"piecewise {self.curve} {len(self.knots)} knots {' '.join(values)}"

    @classmethod
    def shortest_for(cls, ranges: Mapping[str, Range]) -> int:
        return len(_SEARCHED_AT) - 1

    @classmethod
    def build(cls, values: Mapping[str, float]) -> Self:
        """Make a monotone cubic through five searched heights, the highest of which becomes the peak."""
        unknown = values.keys() - _SEARCHED_AT.keys()
        if unknown:
            raise ValueError(f"the schedule 'piecewise' has no {', '.join(sorted(unknown))}")
        highest = max(values[name] for name in _SEARCHED_AT)
        scale = highest if highest > 0 else 1.0
        return cls.model_validate({"knots": tuple((at, values[name] / scale) for name, at in _SEARCHED_AT.items())})
