"""The trials of one study as Optuna holds them in memory, and what is drawn next."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FixedTrial

from schedules import Recipe
from search.choices import SamplerChoice
from search.sampling.evolution import Evolution
from search.sampling.gaussian import Gaussian
from search.sampling.grid import Grid
from search.sampling.optunas import build_sampler
from search.sampling.qmc import Design
from search.sampling.start import Start
from search.sampling.told import as_optunas, ending
from search.seeds import derive_seed
from search.space import Space, suggest
from search.study import Direction, Trial

_TPE_NOTES = "tpe:relative_params:"


class Proposals(Protocol):
    """What is settled of a trial before Optuna's sampler draws the rest."""

    def propose(self, index: int, memory: optuna.Study) -> Mapping[str, Any]:
        """Return values by name for the next trial; a pure function of the arguments and the study's seed.

        Args:
            index: how many trials were drawn before it.
            memory: the trials known, in order of number.
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

    Trials are added or asked for in order of number. Optuna numbers the trials that it knows by itself, and it
    knows only those it drew: the numbers of the study and Optuna's are told apart throughout.

    Args:
        direction: in which the objective metric improves.
        seed: the study's seed.
        budget_trials: the study's budget; a quarter of it bounds the planned start.

    Attributes:
        memory: the study as Optuna holds it, to be looked at.
    """

    def __init__(
        self, space: Space, choice: SamplerChoice, direction: Direction, seed: int, budget_trials: int
    ) -> None:
        self._space = space
        self._choice = choice
        self._direction = direction
        self._seed = seed
        self._proposals = _proposals(space, choice, seed, budget_trials)
        self._n_drawn = 0
        self._storage = InMemoryStorage()
        self.memory = optuna.create_study(
            storage=self._storage, sampler=RandomSampler(seed=seed), direction=direction, study_name="study"
        )
        self._study_id = self._storage.get_study_id_from_name("study")
        self._ids: dict[int, int] = {}

    def ask(self, number: int) -> Draw:
        """Draw a recipe for the trial of this number.

        Raises:
            ValueError: the number is not above those of all trials known.
        """
        self._refuse_disorder(number)
        proposed = self._proposals.propose(self._n_drawn, self.memory)
        if proposed:
            self.memory.enqueue_trial(dict(proposed))
        self._n_drawn += 1
        self.memory.sampler = build_sampler(self._choice, derive_seed(self._seed, number))
        trial = self.memory.ask()
        recipe = suggest(self._space, trial, self._direction)
        self._ids[number] = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, trial.number)
        self._keep_own_branch(self._ids[number])
        return Draw(recipe=recipe, parameters=trial.params, distributions=trial.distributions)

    def tell(self, trial: Trial) -> None:
        """Record how a trial that was asked for or added has ended; others are unknown here and ignored.

        Raises:
            ValueError: the trial is not in a final state.
        """
        memory_id = self._ids.get(trial.number)
        if memory_id is None:
            return
        ended = ending(trial)
        if ended is None:
            raise ValueError(f"trial {trial.number} has not ended: it is {trial.state}")
        for update, value in ended.rungs.items():
            self._storage.set_trial_intermediate_value(memory_id, update, value)
        values = None if ended.value is None else [ended.value]
        self._storage.set_trial_state_values(memory_id, ended.state, values)

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
        if not self._would_draw(trial):
            return
        self._ids[trial.number] = self._storage.create_new_trial(self._study_id, template_trial=as_optunas(trial))

    def _would_draw(self, trial: Trial) -> bool:
        replay = FixedTrial(dict(trial.parameters))
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # how Optuna says that a value lies outside its range
            try:
                recipe = suggest(self._space, replay, self._direction)
            except (ValueError, UserWarning):
                return False
        return recipe == trial.recipe and replay.distributions == trial.distributions

    def _keep_own_branch(self, memory_id: int) -> None:
        # TPE notes at a running trial all that it drew for it, parameters of other families included, and counts them
        # as the trial's own. A trial added again has only its own, so the others may not count before that either.
        trial = self._storage.get_trial(memory_id)
        notes = [key for key in trial.system_attrs if key.startswith(_TPE_NOTES)]
        if not notes:
            return
        noted = json.loads("".join(trial.system_attrs[f"{_TPE_NOTES}{piece}"] for piece in range(len(notes))))
        for key in notes:
            self._storage.set_trial_system_attr(memory_id, key, "")
        own = {name: value for name, value in noted.items() if name in trial.params}
        self._storage.set_trial_system_attr(memory_id, f"{_TPE_NOTES}0", json.dumps(own))

    def _refuse_disorder(self, number: int) -> None:
        latest = next(reversed(self._ids), -1)
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
