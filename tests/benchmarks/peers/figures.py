"""What is made of measured numbers: order of the runs, medians, intervals, ranks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


def interleaved(items: Sequence[Item], n_turns: int) -> list[list[Item]]:
    """The order of the runs, turn by turn: forwards, then backwards (ABBA), so that a drift hits all alike."""
    return [list(items) if turn % 2 == 0 else list(reversed(items)) for turn in range(n_turns)]


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed, the next one of them; NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1 if share else 0)]


@dataclass(frozen=True)
class Interval:
    """The lowest and the highest of some ratios of pairs: it holds their median with this confidence.

    The confidence is that of the sign test, which supposes nothing of how the ratios are spread.
    """

    low: float
    middle: float
    high: float
    confidence: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} [{self.low:.2f}, {self.high:.2f}]"


def of_pairs(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Compare two arms turn by turn.

    Raises:
        ValueError: there is not one number of each for every turn.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"pairs need as many of one as of the other, and at least one: {len(ours)} and {len(theirs)}")
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Interval(min(ratios), statistics.median(ratios), max(ratios), 1 - 2 ** (1 - len(ratios)))


@dataclass(frozen=True)
class Fidelity:
    """How the losses of the same trials agree in two arms.

    Attributes:
        n_trials: that both arms brought to their end.
        n_disagree: that one arm completed and the other did not.
        spearman: rank correlation; NaN of fewer than two trials.
        same_best: the same trial is the best in both.
    """

    n_trials: int
    n_disagree: int
    largest: float
    median: float
    spearman: float
    same_best: bool


def fidelity(ours: Mapping[int, float | None], theirs: Mapping[int, float | None]) -> Fidelity:
    """Compare losses by trial, of those trials that both arms have; a loss of None was not reached."""
    both = sorted(ours.keys() & theirs.keys())
    pairs = [(number, a, b) for number in both if (a := ours[number]) is not None and (b := theirs[number]) is not None]
    n_disagree = sum((ours[number] is None) != (theirs[number] is None) for number in both)
    if not pairs:
        return Fidelity(0, n_disagree, math.nan, math.nan, math.nan, False)
    apart = [abs(a - b) for _, a, b in pairs]
    mine, other = [a for _, a, _ in pairs], [b for _, _, b in pairs]
    same_best = mine.index(min(mine)) == other.index(min(other))
    return Fidelity(len(pairs), n_disagree, max(apart), statistics.median(apart), spearman(mine, other), same_best)


def spearman(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the correlation of the ranks; equal values share the mean of theirs. NaN where a side has one value."""
    if len(set(ours)) < 2 or len(set(theirs)) < 2:
        return math.nan
    return statistics.correlation(_ranks(ours), _ranks(theirs))


def _ranks(values: Sequence[float]) -> list[float]:
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values
    ]


def exponent(growth: Mapping[int, float]) -> float:
    """Return the slope of a straight line through times against counts, both as logarithms."""
    counts = [math.log(count) for count in growth]
    return statistics.linear_regression(counts, [math.log(seconds) for seconds in growth.values()]).slope
