"""The work protocol: what a worker says to the service, and what it hears back.

Every value here is frozen, JSON, and closed to unknown fields, so that any program in any language
can be a worker by speaking these shapes over HTTP. A metric that is not finite travels as ``null``.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, JsonValue, NonNegativeInt, PositiveInt

from schedules import Recipe
from search.tasks.info import TaskInfo

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
WorkerId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:@-]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Metrics = dict[Annotated[str, Field(min_length=1, max_length=64)], FiniteFloat | None]

LARGEST_SUMMAND = 1e9
"""No attempt takes so many seconds or epochs; sums of values up to here stay finite, however many there are."""

LONGEST_LOG = 64 * 1024
"""Characters of the log kept of an attempt."""


class Value(BaseModel):
    """A frozen message of the protocol."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Slot(Value):
    """One attempt at one trial, without the lease: how a worker names what it holds."""

    project: Name = "default"
    study: Name
    trial: NonNegativeInt
    attempt: PositiveInt


class Fence(Slot):
    """A slot and the lease that proves the right to write to it."""

    lease: Annotated[str, Field(min_length=1, max_length=64)]


class Assignment(Value):
    """One trial to train.

    Attributes:
        fence: names the attempt; every later message of this trial carries it.
        task: the registered task's name.
        task_options: the options of the task, complete with defaults.
        recipe: optimizer, peak rate and schedule.
        horizon: updates of the whole run; the first has index 0.
        runs: when not empty, the lengths of whole runs to make one after the other, each from the same new weights
            with the schedule stretched to it; the last is the horizon. Updates and epochs count on over all of them.
        updates_per_epoch: updates of one epoch.
        evaluate_every: updates of a run between two evaluations; its last update is always evaluated.
        metric: the objective metric, also what a plateau schedule reads.
        seed: seeds the initial weights and the order of data, 32 bits.
        report_points: numbers of updates done at which the worker reports and waits for the verdict before it goes on.
        lease_seconds: the lease ends this long after the last answer; any report renews it.
        checkpoint: key of a checkpoint to resume from.
        data_sha256: of the data that the study's trials are trained on, once one has ended; a trial on other data is
            to be failed with the cause ``configuration``.
    """

    fence: Fence
    task: str
    task_options: dict[str, JsonValue] = {}
    recipe: Recipe
    horizon: PositiveInt
    runs: tuple[PositiveInt, ...] = ()
    updates_per_epoch: PositiveInt
    evaluate_every: PositiveInt
    metric: str
    seed: NonNegativeInt
    report_points: tuple[PositiveInt, ...] = ()
    lease_seconds: Annotated[float, Field(gt=0)]
    checkpoint: str | None = None
    data_sha256: Sha256 | None = None


DeviceKind = Literal["cpu", "cuda", "other"]


class Device(Value):
    """What a worker trains on.

    Attributes:
        index: number of the device among those of its kind on its host.
        uuid: of the device itself, where it has one: two workers that each count from 0 may mean different devices.
        memory_bytes: its own memory; a core's is the machine's.
    """

    kind: DeviceKind = "other"
    index: NonNegativeInt = 0
    uuid: Annotated[str, Field(max_length=100)] | None = None
    name: Annotated[str, Field(max_length=200)] = ""
    memory_bytes: NonNegativeInt | None = None
    driver: Annotated[str, Field(max_length=100)] | None = None


class Announcement(Value):
    """A worker presents itself and the tasks it can run, once, when it starts.

    A program that never does is given work all the same, but of no study that names ``devices``; and nobody counts
    how many trials train on a device that is not known.

    Attributes:
        left_out: why it cannot run other tasks that are registered with it, by name.
    """

    worker: WorkerId
    host: Annotated[str, Field(max_length=253)] = ""
    pid: NonNegativeInt | None = None
    device: Device = Device()
    versions: dict[str, Annotated[str, Field(max_length=100)]] = {}
    tasks: tuple[TaskInfo, ...] = ()
    left_out: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=2000)]] = {}


class ClaimRequest(Value):
    """Ask for work.

    Attributes:
        tasks: names of the tasks that the worker can run.
        studies: only these studies of the project, when given.
        lanes: how many assignments are wanted at most.
        wait_seconds: how long the service may hold the request open while there is no work.
        held: what the worker already holds; a lease that the service gave it and that is not listed
            was lost with its answer, and is sent again with the same attempt.
    """

    worker: WorkerId
    tasks: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000)]
    project: Name | None = None
    studies: Annotated[tuple[Name, ...], Field(max_length=1000)] | None = None
    lanes: Annotated[int, Field(ge=1, le=1024)] = 1
    wait_seconds: Annotated[float, Field(ge=0, le=30)] = 0.0
    held: Annotated[tuple[Slot, ...], Field(max_length=1024)] = ()


class ClaimAnswer(Value):
    """Assignments, possibly none."""

    assignments: tuple[Assignment, ...] = ()


class Point(Value):
    """One evaluation of a trial.

    Attributes:
        update: updates done so far in the attempt, 1 to the horizon; where it makes several runs, to their sum.
        epoch: the same in epochs, a float.
        rate: the learning rate applied at the last of these updates.
        metrics: by name, ``None`` where the value is not finite.
    """

    update: PositiveInt
    epoch: Annotated[float, Field(ge=0, le=LARGEST_SUMMAND, allow_inf_nan=False)]
    rate: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    metrics: Annotated[Metrics, Field(max_length=100)]


class TrialReport(Value):
    """Progress of one trial; one without points only renews the lease."""

    fence: Fence
    update: NonNegativeInt
    points: Annotated[tuple[Point, ...], Field(max_length=10_000)] = ()


class ReportRequest(Value):
    """Progress of many trials in one message."""

    reports: Annotated[tuple[TrialReport, ...], Field(min_length=1, max_length=1024)]


class Verdict(Value):
    """What to do with one trial now.

    ``lost`` means that the attempt is no longer the worker's: nothing of the report was written.
    """

    study: Name
    trial: NonNegativeInt
    action: Literal["continue", "prune", "cancel", "lost"]
    reason: str = ""


class ReportAnswer(Value):
    """One verdict for each report, in its order."""

    verdicts: tuple[Verdict, ...]


class Completed(Value):
    """The run, or the last of the runs, reached its horizon."""

    kind: Literal["completed"] = "completed"
    test_metrics: Metrics = {}


class Pruned(Value):
    """The worker stopped because it was told to prune."""

    kind: Literal["pruned"] = "pruned"


class Diverged(Value):
    """The training loss stopped being finite.

    Attributes:
        update: index of the update whose loss was not finite.
        rate: the learning rate applied there.
    """

    kind: Literal["diverged"] = "diverged"
    update: NonNegativeInt
    rate: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Cancelled(Value):
    """The worker stopped because it was told to cancel."""

    kind: Literal["cancelled"] = "cancelled"


class Failed(Value):
    """The attempt ended with an error.

    Attributes:
        cause: ``configuration`` and ``out_of_memory`` are final; ``device`` is tried again elsewhere;
            ``error`` (the task raised) is final.
        message: one sentence.
        log: traceback and the tail of the log, at most 64 KiB of characters.
    """

    kind: Literal["failed"] = "failed"
    cause: Literal["configuration", "out_of_memory", "device", "error"]
    message: Annotated[str, Field(max_length=2000)]
    log: Annotated[str, Field(max_length=LONGEST_LOG)] = ""


Outcome = Annotated[Completed | Pruned | Diverged | Cancelled | Failed, Field(discriminator="kind")]


class TrialFinish(Value):
    """How one attempt ended, with the points not reported yet.

    Attributes:
        train_seconds: seconds of device time that the attempt used.
        log: tail of what the training printed and logged; a failure brings its own.
        data_sha256: of the data that it was trained on, where the worker knows it. The study keeps the first; an
            attempt on other data is recorded as failed.
    """

    fence: Fence
    outcome: Outcome
    points: Annotated[tuple[Point, ...], Field(max_length=10_000)] = ()
    train_seconds: Annotated[float, Field(ge=0, le=LARGEST_SUMMAND, allow_inf_nan=False)] = 0.0
    log: Annotated[str, Field(max_length=LONGEST_LOG)] = ""
    data_sha256: Sha256 | None = None


class FinishRequest(Value):
    """The ends of many attempts in one message."""

    finishes: Annotated[tuple[TrialFinish, ...], Field(min_length=1, max_length=1024)]


class Receipt(Value):
    """Whether the message about one trial was taken; a repeated finish is.

    Attributes:
        wants_weights: the study keeps the weights of this trial: they may now be sent, with the same fence.
    """

    study: Name
    trial: NonNegativeInt
    status: Literal["accepted", "lost"]
    reason: str = ""
    wants_weights: bool = False


class FinishAnswer(Value):
    """One receipt for each finish, in its order."""

    receipts: tuple[Receipt, ...]


class ReleaseRequest(Value):
    """Give assignments back at once: another worker may take them, and no attempt is used up."""

    fences: Annotated[tuple[Fence, ...], Field(min_length=1, max_length=1024)]


class ReleaseAnswer(Value):
    """One receipt for each fence, in its order."""

    receipts: tuple[Receipt, ...]


class WorkService(Protocol):
    """What a worker needs of the service.

    Raises:
        Unavailable: the service cannot answer now; send the same message again later.
        Conflict: a finish contradicts the recorded outcome, or the weights are not wanted any more.
    """

    def announce(self, announcement: Announcement) -> None: ...

    def claim(self, request: ClaimRequest) -> ClaimAnswer: ...

    def report(self, request: ReportRequest) -> ReportAnswer: ...

    def finish(self, request: FinishRequest) -> FinishAnswer: ...

    def release(self, request: ReleaseRequest) -> ReleaseAnswer: ...

    def keep_weights(self, fence: Fence, weights: bytes) -> None: ...
