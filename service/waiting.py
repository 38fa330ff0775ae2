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
    name = study.plan.task
    heard_of = [record.announcement for record in workers if record.seen_at >= now - LATELY]
    if any(task.name == name for said in heard_of for task in said.tasks):
        return ""
    if not heard_of:
        return "it waits for a worker: none has been heard of lately"
    waits = f"it waits for a worker that can train {name}: none of the {len(heard_of)} heard of lately can"
    reasons = ((said.worker, said.left_out[name]) for said in heard_of if name in said.left_out)
    return next((f"{waits}; {worker} leaves it out: {why}" for worker, why in reasons), waits)
