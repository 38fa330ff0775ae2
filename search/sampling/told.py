"""What Optuna hears of a trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from optuna.trial import FrozenTrial, create_trial
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


def ending(trial: Trial) -> Ending | None:
    """Say what Optuna hears of a trial; None while it runs.

    A diverged trial is told as pruned without any value: TPE ranks pruned trials by their last step first, so that
    a late bad value would speak for the trial, and of a failed one it learns nothing.
    """
    match trial.state:
        case TrialState.QUEUED | TrialState.RUNNING:
            return None
        case TrialState.COMPLETED if trial.value is not None and math.isfinite(trial.value):
            return Ending(state=OptunaState.COMPLETE, value=trial.value, rungs={})
        case TrialState.COMPLETED | TrialState.DIVERGED:
            return Ending(state=OptunaState.PRUNED, rungs={})
        case TrialState.PRUNED:
            return _pruned(trial)
        case TrialState.CANCELLED | TrialState.FAILED:
            return Ending(state=OptunaState.FAIL, rungs={})


def as_optunas(trial: Trial) -> FrozenTrial:
    """Return a trial as Optuna would hold it by now."""
    ended = ending(trial) or Ending(state=OptunaState.RUNNING, rungs={})
    return create_trial(
        state=ended.state,
        value=ended.value,
        params=dict(trial.parameters),
        distributions=dict(trial.distributions),
        intermediate_values=dict(ended.rungs),
    )


def _pruned(trial: Trial) -> Ending:
    finite = {update: value for update, value in trial.at_rungs.items() if math.isfinite(value)}
    if not finite:
        return Ending(state=OptunaState.PRUNED, rungs={})
    last = max(finite)
    return Ending(state=OptunaState.PRUNED, value=finite[last], rungs={last: finite[last]})
