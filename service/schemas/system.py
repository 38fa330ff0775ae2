"""Workers and health in the API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from search.protocol import Device
from service.schemas.base import Out


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
