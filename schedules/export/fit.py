"""How well a recipe fits a target: exactly, and by what; or not, and why."""

from __future__ import annotations

from dataclasses import dataclass


class NotPossible(ValueError):
    """A target cannot hold a recipe, for the reason that the message gives in a sentence."""


@dataclass(frozen=True)
class Fit:
    """What becomes of a recipe in a target.

    Attributes:
        exact: the target makes the recipe's rates at every update of the run, to 1e-12 of the peak rate in float64.
        how: by what, or why not.
    """

    exact: bool
    how: str
