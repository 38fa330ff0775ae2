"""A Gaussian process on what every trial has, its plan included; the rest comes from the quasi-random design."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import optuna
from optuna.samplers import GPSampler
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from search.errors import Unavailable
from search.sampling.flat import shared
from search.sampling.heard import values_heard
from search.sampling.memory import Memory
from search.sampling.qmc import Design
from search.seeds import derive_seed
from search.space import Space

N_DESIGNED = 10
"""Ended trials before which the design alone is followed."""

NEEDED = ("scipy", "torch")
"""Packages that Optuna imports when it first fits a process, and not before."""


class Gaussian:
    """Proposes what promises most under a Gaussian process, fitted anew to the trials that have ended.

    Running trials are taken into account, as Optuna does it. The first proposal after the design imports torch, and
    each takes some tenths of a second: this sampler suits trials that run for minutes.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._design = Design(space, seed)
        self._shared = {name: each for name, each in shared(space).items() if not each.single()}
        self._seed = seed

    def propose(self, index: int, memory: Memory) -> Mapping[str, Any]:
        """Return the parameters of the next trial.

        Raises:
            Unavailable: a package is needed now that is not installed here.
        """
        trials = memory.trials
        heard = values_heard(trials, memory.direction)
        if len(heard) < N_DESIGNED or not self._shared:
            return self._design.parameters(index)
        refuse_if_missing()
        sampler = GPSampler(
            seed=derive_seed(self._seed, "gp", index), n_startup_trials=N_DESIGNED, warn_independent_sampling=False
        )
        study = optuna.create_study(direction=memory.direction, sampler=sampler)
        values = {trial.number: value for trial, value in heard}
        for trial in trials:
            if trial.number in values or trial.state is OptunaState.RUNNING:
                study.add_trial(self._as_known(trial, values.get(trial.number)))
        return self._design.parameters(index, study.ask(dict(self._shared)).params)

    def _as_known(self, trial: FrozenTrial, value: float | None) -> FrozenTrial:
        return create_trial(
            state=OptunaState.RUNNING if value is None else OptunaState.COMPLETE,
            value=value,
            params={name: trial.params[name] for name in self._shared},
            distributions=self._shared,
        )


def missing() -> list[str]:
    """Return the packages that a Gaussian process needs and that are not installed here; none is imported."""
    return [name for name in NEEDED if find_spec(name) is None]


def refuse_if_missing() -> None:
    """Refuse to draw without the packages that it takes.

    Raises:
        Unavailable: one is not installed here.
    """
    if missing():
        raise Unavailable(
            f"the sampler 'gp' needs {' and '.join(missing())}, not installed here: pip install etude[gp]"
        )
