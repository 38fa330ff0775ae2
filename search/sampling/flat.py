"""The space of a study as one flat list of parameters: what each plan is drawn with, and what every trial has."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from types import MappingProxyType
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FixedTrial

from schedules import Recipe
from search.space import AVERAGING, Space, suggest

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Drawn(FixedTrial):
    """A trial of which some values are known already, and the others are drawn when the space asks for them.

    Args:
        draw: gives the value of a parameter by name and distribution, called in the order in which the space asks.
    """

    def __init__(self, fixed: Mapping[str, Any], draw: Callable[[str, BaseDistribution], Any]) -> None:
        super().__init__(dict(fixed))
        self._draw = draw

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        if name not in self._params:
            self._params[name] = self._draw(name, distribution)
        return super()._suggest(name, distribution)


def placed(fixed: Mapping[str, Any], place: Callable[[str], float]) -> Drawn:
    """Return a trial that is drawn by places in [0, 1], asked for by name: on each range, and among choices."""
    return Drawn(fixed, lambda name, distribution: value_at(distribution, place(name)))


def value_at(distribution: BaseDistribution, place: float) -> Any:
    """Return the value at a place in [0, 1] among choices or on a range; 0 and 1 are its ends exactly."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices[min(int(place * len(choices)), len(choices) - 1)]
        case FloatDistribution(low=low, high=high, log=is_log):
            value = low * (high / low) ** place if is_log else low + place * (high - low)
            return min(max(value, low), high)
        case _:
            raise ValueError(f"nothing of a space is drawn from {distribution}")


def place_of(distribution: FloatDistribution, value: float) -> float:
    """Return the place of a value on a range, the inverse of ``value_at``."""
    low, high = distribution.low, distribution.high
    return math.log(value / low) / math.log(high / low) if distribution.log else (value - low) / (high - low)


def draw(space: Space, fixed: Mapping[str, Any], place: Callable[[str], float]) -> tuple[Mapping[str, Any], Recipe]:
    """Return the parameters of a trial that is drawn by places, and the recipe that they make."""
    trial = placed(fixed, place)
    recipe = suggest(space, trial, "minimize")
    return trial.params, recipe


def branches(space: Space) -> Iterator[Mapping[str, BaseDistribution]]:
    """Iterate over what a trial is drawn with, for each plan and each averaging that the space may choose."""
    kinds = space.averaging if len(space.averaging) > 1 else ()
    for plan, *kind in product(space.plans, *([kinds] if kinds else [])):
        trial = placed({"plan": plan, **dict(zip([AVERAGING], kind, strict=False))}, lambda _: 0.5)
        suggest(space, trial, "minimize")
        yield trial.distributions


def parameters(space: Space) -> Mapping[str, BaseDistribution]:
    """Return all that a trial of the space may be drawn with."""
    return {name: each for branch in branches(space) for name, each in branch.items()}


def shared(space: Space) -> Mapping[str, BaseDistribution]:
    """Return what every trial of the space is drawn with, whatever its plan."""
    all_branches = list(branches(space))
    return {name: each for name, each in all_branches[0].items() if all(name in branch for branch in all_branches)}


def shared_ranges(space: Space) -> Mapping[str, FloatDistribution]:
    """Return the ranges that every trial of the space is drawn from; choices apart."""
    return {name: each for name, each in shared(space).items() if isinstance(each, FloatDistribution)}


def n_coordinates(space: Space) -> int:
    """Return how many places a trial takes at most, the plan apart."""
    return max(len(branch) for branch in branches(space)) - 1
