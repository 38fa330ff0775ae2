"""How a schedule goes from one level to another, in a number and as Python text.

``progress`` runs from 0, at the first level, to 1, at the second.
"""

from __future__ import annotations

import math
from typing import Literal

Ramp = Literal["linear", "cosine", "exponential"]
"""How a warm-up rises: along a line, along half a cosine wave, or by the same factor at every update."""

Descent = Literal["linear", "cosine", "one_minus_sqrt", "exponential"]
"""How a late decay falls; ``one_minus_sqrt`` falls fastest at first, ``exponential`` by the same factor throughout."""

Curve = Literal["linear", "cosine"]
"""How a phase goes from one level to the next: along a line or along half a cosine wave."""


def between(curve: Curve, progress: float, first: float, second: float) -> float:
    """Return the level at ``progress`` of the way from ``first`` to ``second``; both ends are exact."""
    if progress == 0:
        return first
    if progress == 1:
        return second
    match curve:
        case "linear":
            return first + (second - first) * progress
        case "cosine":
            return second + (first - second) * (1 + math.cos(math.pi * progress)) / 2


def between_source(curve: Curve, progress: str, first: float, second: float) -> str:
    """Return ``between`` as Python text; ``progress`` is text as well."""
    if first == second:
        return repr(first)
    match curve:
        case "linear":
            return f"{first!r} + {second - first!r} * {progress}"
        case "cosine":
            return f"{second!r} + {first - second!r} * (1 + math.cos(math.pi * {progress})) / 2"


def rise(ramp: Ramp, progress: float, start: float) -> float:
    """Return the level at ``progress`` of the way from ``start`` up to 1; an exponential needs a start above 0."""
    match ramp:
        case "linear":
            return start + (1 - start) * progress
        case "cosine":
            return start + (1 - start) * (1 - math.cos(math.pi * progress)) / 2
        case "exponential":
            return float(start ** (1 - progress))


def rise_source(ramp: Ramp, progress: str, start: float) -> str:
    """Return ``rise`` as Python text; ``progress`` is text as well."""
    match ramp:
        case "linear":
            return f"{start!r} + {1 - start!r} * {progress}" if start else progress
        case "cosine":
            wave = f"(1 - math.cos(math.pi * {progress})) / 2"
            return f"{start!r} + {1 - start!r} * {wave}" if start else wave
        case "exponential":
            return f"{start!r} ** (1 - {progress})"


def descend(descent: Descent, progress: float, floor: float) -> float:
    """Return the level at ``progress`` of the way from 1 down to ``floor``; an exponential needs a floor above 0."""
    match descent:
        case "linear":
            return floor + (1 - floor) * (1 - progress)
        case "cosine":
            return floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2
        case "one_minus_sqrt":
            return floor + (1 - floor) * (1 - math.sqrt(progress))
        case "exponential":
            return float(floor**progress)


def descend_source(descent: Descent, progress: str, floor: float) -> str:
    """Return ``descend`` as Python text; ``progress`` is text as well."""
    match descent:
        case "linear":
            return above_floor(floor, f"(1 - {progress})")
        case "cosine":
            return above_floor(floor, f"(1 + math.cos(math.pi * {progress})) / 2")
        case "one_minus_sqrt":
            return above_floor(floor, f"(1 - math.sqrt({progress}))")
        case "exponential":
            return f"{floor!r} ** ({progress})"


def above_floor(floor: float, decay: str) -> str:
    """Return the text of a decay from 1 to 0 as that of one from 1 to ``floor``."""
    return f"{floor!r} + {1 - floor!r} * {decay}" if floor else decay


def refuse_exponential_to_zero(shape: str, level: float, what: str) -> None:
    """Refuse an exponential that starts or ends at 0.

    Args:
        what: the name of the level, for the message.

    Raises:
        ValueError: the shape is exponential and the level is 0.
    """
    if shape == "exponential" and level == 0:
        raise ValueError(f"an exponential never reaches 0: it needs a {what} above 0, got 0.0")
