"""Which files of its trials a study keeps."""

from __future__ import annotations

from typing import assert_never

from search.study import Study, Trial, TrialState


def why_not_kept(study: Study, trial: Trial, best: int | None) -> str | None:
    """Return a sentence on why the weights of a trial are not kept, None when they are.

    Args:
        best: number of the study's best trial, None while none has completed.
    """
    if trial.state is not TrialState.COMPLETED:
        return f"only completed trials have weights: trial {trial.number} is {trial.state.value}"
    match study.request.keep.weights:
        case "all":
            return None
        case "best" if best == trial.number:
            return None
        case "best":
            return f"study {study.name} keeps the weights of its best trial only, and that is trial {best}"
        case "none":
            return f"study {study.name} keeps no weights: its request says so"
        case never:
            assert_never(never)
