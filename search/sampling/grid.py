"""A grid over the flat space: every plan with every point of its own parameters, each recipe once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from math import prod
from typing import Any

from optuna.distributions import FloatDistribution

from schedules import Recipe
from search.choices import SamplerChoice
from search.sampling.flat import draw, parameters, placed
from search.sampling.memory import Memory
from search.seeds import derive_seed
from search.space import AVERAGING, POSITIONS, Space, suggest

N_POSITIONS = 5
"""Places on the range of the peak rate where a study gives no steps."""

Steps = int | Mapping[str, int]


class Grid:
    """Proposes the points of a grid, plans taking turns and the points of each shuffled by the seed.

    So a grid that is broken off has looked everywhere, and at each plan as long as it has points.
    """

    def __init__(self, space: Space, choice: SamplerChoice, seed: int) -> None:
        by_plan: dict[str, list[Mapping[str, Any]]] = {}
        for point in grid(space, steps_of(choice)):
            by_plan.setdefault(point["plan"], []).append(point)
        for plan, points in by_plan.items():
            random.Random(derive_seed(seed, "points", plan)).shuffle(points)
        self._points = list(_in_turns(list(by_plan.values()), seed))

    def propose(self, index: int, memory: Memory) -> Mapping[str, Any]:
        """Return the point of this index.

        Raises:
            IndexError: the grid has no such point.
        """
        return self._points[index]


def steps_of(choice: SamplerChoice) -> Steps:
    """Return the steps of a grid; without any given, the peak rate alone is varied."""
    return {POSITIONS["peak_lr"]: N_POSITIONS} if choice.steps is None else choice.steps


def ranges_of(space: Space) -> list[str]:
    """Return the names of all ranges that a trial of the space may be drawn from."""
    return [name for name, each in parameters(space).items() if isinstance(each, FloatDistribution)]


def size_bound(space: Space, steps: Steps) -> int:
    """Return how many points a grid has at most: a few of them may make one recipe."""
    return sum(prod(len(places) for places in axes.values()) for _, axes in _parts(space, steps))


def grid(space: Space, steps: Steps) -> Iterator[Mapping[str, Any]]:
    """Iterate over the points of a grid, each the parameters of a recipe that no point before it makes.

    A range is cut at so many places, both ends among them; one place is its middle. What a plan ignores, such as the
    warm-up of a family that brings its own, stays in the middle, and so does what is rounded to the same number.

    Args:
        steps: places on every range; or on each by name, and one on those not named.
    """
    seen: set[Recipe] = set()
    for fixed, axes in _parts(space, steps):
        for places in product(*axes.values()):
            point, recipe = draw(space, fixed, dict(zip(axes, places, strict=True)).__getitem__)
            if recipe not in seen:
                seen.add(recipe)
                yield point


def _parts(space: Space, steps: Steps) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Sequence[float]]]]:
    """Iterate over the choices of plan and averaging, each with the places on every range that it is drawn from."""
    for plan in space.plans:
        for kind in _averagings(space, plan):
            fixed = {"plan": plan, **kind}
            trial = placed(fixed, lambda _: 0.5)
            suggest(space, trial, "minimize")
            names = [name for name in trial.distributions if name not in fixed]
            yield fixed, {name: _axis(space, fixed, name, _n_steps(steps, name)) for name in names}


def _averagings(space: Space, plan: str) -> list[Mapping[str, Any]]:
    if len(space.averaging) == 1:
        return [{}]
    recipes: dict[Recipe, Mapping[str, Any]] = {}
    for kind in space.averaging:
        recipes.setdefault(draw(space, {"plan": plan, AVERAGING: kind}, lambda _: 0.5)[1], {AVERAGING: kind})
    return list(recipes.values())


def _axis(space: Space, fixed: Mapping[str, Any], name: str, n_steps: int) -> Sequence[float]:
    """Return the places on one range that make recipes of their own, all else in the middle."""
    recipes: dict[Recipe, float] = {}
    for place in [0.5] if n_steps == 1 else [step / (n_steps - 1) for step in range(n_steps)]:
        recipe = draw(space, fixed, partial(_place, {name: place}))[1]
        recipes.setdefault(recipe, place)
    return [0.5] if len(recipes) == 1 else list(recipes.values())


def _place(places: Mapping[str, float], name: str) -> float:
    return places.get(name, 0.5)


def _n_steps(steps: Steps, name: str) -> int:
    return steps if isinstance(steps, int) else steps.get(name, 1)


def _in_turns(queues: Sequence[list[Mapping[str, Any]]], seed: int) -> Iterator[Mapping[str, Any]]:
    chance = random.Random(derive_seed(seed, "turns"))
    for turn in range(max(map(len, queues))):
        block = [queue[turn] for queue in queues if turn < len(queue)]
        chance.shuffle(block)
        yield from block
