"""The sampler of one study: what it knows, and what it draws next."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FixedTrial

from schedules import Recipe
from search.choices import SamplerChoice
from search.sampling.evolution import Evolution
from search.sampling.flat import Drawn, value_at
from search.sampling.gaussian import Gaussian
from search.sampling.grid import Grid
from search.sampling.memory import Memory
from search.sampling.qmc import Design
from search.sampling.start import Start
from search.sampling.told import RUNS, Ending, as_optunas, ending
from search.sampling.tpe import Tpe
from search.seeds import derive_seed
from search.space import Space, suggest
from search.study import Direction, Trial


class Proposals(Protocol):
    """What is settled of a trial before the rest is drawn."""

    def propose(self, index: int, memory: Memory) -> Mapping[str, Any]:
        """Return values by name for the next trial; a pure function of the arguments and the study's seed.

        Args:
            index: how many trials were drawn before it.
            memory: the trials known.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What the sampler proposes for one trial.

    Attributes:
        parameters: what was sampled, external values by name.
        distributions: Optuna's distribution of each parameter.
    """

    recipe: Recipe
    parameters: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]


class Sampling:
    """One study as its sampler sees it.

    Trials are added or asked for in order of number. The memory numbers the trials by itself, and it knows only
    those that were drawn: the numbers of the study and the memory's are told apart throughout.

    Args:
        direction: in which the objective metric improves.
        seed: the study's seed.
        budget_trials: the study's budget; a quarter of it bounds the planned start.

    Attributes:
        memory: the trials known, to be looked at.
    """

    def __init__(
        self, space: Space, choice: SamplerChoice, direction: Direction, seed: int, budget_trials: int
    ) -> None:
        self._space = space
        self._direction = direction
        self._seed = seed
        self._proposals = _proposals(space, choice, seed, budget_trials)
        self.memory = Memory(StudyDirection.MINIMIZE if direction == "minimize" else StudyDirection.MAXIMIZE)
        is_tpe = choice.kind == "tpe"
        self._tpe = Tpe(space, self.memory.direction, is_grouped=choice.group) if is_tpe else None
        self._n_drawn = 0
        self._indices: dict[int, int] = {}

    def ask(self, number: int) -> Draw:
        """Draw a recipe for the trial of this number.

        Raises:
            ValueError: the number is not above those of all trials known.
        """
        self._refuse_disorder(number)
        proposed = self._proposals.propose(self._n_drawn, self.memory)
        drawn = Drawn(proposed, self._drawing(derive_seed(self._seed, number)))
        recipe = suggest(self._space, drawn, self._direction)
        self._n_drawn += 1
        self._learn(number, RUNS, drawn.params, drawn.distributions)
        return Draw(recipe=recipe, parameters=drawn.params, distributions=drawn.distributions)

    def tell(self, trial: Trial) -> None:
        """Record how a trial that was asked for or added has ended; others are unknown here and ignored.

        Raises:
            ValueError: the trial is not in a final state.
        """
        if trial.number not in self._indices:
            return
        if not trial.state.is_final:
            raise ValueError(f"trial {trial.number} has not ended: it is {trial.state}")
        self._learn(trial.number, ending(trial), trial.parameters, trial.distributions)

    def add(self, trial: Trial) -> None:
        """Add a trial as it stands, to rebuild.

        A trial that this space would not draw is ignored: one that a person enqueued, or one drawn when an optimizer
        or a family had other ranges. A single such trial would end joint sampling for the whole study.

        Raises:
            ValueError: the number is not above those of all trials known.
        """
        self._refuse_disorder(trial.number)
        if trial.origin == "enqueued":
            return
        self._n_drawn += 1
        if self._would_draw(trial):
            self._learn(trial.number, ending(trial), trial.parameters, trial.distributions)

    def _drawing(self, seed: int) -> Callable[[str, BaseDistribution], Any]:
        if self._tpe is not None:
            return self._tpe.drawing(seed)
        chance = random.Random(seed)
        return lambda _, distribution: value_at(distribution, chance.random())

    def _learn(
        self,
        number: int,
        ended: Ending,
        parameters: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
    ) -> None:
        """Take a trial as it now stands."""
        index = self._indices.setdefault(number, len(self._indices))
        trial = as_optunas(index, ended, parameters, distributions)
        self.memory.trials[index : index + 1] = [trial]
        if self._tpe is not None:
            self._tpe.hear(trial)

    def _would_draw(self, trial: Trial) -> bool:
        replay = FixedTrial(dict(trial.parameters))
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # how Optuna says that a value lies outside its range
            try:
                recipe = suggest(self._space, replay, self._direction)
            except (ValueError, UserWarning):
                return False
        return recipe == trial.recipe and replay.distributions == trial.distributions

    def _refuse_disorder(self, number: int) -> None:
        latest = next(reversed(self._indices), -1)
        if number <= latest:
            raise ValueError(f"trials are known in order of number, but {number} comes after {latest}")


def _proposals(space: Space, choice: SamplerChoice, seed: int, budget_trials: int) -> Proposals:
    match choice.kind:
        case "tpe" | "random":
            return Start(space, seed, budget_trials)
        case "qmc":
            return Design(space, seed)
        case "grid":
            return Grid(space, choice, seed)
        case "cmaes":
            return Evolution(space, seed)
        case "gp":
            return Gaussian(space, seed)
