"""What Optuna hears of a trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from search.study import Trial, TrialState


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a trial ended, in Optuna's terms.

    Attributes:
        rungs: the intermediate values, by updates done.
    """

    state: OptunaState
    value: float | None = None
    rungs: Mapping[int, float]


RUNS = Ending(state=OptunaState.RUNNING, rungs={})
"""A trial that has not ended."""


def ending(trial: Trial) -> Ending:
    """Say what Optuna hears of a trial as it stands.

    A diverged trial is told as pruned without any value: TPE ranks pruned trials by their last step first, so that
    a late bad value would speak for the trial, and of a failed one it learns nothing.
    """
    match trial.state:
        case TrialState.QUEUED | TrialState.RUNNING:
            return RUNS
        case TrialState.COMPLETED if trial.value is not None and math.isfinite(trial.value):
            return Ending(state=OptunaState.COMPLETE, value=trial.value, rungs={})
        case TrialState.COMPLETED | TrialState.DIVERGED:
            return Ending(state=OptunaState.PRUNED, rungs={})
        case TrialState.PRUNED:
            return _pruned(trial)
        case TrialState.CANCELLED | TrialState.FAILED:
            return Ending(state=OptunaState.FAIL, rungs={})


def as_optunas(
    index: int, ended: Ending, parameters: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]
) -> FrozenTrial:
    """Return a trial as Optuna would hold it at this place."""
    return FrozenTrial(
        number=index,
        trial_id=index,
        state=ended.state,
        value=ended.value,
        datetime_start=None,
        datetime_complete=None,
        params=dict(parameters),
        distributions=dict(distributions),
        user_attrs={},
        system_attrs={},
        intermediate_values=dict(ended.rungs),
    )


def _pruned(trial: Trial) -> Ending:
    finite = {update: value for update, value in trial.at_rungs.items() if math.isfinite(value)}
    if not finite:
        return Ending(state=OptunaState.PRUNED, rungs={})
    last = max(finite)
    return Ending(state=OptunaState.PRUNED, value=finite[last], rungs={last: finite[last]})
