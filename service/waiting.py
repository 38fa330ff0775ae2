"""Why a study waits, where no worker can begin it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from search.planning import EXTERNAL
from search.study import Study
from service.store import WorkerRecord

LATELY: Final = timedelta(minutes=2)
"""A worker asks for work every few seconds, or reports: one that has been silent for so long is gone."""


def why_it_waits(study: Study, workers: Iterable[WorkerRecord], now: datetime) -> str:
    """Say what keeps a queued study from beginning; nothing when a worker can train it, or anybody's program may."""
    if study.plan.task == EXTERNAL.name:
        return ""
    heard_of = [record.announcement for record in workers if record.seen_at >= now - LATELY]
    if not heard_of:
        return "it waits for a worker: none has been heard of lately"
    if any(task.name == study.plan.task for said in heard_of for task in said.tasks):
        return ""
    return (
        f"it waits for a worker that can train {study.plan.task}: none of the {len(heard_of)} heard of lately can; "
        "a worker leaves out what is not installed or lacks data files, and says so in its log"
    )
