"""The bodies that people read and write; the work protocol's are in ``search.protocol``.

Numbers that a training may lose to infinity travel as ``float | null``: JSON has no NaN.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from schedules import AnySchedule, Recipe
from search.ledger import Attempt
from search.protocol import Device, Point
from search.study import Budget, Direction, Plan, Study, StudyRequest, StudyState, Trial, TrialState

Item = TypeVar("Item", bound=BaseModel)
Labels = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=63)], Annotated[str, Field(max_length=200)]],
    Field(max_length=50),
]
LONGEST_HORIZON = 1_000_000_000


class Body(BaseModel):
    """A body sent to the service; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Out(BaseModel):
    """A body that the service answers with."""

    model_config = ConfigDict(frozen=True)


class PageOut(Out, Generic[Item]):
    """One page of a list.

    Attributes:
        next_cursor: send it as ``cursor`` to read on; ``null`` on the last page.
    """

    items: list[Item]
    next_cursor: str | None = None


class StudyOut(Out):
    """A study as it stands.

    Attributes:
        request: what was asked for, with labels, priority and budget as they are now.
        plan: what the request means for its task, every default filled in.
        reason: why it is in this state, where there is more to say than the state.
    """

    project: str
    name: str
    task: str
    state: StudyState
    reason: str
    request: StudyRequest
    plan: Plan
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ProgressOut(Out):
    """How far a study has come.

    Attributes:
        finished: trials that ended, however they ended.
        budget: trials that the study may have.
        fraction: finished by budget.
        seconds: since the first trial was handed out, until the end or now.
        seconds_left: estimated from the trials that ended so far; ``null`` before the first.
    """

    finished: int
    budget: int
    fraction: float
    seconds: float | None
    seconds_left: float | None


class TrialOut(Out):
    """A trial in a list.

    Attributes:
        summary: the recipe in one line.
        digest: the recipe's fingerprint.
        update: updates done, as last reported.
        rate: the learning rate of the last of them.
        metrics: the last evaluation.
        test_metrics: computed once, at the end, and unknown to the sampler.
        value: what the sampler is told; ``null`` until the trial ended with one.
        best: the best finite objective metric of the newest attempt.
        worker: who trains it now.
        reason: how it ended, in one sentence.
        train_seconds: device time of all attempts.
    """

    study: str
    number: int
    state: TrialState
    origin: Literal["sampled", "enqueued"]
    recipe: Recipe
    summary: str
    digest: str
    seed: int
    attempt: int
    worker: str | None
    update: int
    horizon: int
    epoch: float
    rate: float | None
    metrics: dict[str, float | None]
    test_metrics: dict[str, float | None]
    value: float | None
    best: float | None
    reason: str
    cause: str | None
    train_seconds: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class AttemptOut(Out):
    """One try of a worker at a trial.

    Attributes:
        ending: ``null`` while it runs; then how it ended, ``lost`` and ``released`` included.
        log: traceback and tail of the log of a failed attempt.
    """

    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    ending: str | None
    message: str
    log: str


class TrialDetailOut(TrialOut):
    """A trial with everything known about it.

    Attributes:
        parameters: what the sampler drew, by Optuna's names.
        log: traceback and tail of the log, when it failed.
    """

    parameters: dict[str, JsonValue]
    log: str
    attempts: list[AttemptOut]


class StudyDetailOut(StudyOut):
    """A study with its progress.

    Attributes:
        counts: trials per state; a state without trials is 0.
        best: the completed trial with the best value.
    """

    counts: dict[TrialState, int]
    progress: ProgressOut
    best: TrialOut | None


class RankedTrialOut(TrialOut):
    """A completed trial and its place, 1 for the best."""

    rank: int


class LeaderboardOut(Out):
    """The completed trials, best value first."""

    study: str
    metric: str
    direction: Direction
    items: list[RankedTrialOut]


class BestOut(Out):
    """The best recipe found, and what it takes to train with it."""

    study: str
    metric: str
    direction: Direction
    value: float
    recipe: Recipe
    summary: str
    digest: str
    horizon: int
    updates_per_epoch: int
    trial: TrialOut


class CurveOut(Out):
    """All evaluations of one attempt, by rising update."""

    study: str
    trial: int
    attempt: int
    metric: str
    points: list[Point]


class StudyPatch(Body):
    """What may change of a study; what is not named stays.

    Attributes:
        budget: only the named parts change. Raising it reopens a completed study.
    """

    labels: Labels | None = None
    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    budget: dict[Annotated[str, Field(max_length=64)], JsonValue] | None = None

    def amended(self, budget: Budget) -> Budget | None:
        """The budget with the named parts replaced; ``None`` when none is named.

        Raises:
            ValidationError: a part is unknown or out of its bounds.
        """
        if self.budget is None:
            return None
        return Budget.model_validate({**budget.model_dump(), **self.budget})


class EnqueueBody(Body):
    """A recipe of one's own, run as the study's next trial; the sampler is not told."""

    recipe: Recipe


class RangeOut(Out):
    """Where a searched parameter lies."""

    low: float
    high: float
    scale: Literal["linear", "log", "one_minus_log"]
    default: float


class FamilyOut(Out):
    """A family of schedules.

    Attributes:
        searched: the parameters that a search varies, and their ranges.
        parameters: JSON schema of the schedule's own fields.
    """

    kind: str
    description: str
    searched: dict[str, RangeOut]
    parameters: dict[str, Any]


class OptimizerOut(Out):
    """An optimizer and the ranges that a search takes when the study names none."""

    kind: str
    description: str
    ranges: dict[str, RangeOut]


class FamiliesOut(Out):
    """All that a space may name."""

    families: list[FamilyOut]
    optimizers: list[OptimizerOut]


class PreviewBody(Body):
    """A schedule to draw.

    Attributes:
        horizon: updates of the whole run.
        peak_lr: the rate where the multiplier is 1.
        limit: how many points are wanted at most.
    """

    schedule: AnySchedule
    horizon: Annotated[int, Field(ge=1, le=LONGEST_HORIZON)] = 1000
    peak_lr: Annotated[float, Field(ge=1e-12, le=1e6)] = 1.0
    limit: Annotated[int, Field(ge=2, le=2000)] = 500


class PreviewPoint(Out):
    """The multiplier and the rate of one update."""

    update: int
    multiplier: float
    rate: float


class PreviewOut(Out):
    """A schedule in points; one that reads a metric is drawn as if there were no reading."""

    kind: str
    summary: str
    horizon: int
    peak_lr: float
    points: list[PreviewPoint]


class CheckBody(Body):
    """A recipe to check against the length of a run."""

    recipe: Recipe
    horizon: Annotated[int, Field(ge=1, le=LONGEST_HORIZON)]


class CheckOut(Out):
    """The recipe can be trained.

    Attributes:
        fair_from: the first update from which comparing it with rivals is fair.
        notes: what a reader should know; empty when there is nothing.
    """

    recipe: Recipe
    summary: str
    digest: str
    horizon: int
    fair_from: int
    notes: list[str] = []


class WorkerOut(Out):
    """A worker, as it announced itself.

    Attributes:
        tasks: names of the tasks that it announced.
        seen_at: when it was last heard of.
    """

    worker: str
    host: str
    pid: int | None
    device: Device
    versions: dict[str, str]
    tasks: list[str]
    announced_at: datetime
    seen_at: datetime


class HealthOut(Out):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadyOut(Out):
    """The database answers and this service is the one that writes."""

    status: Literal["ready"] = "ready"


class EventOut(Out):
    """The data of one server-sent event; its ``id`` and ``event`` are the stream's own fields."""

    study: str
    kind: str
    at: datetime
    payload: dict[str, JsonValue]


def study_out(study: Study) -> StudyOut:
    """A study for a list."""
    return StudyOut.model_construct(**_study_fields(study))


def study_detail(study: Study, *, counts: dict[TrialState, int], best: Trial | None, now: datetime) -> StudyDetailOut:
    """A study with its progress."""
    return StudyDetailOut.model_construct(
        **_study_fields(study),
        counts={state: counts.get(state, 0) for state in TrialState},
        progress=_progress(study, counts, now),
        best=None if best is None else trial_out(study, best),
    )


def trial_out(study: Study, trial: Trial) -> TrialOut:
    """A trial for a list."""
    return TrialOut.model_construct(**_trial_fields(study, trial))


def trial_detail(study: Study, trial: Trial, attempts: list[Attempt]) -> TrialDetailOut:
    """A trial with everything known about it."""
    return TrialDetailOut.model_construct(
        **_trial_fields(study, trial),
        parameters=dict(trial.parameters),
        log=trial.log,
        attempts=[_attempt(attempt) for attempt in attempts],
    )


def leaderboard_out(study: Study, trials: list[Trial]) -> LeaderboardOut:
    """The completed trials with their places."""
    ranked = [
        RankedTrialOut.model_construct(**_trial_fields(study, trial), rank=rank)
        for rank, trial in enumerate(trials, start=1)
    ]
    plan = study.plan
    return LeaderboardOut(study=study.name, metric=plan.metric, direction=plan.direction, items=ranked)


def best_out(study: Study, trial: Trial, value: float) -> BestOut:
    """The best recipe with what it takes to train with it."""
    return BestOut(
        study=study.name,
        metric=study.plan.metric,
        direction=study.plan.direction,
        value=value,
        recipe=trial.recipe,
        summary=trial.recipe.summary(),
        digest=trial.recipe.digest,
        horizon=study.plan.horizon,
        updates_per_epoch=study.plan.updates_per_epoch,
        trial=trial_out(study, trial),
    )


def _study_fields(study: Study) -> dict[str, Any]:
    return {
        "project": study.project,
        "name": study.name,
        "task": study.plan.task,
        "state": study.state,
        "reason": study.reason,
        "request": study.request,
        "plan": study.plan,
        "created_at": study.created_at,
        "started_at": study.started_at,
        "finished_at": study.finished_at,
    }


def _trial_fields(study: Study, trial: Trial) -> dict[str, Any]:
    return {
        "study": study.name,
        "number": trial.number,
        "state": trial.state,
        "origin": trial.origin,
        "recipe": trial.recipe,
        "summary": trial.recipe.summary(),
        "digest": trial.recipe.digest,
        "seed": trial.seed,
        "attempt": trial.attempt,
        "worker": None if trial.lease is None else trial.lease.worker,
        "update": trial.update,
        "horizon": study.plan.horizon,
        "epoch": trial.epoch,
        "rate": trial.rate,
        "metrics": dict(trial.metrics),
        "test_metrics": dict(trial.test_metrics),
        "value": trial.value,
        "best": trial.best,
        "reason": trial.reason,
        "cause": trial.cause,
        "train_seconds": trial.train_seconds,
        "created_at": trial.created_at,
        "started_at": trial.started_at,
        "finished_at": trial.finished_at,
    }


def _attempt(attempt: Attempt) -> AttemptOut:
    return AttemptOut(
        attempt=attempt.attempt,
        worker=attempt.worker,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        ending=attempt.ending,
        message=attempt.message,
        log=attempt.log,
    )


def _progress(study: Study, counts: dict[TrialState, int], now: datetime) -> ProgressOut:
    finished = sum(count for state, count in counts.items() if state.is_final)
    budget = study.request.budget.trials
    seconds = None
    if study.started_at is not None:
        seconds = max(0.0, ((study.finished_at or now) - study.started_at).total_seconds())
    left = None
    if seconds is not None and finished:
        left = 0.0 if study.state.is_final else seconds / finished * max(0, budget - finished)
    return ProgressOut(
        finished=finished, budget=budget, fraction=min(1.0, finished / budget), seconds=seconds, seconds_left=left
    )
