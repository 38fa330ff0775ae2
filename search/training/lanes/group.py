"""Lanes side by side that share an update rule."""

from __future__ import annotations

from torch import Tensor

from search.training.lanes.lane import Lane
from search.training.lanes.rules import Rule
from search.training.lanes.storage import Storage


class Group:
    """Lanes side by side that share a rule, bound to their rows."""

    def __init__(self, rule: Rule, lanes: list[Lane], rows: slice, everything: Storage) -> None:
        self._rule = rule
        self._rows = rows
        self._n_columns = lanes[0].n_columns
        self._weights = everything.weights[rows]
        self._parts = (
            self._weights,
            everything.gradients[rows],
            [slot[rows] for slot in everything.slots[: rule.n_slots]],
            everything.scratch[rows],
        )
        is_averaged = any(lane.assignment.recipe.averaging is not None for lane in lanes)
        self._average = everything.average[rows] if everything.average is not None and is_averaged else None

    def update(self, table: Tensor) -> None:
        """Make one update; ``table`` has the constants of all live lanes."""
        share, *at = table[self._rows, : self._n_columns].unsqueeze(2).unbind(1)
        self._rule.update(*self._parts, at)
        if self._average is not None:
            self._average.lerp_(self._weights, share)
