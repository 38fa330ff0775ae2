"""A study and its trials as values: what was asked for, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from optuna.distributions import BaseDistribution
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, JsonValue, PositiveInt

from schedules import RULES, Finding, Recipe
from search.choices import PrunerChoice, SamplerChoice
from search.protocol import Name
from search.space import Space
from search.suiting import DeviceChoice

Direction = Literal["minimize", "maximize"]
PositiveFinite = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Part(BaseModel):
    """A frozen part of a study request."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Objective(Part):
    """What the sampler is told of a trial; ``None`` takes the task's own.

    Attributes:
        metric: name of a validation metric of the task.
        direction: in which direction the metric improves.
        at: its value at the last evaluation, or the best of all evaluations. Best values flatter
            schedules that end badly.
    """

    metric: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    direction: Direction | None = None
    at: Literal["last", "best"] = "last"


class Budget(Part):
    """When a study stops handing out trials; what already runs finishes.

    Attributes:
        trials: distinct trials, however they end; retries do not count.
        seconds: since the first trial was handed out.
        device_seconds: summed over all attempts.
        target: stop as soon as a completed trial's value is at least this good.
        no_improvement_trials: stop when so many trials in a row, in the order in which they ended, brought no better
            value than was known before them.
    """

    trials: Annotated[int, Field(ge=1, le=100_000)] = 100
    seconds: PositiveFinite | None = None
    device_seconds: PositiveFinite | None = None
    target: FiniteFloat | None = None
    no_improvement_trials: Annotated[int, Field(ge=1, le=100_000)] | None = None


StoppedBy = Literal["trials", "seconds", "device_seconds", "target", "no_improvement"]
"""The part of the budget that ended a study."""


def _can_be_acknowledged(rule: str) -> str:
    known = [name for name, each in RULES.items() if each.level != "refuse"]
    if rule in known:
        return rule
    if rule in RULES:
        raise ValueError(f"what the rule {rule!r} finds is refused, and cannot be acknowledged")
    raise ValueError(f"there is no rule {rule[:80]!r}; those that can be acknowledged are: {', '.join(known)}")


Acknowledged = Annotated[tuple[Annotated[str, AfterValidator(_can_be_acknowledged)], ...], Field(max_length=len(RULES))]
"""Ids of rules whose warnings and notes a client has seen."""


class Keep(Part):
    """Which files of its trials a study keeps.

    Attributes:
        weights: those of the best trial, of every completed one, or none.
    """

    weights: Literal["best", "all", "none"] = "best"


class StudyRequest(Part):
    """What a client posts. All but ``task`` have defaults.

    Attributes:
        trials_per_device: so many trials of this study train on one device at once, at most.
    """

    name: Name | None = None
    task: Annotated[str, Field(min_length=1, max_length=63)]
    task_options: Annotated[dict[Annotated[str, Field(max_length=64)], JsonValue], Field(max_length=50)] = {}
    epochs: Annotated[int, Field(ge=1, le=100_000)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    space: Space = Space()
    objective: Objective = Objective()
    sampler: SamplerChoice = SamplerChoice()
    pruner: PrunerChoice = PrunerChoice()
    budget: Budget = Budget()
    keep: Keep = Keep()
    devices: DeviceChoice = DeviceChoice()
    trials_per_device: Annotated[int, Field(ge=1, le=10_000)] | None = None
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    max_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    stall_seconds: PositiveFinite = 600.0
    acknowledge: Acknowledged = ()
    labels: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=63)], Annotated[str, Field(max_length=200)]],
        Field(max_length=50),
    ] = {}


class Plan(Part):
    """What a request means for its task: every default filled in, checked against the task.

    Attributes:
        horizon: updates of a whole run.
        runs: where trials are compared by short runs, the length of each run from new weights, the last being the
            horizon; updates done then count over all of them. Empty where a trial is one run.
        evaluate_every: updates between two evaluations.
        rungs: numbers of updates done at which trials are judged, increasing; empty without pruner.
        shown: numbers of updates done whose points Optuna's tables keep; at most 20, the last is the last of all.
        grid_points: recipes on the grid, after which nothing is drawn; ``None`` for the samplers without end.
    """

    task: str
    task_options: dict[str, JsonValue]
    horizon: PositiveInt
    updates_per_epoch: PositiveInt
    evaluate_every: PositiveInt
    metric: str
    direction: Direction
    at: Literal["last", "best"]
    runs: tuple[PositiveInt, ...] = ()
    rungs: tuple[PositiveInt, ...] = ()
    shown: tuple[PositiveInt, ...]
    grid_points: PositiveInt | None = None

    @property
    def total_updates(self) -> int:
        """Updates of a whole trial, over all its runs."""
        return sum(self.runs) or self.horizon

    @property
    def shortest_run(self) -> int:
        """Updates of the first of its runs."""
        return self.runs[0] if self.runs else self.horizon


class StudyFinding(Finding):
    """What a rule found in a study.

    Attributes:
        plans: the pairs of optimizer and family that it was found in, each ``optimizer+family``.
    """

    plans: tuple[str, ...]


class StudyState(StrEnum):
    """``queued → running → completed | failed | cancelled``, ``running ⇄ paused``."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (StudyState.COMPLETED, StudyState.FAILED, StudyState.CANCELLED)


class TrialState(StrEnum):
    """``queued → running → completed | pruned | diverged | cancelled | failed``.

    And ``running → queued`` when an attempt is lost.
    """

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self not in (TrialState.QUEUED, TrialState.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study as it stands.

    Attributes:
        id: key of the row, given by the database.
        optuna_id: key of the row in Optuna's table.
        findings: the warnings and notes that the study was accepted with.
        reason: one sentence on why the study is in this state, where there is more to say than the state.
        stopped_by: the limit that was reached; what runs finishes, nothing new is handed out, whatever it yields.
        data_sha256: of the data that its trials are trained on, as the first that ended brought it.
    """

    id: int
    optuna_id: int
    project: str
    name: str
    request: StudyRequest
    plan: Plan
    findings: tuple[StudyFinding, ...] = ()
    state: StudyState
    reason: str = ""
    stopped_by: StoppedBy | None = None
    data_sha256: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right of one worker to write to one attempt until ``expires_at``, by the service's clock."""

    token: str
    worker: str
    expires_at: datetime
    progressed_at: datetime


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial as it stands.

    Attributes:
        parameters: what Optuna sampled, external values by name; empty when ``origin`` is ``enqueued``.
        distributions: Optuna's distribution of each parameter.
        origin: ``sampled`` by the study's sampler, or ``enqueued`` by a person and unknown to the sampler.
        attempt: number of the newest attempt, 0 before the first.
        lost_attempts: attempts that count against ``max_attempts``.
        lease: held while the trial runs; kept afterwards where the worker itself ended the attempt, so that a
            repeated finish is known again; ``None`` once an attempt is lost or released.
        started_at: when the newest attempt was handed out.
        update: updates done, as last reported.
        evaluated: updates done at the last evaluation received; a point at or before it is a repeat.
        metrics: the last evaluation.
        at_rungs: the objective metric at the rungs reached, by updates done; finite values only.
        best: the best finite objective metric of this attempt's evaluations, of its last run where it makes several.
        improved_to: for the pruner ``patient``: the objective metric when it last improved by ``min_delta``.
        improved_at: updates done then.
        value: what the sampler is told: the objective, once completed; the last rung's value, once pruned.
        cancel: why the running attempt must stop, told at its next report.
        prune: why the running attempt is pruned, told at its next report.
        spared: why this attempt would have been pruned, had it not been spared to measure what pruning costs.
        reason: one sentence on how it ended.
        cause: of a failure.
        train_seconds: device time of all attempts so far.
    """

    number: int
    state: TrialState
    recipe: Recipe
    seed: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)
    origin: Literal["sampled", "enqueued"] = "sampled"
    attempt: int = 0
    lost_attempts: int = 0
    lease: Lease | None = None
    update: int = 0
    evaluated: int = 0
    epoch: float = 0.0
    rate: float | None = None
    at_rungs: Mapping[int, float] = field(default_factory=dict)
    best: float | None = None
    improved_to: float | None = None
    improved_at: int | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    test_metrics: Mapping[str, float | None] = field(default_factory=dict)
    value: float | None = None
    prune: str | None = None
    spared: str | None = None
    cancel: str | None = None
    reason: str = ""
    cause: str | None = None
    log: str = ""
    train_seconds: float = 0.0
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
