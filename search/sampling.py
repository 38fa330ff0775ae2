"""Optuna's samplers, in memory, for one study; the only file that knows them.

Every ask gets a sampler of its own, seeded from the study's seed and the trial's number, and sees the trials in
order of number. So what is drawn depends on what is known, and not on what has been drawn since the process started:
a study rebuilt from its trials goes on as if it had never stopped.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import FixedTrial, FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from schedules import Recipe
from search.seeds import derive_seed
from search.space import POSITIONS, Space, suggest
from search.study import Direction, SamplerChoice, Trial, TrialState

START_POSITIONS = (0.5, 0.75, 0.25)
"""Places on the range of the peak rate from which the first trials set out."""

LARGEST_START = 0.25
"""Share of the budget that the first, planned trials may take."""

N_RANDOM = 10
"""Ended trials before which TPE draws at random."""

_TPE_NOTES = "tpe:relative_params:"


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
        self._start = start(space, seed, budget_trials)
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
        if len(self._ids) < len(self._start):
            self.memory.enqueue_trial(dict(self._start[len(self._ids)]))
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
        ending = _ending(trial)
        if ending is None:
            raise ValueError(f"trial {trial.number} has not ended: it is {trial.state}")
        for update, value in ending.rungs.items():
            self._storage.set_trial_intermediate_value(memory_id, update, value)
        values = None if ending.value is None else [ending.value]
        self._storage.set_trial_state_values(memory_id, ending.state, values)

    def add(self, trial: Trial) -> None:
        """Add a trial as it stands, to rebuild.

        A trial that this space would not draw is ignored: one that a person enqueued, or one drawn when an optimizer
        or a family had other ranges. A single such trial would end joint sampling for the whole study.

        Raises:
            ValueError: the number is not above those of all trials known.
        """
        self._refuse_disorder(trial.number)
        if trial.origin == "enqueued" or not self._would_draw(trial):
            return
        self._ids[trial.number] = self._storage.create_new_trial(self._study_id, template_trial=_as_optunas(trial))

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


def build_sampler(choice: SamplerChoice, seed: int) -> BaseSampler:
    """Make the chosen sampler, every setting that matters given explicitly."""
    match choice.kind:
        case "random":
            return RandomSampler(seed=seed)
        case "tpe":
            with warnings.catch_warnings():
                # the study chose ``group`` by name, and Optuna's word for it is that its interface may change
                warnings.simplefilter("ignore", ExperimentalWarning)
                return TPESampler(
                    n_startup_trials=N_RANDOM, multivariate=True, constant_liar=True, group=choice.group, seed=seed
                )


def start(space: Space, seed: int, budget_trials: int) -> tuple[Mapping[str, Any], ...]:
    """Plan the first trials: every family once before any twice, optimizers and rates taking turns.

    Each plan comes once, as far as a quarter of the budget reaches. The seed decides where the turns begin; what is
    not fixed here is drawn.
    """
    turn, has_position = derive_seed(seed, "start"), space.searches("peak_lr")
    planned: list[Mapping[str, Any]] = []
    for lap in range(len(space.optimizers)):
        for place, family in enumerate(space.families):
            partners = space.partners(family)
            if lap >= len(partners):
                continue
            optimizer = partners[(place + lap + turn) % len(partners)]
            position = START_POSITIONS[(place // len(partners) + lap + turn // len(partners)) % len(START_POSITIONS)]
            rate = {POSITIONS["peak_lr"]: position} if has_position else {}
            planned.append({"plan": f"{optimizer}+{family}", **rate})
    return tuple(planned[: math.floor(LARGEST_START * budget_trials)])


@dataclass(frozen=True, kw_only=True)
class _Ending:
    state: OptunaState
    value: float | None = None
    rungs: Mapping[int, float]


def _ending(trial: Trial) -> _Ending | None:
    """Say what Optuna hears of a trial; None while it runs.

    A diverged trial is told as pruned without any value: TPE ranks pruned trials by their last step first, so that
    a late bad value would speak for the trial, and of a failed one it learns nothing.
    """
    match trial.state:
        case TrialState.QUEUED | TrialState.RUNNING:
            return None
        case TrialState.COMPLETED if trial.value is not None and math.isfinite(trial.value):
            return _Ending(state=OptunaState.COMPLETE, value=trial.value, rungs={})
        case TrialState.COMPLETED | TrialState.DIVERGED:
            return _Ending(state=OptunaState.PRUNED, rungs={})
        case TrialState.PRUNED:
            return _pruned(trial)
        case TrialState.CANCELLED | TrialState.FAILED:
            return _Ending(state=OptunaState.FAIL, rungs={})


def _pruned(trial: Trial) -> _Ending:
    finite = {update: value for update, value in trial.at_rungs.items() if math.isfinite(value)}
    if not finite:
        return _Ending(state=OptunaState.PRUNED, rungs={})
    last = max(finite)
    return _Ending(state=OptunaState.PRUNED, value=finite[last], rungs={last: finite[last]})


def _as_optunas(trial: Trial) -> FrozenTrial:
    ending = _ending(trial) or _Ending(state=OptunaState.RUNNING, rungs={})
    return create_trial(
        state=ending.state,
        value=ending.value,
        params=dict(trial.parameters),
        distributions=dict(trial.distributions),
        intermediate_values=dict(ending.rungs),
    )
