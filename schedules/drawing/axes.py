"""Axes: from values to places in a frame, and the numbers beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Protocol

from schedules.drawing.words import number, width

TICK_SIZE: Final = 12
_MOST_DECADES: Final = 4
_SMALLEST: Final = 1e-300
"""Powers of ten end here."""


@dataclass(frozen=True)
class Tick:
    """A place on an axis, as a share of its length, and the number there; none for a place between numbers."""

    share: float
    text: str = ""


class Axis(Protocol):
    """Where a value lies on an upright axis."""

    @property
    def ticks(self) -> tuple[Tick, ...]: ...

    def share(self, value: float) -> float:
        """Return the place as a share of the axis, from 0 at its foot to 1 at its top; below 0 it is not drawn."""
        ...


@dataclass(frozen=True)
class LinearAxis:
    """An axis on which equal differences are equally long.

    Attributes:
        n_ticks: about how many numbers stand beside it.
    """

    bottom: float
    top: float
    n_ticks: int = 5
    ticks: tuple[Tick, ...] = field(init=False)

    def __post_init__(self) -> None:
        ticks = [Tick(self.share(value), number(value)) for value in _round(self.bottom, self.top, self.n_ticks)]
        least = 0.4 / self.n_ticks
        if not ticks or ticks[0].share > least:
            ticks.insert(0, Tick(0.0, number(self.bottom)))
        object.__setattr__(self, "ticks", tuple(_with_top(ticks, self.top, least)))

    def share(self, value: float) -> float:
        span = self.top - self.bottom
        return (value - self.bottom) / span if span > 0 else 0.5


@dataclass(frozen=True)
class LogAxis:
    """An axis on which equal factors are equally long; it begins at a power of ten.

    Attributes:
        lowest: the smallest value to be drawn; what lies too far below the top is left out.
    """

    lowest: float
    top: float
    first: int = field(init=False)
    ticks: tuple[Tick, ...] = field(init=False)

    def __post_init__(self) -> None:
        wanted = math.floor(_log(self.lowest) + 1e-9)
        highest = math.ceil(_log(self.top) - 1e-9)
        object.__setattr__(self, "first", min(max(wanted, highest - _MOST_DECADES), highest - 1))
        object.__setattr__(self, "ticks", tuple(_with_top(self._ticks(), self.top, 0.08)))

    def share(self, value: float) -> float:
        if value <= 0:
            return -1.0
        return (_log(value) - self.first) / (_log(self.top) - self.first)

    def _ticks(self) -> list[Tick]:
        n_decades = math.ceil(_log(self.top)) - self.first
        named = (1, 2, 5) if n_decades <= 1 else (1,)
        found = []
        for power in range(self.first, self.first + n_decades + 1):
            for digit in range(1, 10):
                share = (power + math.log10(digit) - self.first) / (_log(self.top) - self.first)
                if share <= 1 + 1e-9:
                    found.append(Tick(share, _power_of_ten(digit, power) if digit in named else ""))
        return found


@dataclass(frozen=True)
class RunAxis:
    """The axis of the run, in updates or in epochs.

    Attributes:
        updates_per_epoch: None for an axis in updates.
        pixels: how long it is.
    """

    horizon: int
    updates_per_epoch: int | None
    pixels: float

    @property
    def title(self) -> str:
        if self.updates_per_epoch is None:
            return "updates made"
        unit = "update" if self.updates_per_epoch == 1 else "updates"
        return f"epochs of {self.updates_per_epoch:,} {unit}"

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """As many round numbers as fit side by side."""
        for n_most in range(8, 1, -1):
            ticks = self._ticks(n_most)
            if all(self._are_apart(a, b) for a, b in pairwise(ticks)):
                return ticks
        return self._ticks(1)

    def text(self, update: int) -> str:
        """Return an update as the axis counts it."""
        return _count(update if self.updates_per_epoch is None else update / self.updates_per_epoch)

    def _ticks(self, n_most: int) -> tuple[Tick, ...]:
        length = self.horizon / (self.updates_per_epoch or 1)
        values = _round(0, length, n_most)
        if self.updates_per_epoch is None:
            values = [value for value in values if value == int(value)]
        return tuple(Tick(value / length, _count(value)) for value in values)

    def _are_apart(self, a: Tick, b: Tick) -> bool:
        needed = (width(a.text, TICK_SIZE) + width(b.text, TICK_SIZE)) / 2 + TICK_SIZE
        return (b.share - a.share) * self.pixels >= needed


def _count(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}" if value < 1e4 else f"{value:,.1f}"


def _round(bottom: float, top: float, n_most: int) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten between two numbers, about ``n_most`` of them."""
    span = top - bottom
    if not span > _SMALLEST:
        return [bottom] if span <= 0 else [bottom, top]
    power = float(f"1e{math.floor(math.log10(span / n_most))}")
    step = next((s * power for s in (1, 2, 5, 10) if span / (s * power) <= n_most), 10 * power)
    first, last = math.ceil(bottom / step - 1e-9), math.floor(top / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _with_top(ticks: list[Tick], top: float, least: float) -> list[Tick]:
    """Add the top, if the share of the axis between it and the last number leaves room for its own."""
    named = [tick.share for tick in ticks if tick.text]
    if named and 1 - named[-1] < least:
        return ticks
    return [*ticks, Tick(1.0, number(top))]


def _power_of_ten(digit: int, power: int) -> str:
    return number(digit * 10.0**power) if -300 < power < 300 else f"{digit}e{power}"


def _log(value: float) -> float:
    return math.log10(max(value, 5e-324))
