"""Studies in the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, JsonValue

from search.study import (
    Acknowledged,
    Plan,
    StoppedBy,
    Study,
    StudyFinding,
    StudyRequest,
    StudyState,
    Trial,
    TrialState,
)
from service.schemas.base import Body, Out
from service.schemas.schedules import FindingOut
from service.schemas.trials import TrialOut, trial_out
from service.store.values import Artifact

Labels = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=63)], Annotated[str, Field(max_length=200)]],
    Field(max_length=50),
]


class StudyOut(Out):
    """A study as it stands.

    Attributes:
        request: what was asked for, with labels, priority and budget as they are now.
        plan: what the request means for its task, every default filled in.
        reason: why it is in this state, where there is more to say than the state.
        stopped_by: the part of the budget that ended it; ``null`` while none has.
        data_sha256: of the data that its trials are trained on; ``null`` until the first trial has ended.
    """

    project: str
    name: str
    task: str
    state: StudyState
    reason: str
    stopped_by: StoppedBy | None
    data_sha256: str | None
    request: StudyRequest
    plan: Plan
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ProgressOut(Out):
    """How far a study has come.

    Attributes:
        finished: trials that ended, however they ended.
        budget: trials that the study may have; no more than its grid has points, if it has one.
        fraction: finished by budget.
        seconds: since the first trial was handed out, until the end or now.
        seconds_left: estimated from the trials that ended so far; ``null`` before the first.
    """

    finished: int
    budget: int
    fraction: float
    seconds: float | None
    seconds_left: float | None


class StudyFindingOut(FindingOut):
    """What a rule found in a study.

    Attributes:
        plans: the pairs of optimizer and family that it was found in, each ``optimizer+family``.
        acknowledged: the client has said that it knows.
    """

    plans: list[str]
    acknowledged: bool


class StudyDetailOut(StudyOut):
    """A study with its progress.

    Attributes:
        findings: the warnings and notes that the study was accepted with.
        counts: trials per state; a state without trials is 0.
        best: the completed trial with the best value.
        waiting_for: the worker that it lacks, while no worker heard of lately may train it.
    """

    findings: list[StudyFindingOut]
    counts: dict[TrialState, int]
    progress: ProgressOut
    best: TrialOut | None
    waiting_for: str | None


class StudyPatch(Body):
    """What may change of a study; what is not named stays.

    Attributes:
        budget: only the named parts change. Raising it reopens a completed study.
        acknowledge: all rules whose warnings and notes are acknowledged from now on.
    """

    labels: Labels | None = None
    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    budget: dict[Annotated[str, Field(max_length=64)], JsonValue] | None = None
    acknowledge: Acknowledged | None = None


class PresetOut(Out):
    """A study that comes with Etude.

    Attributes:
        question: what it answers.
        reading: how its leaderboard answers that.
        request: the study to post.
    """

    name: str
    question: str
    reading: str
    request: StudyRequest


class EventOut(Out):
    """The data of one server-sent event; its ``id`` and ``event`` are the stream's own fields."""

    study: str
    kind: str
    at: datetime
    payload: dict[str, JsonValue]


def study_out(study: Study) -> StudyOut:
    """A study for a list."""
    return StudyOut.model_construct(**_study_fields(study))


def study_detail(
    study: Study,
    *,
    counts: dict[TrialState, int],
    best: Trial | None,
    weights: Mapping[int, Artifact],
    waiting_for: str | None,
    now: datetime,
) -> StudyDetailOut:
    """A study with its progress."""
    return StudyDetailOut.model_construct(
        **_study_fields(study),
        findings=[_finding_out(finding, study.request) for finding in study.findings],
        counts={state: counts.get(state, 0) for state in TrialState},
        progress=_progress(study, counts, now),
        best=None if best is None else trial_out(study, best, weights),
        waiting_for=waiting_for,
    )


def _finding_out(finding: StudyFinding, request: StudyRequest) -> StudyFindingOut:
    return StudyFindingOut(**finding.model_dump(), acknowledged=finding.id in request.acknowledge)


def _study_fields(study: Study) -> dict[str, Any]:
    return {
        "project": study.project,
        "name": study.name,
        "task": study.plan.task,
        "state": study.state,
        "reason": study.reason,
        "stopped_by": study.stopped_by,
        "data_sha256": study.data_sha256,
        "request": study.request,
        "plan": study.plan,
        "created_at": study.created_at,
        "started_at": study.started_at,
        "finished_at": study.finished_at,
    }


def _progress(study: Study, counts: dict[TrialState, int], now: datetime) -> ProgressOut:
    finished = sum(count for state, count in counts.items() if state.is_final)
    most, n_points = study.request.budget.trials, study.plan.grid_points
    budget = most if n_points is None else min(most, n_points)
    seconds = None
    if study.started_at is not None:
        seconds = max(0.0, ((study.finished_at or now) - study.started_at).total_seconds())
    left = None
    if seconds is not None and finished:
        left = 0.0 if study.state.is_final else seconds / finished * max(0, budget - finished)
    return ProgressOut(
        finished=finished, budget=budget, fraction=min(1.0, finished / budget), seconds=seconds, seconds_left=left
    )
