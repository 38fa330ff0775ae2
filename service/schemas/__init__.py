"""The bodies that people read and write; the work protocol's are in ``search.protocol``.

Numbers that a training may lose to infinity travel as ``float | null``: JSON has no NaN.
"""

from service.schemas.base import Body, Out, PageOut
from service.schemas.schedules import (
    CheckBody,
    CheckOut,
    FamiliesOut,
    FamilyOut,
    OptimizerOut,
    PreviewBody,
    PreviewOut,
    PreviewPoint,
    RangeOut,
)
from service.schemas.studies import EventOut, ProgressOut, StudyDetailOut, StudyOut, StudyPatch, study_detail, study_out
from service.schemas.system import HealthOut, ReadyOut, WorkerOut
from service.schemas.trials import (
    AttemptOut,
    BestOut,
    CurveOut,
    EnqueueBody,
    LeaderboardOut,
    RankedTrialOut,
    TrialDetailOut,
    TrialOut,
    best_out,
    leaderboard_out,
    trial_detail,
    trial_out,
)

__all__ = [
    "AttemptOut",
    "BestOut",
    "Body",
    "CheckBody",
    "CheckOut",
    "CurveOut",
    "EnqueueBody",
    "EventOut",
    "FamiliesOut",
    "FamilyOut",
    "HealthOut",
    "LeaderboardOut",
    "OptimizerOut",
    "Out",
    "PageOut",
    "PreviewBody",
    "PreviewOut",
    "PreviewPoint",
    "ProgressOut",
    "RangeOut",
    "RankedTrialOut",
    "ReadyOut",
    "StudyDetailOut",
    "StudyOut",
    "StudyPatch",
    "TrialDetailOut",
    "TrialOut",
    "WorkerOut",
    "best_out",
    "leaderboard_out",
    "study_detail",
    "study_out",
    "trial_detail",
    "trial_out",
]
