"""Optuna's own samplers, every setting that matters given explicitly."""

from __future__ import annotations

import warnings

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from search.choices import SamplerChoice

N_RANDOM = 10
"""Ended trials before which TPE draws at random."""


def build_sampler(choice: SamplerChoice, seed: int) -> BaseSampler:
    """Make the sampler of what is not proposed; where everything is, there is nothing left to draw."""
    match choice.kind:
        case "random" | "qmc" | "grid" | "cmaes" | "gp":
            return RandomSampler(seed=seed)
        case "tpe":
            with warnings.catch_warnings():
                # the study chose ``group`` by name, and Optuna's word for it is that its interface may change
                warnings.simplefilter("ignore", ExperimentalWarning)
                return TPESampler(
                    n_startup_trials=N_RANDOM, multivariate=True, constant_liar=True, group=choice.group, seed=seed
                )
