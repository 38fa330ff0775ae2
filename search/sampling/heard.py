"""What the samplers that know no pruned trials hear of those that have ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState


def values_heard(trials: Iterable[FrozenTrial], direction: StudyDirection) -> Sequence[tuple[FrozenTrial, float]]:
    """Return the trials that have a value or lack one by their own doing, the latter with the worst value of all.

    Pruned and diverged trials lack one; those that failed or were cancelled say nothing of their recipe and are left
    out, like those that still run.

    Returns:
        Nothing while no trial has a value.
    """
    ended = [trial for trial in trials if trial.state in (OptunaState.COMPLETE, OptunaState.PRUNED)]
    values = [trial.value for trial in ended if trial.state is OptunaState.COMPLETE and trial.value is not None]
    if not values:
        return []
    worst = max(values) if direction is StudyDirection.MINIMIZE else min(values)
    return [
        (trial, worst if trial.state is OptunaState.PRUNED or trial.value is None else trial.value) for trial in ended
    ]
