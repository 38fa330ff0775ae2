"""CMA-ES on the ranges that every trial has; the rest comes from the quasi-random design."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

import cmaes
import numpy as np
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from search.sampling.flat import place_of, shared_ranges, value_at
from search.sampling.heard import values_heard
from search.sampling.memory import Memory
from search.sampling.qmc import Design
from search.seeds import derive_seed
from search.space import Space

FIRST_SIGMA = 1 / 6
"""Standard deviation around the middle of each range from which the first generation is drawn."""


class Evolution:
    """Proposes what CMA-ES draws, computed anew from the trials that have ended.

    A generation is so many trials in order of number. It is told once all of it and all before it have ended, so that
    what is drawn depends on what has ended and not on when; until then, trials are drawn from the generation before.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._design = Design(space, seed)
        self._ranges = shared_ranges(space)
        self._seed = seed

    def propose(self, index: int, memory: Memory) -> Mapping[str, Any]:
        if not self._ranges:
            return self._design.parameters(index)
        strategy = self._told(memory.trials, memory.direction)
        strategy.reseed_rng(derive_seed(self._seed, "cmaes", index))
        drawn = zip(self._ranges.items(), map(float, strategy.ask()), strict=True)
        return self._design.parameters(index, {name: value_at(own, place) for (name, own), place in drawn})

    def _told(self, trials: Sequence[FrozenTrial], direction: StudyDirection) -> cmaes.CMA:
        n_ranges = len(self._ranges)
        bounds = np.tile([0.0, 1.0], (n_ranges, 1))
        strategy = cmaes.CMA(mean=np.full(n_ranges, 0.5), sigma=FIRST_SIGMA, bounds=bounds)
        sign = 1.0 if direction is StudyDirection.MINIMIZE else -1.0
        for generation in _generations(trials, strategy.population_size):
            heard = values_heard(generation, direction)
            if heard:
                strategy.tell([(self._places(trial), sign * value) for trial, value in heard])
        return strategy

    def _places(self, trial: FrozenTrial) -> np.ndarray[Any, Any]:
        return np.array([place_of(own, trial.params[name]) for name, own in self._ranges.items()])


def _generations(trials: Sequence[FrozenTrial], population: int) -> Iterator[Sequence[FrozenTrial]]:
    """Iterate over the full generations among the trials before the first that still runs.

    Trials that failed or were cancelled belong to none. A generation in which no trial has a value teaches nothing.
    """
    ended = takewhile(lambda trial: trial.state.is_finished(), trials)
    told = [trial for trial in ended if trial.state is not OptunaState.FAIL]
    for first in range(0, len(told) - population + 1, population):
        yield told[first : first + population]
