"""The trials of one study as Optuna would hold them."""

from __future__ import annotations

from dataclasses import dataclass, field

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Memory:
    """What samplers are told of a study.

    Attributes:
        trials: those that were drawn in its space, numbered here from 0 in order of their numbers in the study.
    """

    direction: StudyDirection
    trials: list[FrozenTrial] = field(default_factory=list)
