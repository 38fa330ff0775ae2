"""A recipe and what is around it, as the rules look at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from schedules.base import Schedule
from schedules.places import Place, Where, places
from schedules.recipe import Recipe

NEARLY_ZERO = 0.01
"""A rate that ends at or below this share of its peak has decayed to zero."""


class Broken(NamedTuple):
    """What a rule found.

    Attributes:
        rule: its id.
        sentence: what was found, with the facts in it.
        where: the place in the recipe.
    """

    rule: str
    sentence: str
    where: Where


@dataclass(frozen=True)
class Case:
    """A recipe, the run that it is to make, and what the study around it does.

    Attributes:
        horizon: updates of the whole run, at least 1.
        pruner: the kind of pruner that compares the study's trials; None where nothing is pruned.
    """

    recipe: Recipe
    horizon: int
    pruner: str | None = None

    @cached_property
    def curves(self) -> tuple[tuple[Where, Schedule], ...]:
        """The schedule of the rate and the recipe's other curves, each with its place."""
        return (("schedule",), self.recipe.schedule), *self.recipe.curves()

    @cached_property
    def parts(self) -> tuple[Place, ...]:
        """The schedule of the rate and all that it is made of."""
        return tuple(places(self.recipe.schedule, ("schedule",), self.horizon))

    def parts_of_all_curves(self) -> Iterator[Place]:
        """Iterate over all curves and all that they are made of."""
        for where, curve in self.curves:
            yield from places(curve, where, self.horizon)

    @cached_property
    def final_multiplier(self) -> float | None:
        """Where the schedule ends, as a share of its peak; None where that depends on readings of a metric."""
        schedule = self.recipe.schedule
        return None if schedule.start() is not None else schedule(self.horizon, self.horizon)

    @property
    def decays_to_zero(self) -> bool:
        """Whether the schedule ends at next to nothing of the peak rate."""
        return self.final_multiplier is not None and self.final_multiplier <= NEARLY_ZERO
