"""Workers and health in the API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from search.protocol import Device
from service.schemas.base import Out


class TrainingOut(Out):
    """One trial that a worker trains now.

    Attributes:
        update: updates done, as last heard.
        horizon: updates of the whole run.
        updates_per_second: of late; ``null`` before there is anything to measure.
    """

    project: str
    study: str
    trial: int
    attempt: int
    update: int
    horizon: int
    updates_per_second: float | None


class WorkerOut(Out):
    """A worker, as it announced itself, and what it does.

    Attributes:
        tasks: names of the tasks that it announced.
        state: ``silent`` when it has not been heard of for longer than a lease lasts.
        trials: what it trains now for this project.
        other_trials: how many trials of other projects it trains now.
        updates_per_second: of all its trials together; ``null`` before there is anything to measure.
        seen_at: when it was last heard of.
    """

    worker: str
    host: str
    pid: int | None
    device: Device
    versions: dict[str, str]
    tasks: list[str]
    state: Literal["training", "idle", "silent"]
    trials: list[TrainingOut]
    other_trials: int
    updates_per_second: float | None
    announced_at: datetime
    seen_at: datetime


class HealthOut(Out):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadyOut(Out):
    """The database answers and this service is the one that writes."""

    status: Literal["ready"] = "ready"
