"""The lease of a trial: given with an attempt, renewed by every message, lost with silence or standstill.

Pure functions of a trial and the service's clock; they change nothing and return the trial as it then stands.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from search.protocol import Fence
from search.study import Lease, Trial, TrialState


def begin(trial: Trial, worker: str, token: str, lease_seconds: float, now: datetime) -> Trial:
    """Hand the trial to a worker: a new attempt, a clean curve, a new lease."""
    expires_at = now + timedelta(seconds=lease_seconds)
    return replace(
        trial,
        state=TrialState.RUNNING,
        attempt=trial.attempt + 1,
        lease=Lease(token=token, worker=worker, expires_at=expires_at, progressed_at=now),
        started_at=now,
        update=0,
        evaluated=0,
        epoch=0.0,
        rate=None,
        at_rungs={},
        best=None,
        improved_to=None,
        improved_at=None,
        spared=None,
        metrics={},
        reason="",
        cause=None,
        log="",
    )


def renew(trial: Trial, lease_seconds: float, now: datetime, *, before: Trial) -> Trial:
    """Give the lease a full term from now; what the trial gained over ``before`` is progress."""
    if trial.lease is None:
        return trial
    progressed = (trial.update, trial.evaluated) != (before.update, before.evaluated)
    lease = Lease(
        token=trial.lease.token,
        worker=trial.lease.worker,
        expires_at=now + timedelta(seconds=lease_seconds),
        progressed_at=now if progressed else trial.lease.progressed_at,
    )
    return replace(trial, lease=lease)


def extend(trial: Trial, lease_seconds: float, now: datetime) -> Trial:
    """Give the lease a full term, and the trial its full time to stand still: the service was away, not the worker."""
    if trial.lease is None:
        return trial
    lease = replace(trial.lease, expires_at=now + timedelta(seconds=lease_seconds), progressed_at=now)
    return replace(trial, lease=lease)


def opens(trial: Trial | None, fence: Fence) -> bool:
    """Say whether the fence names the newest attempt with the right lease, whether it still runs or ended by itself."""
    if trial is None or trial.lease is None:
        return False
    return trial.attempt == fence.attempt and trial.lease.token == fence.lease


def why_lost(trial: Trial | None, fence: Fence) -> str:
    """Return a sentence on why a fence does not open its trial."""
    if trial is None:
        return f"study {fence.study} has no trial {fence.trial}"
    if trial.attempt != fence.attempt:
        return f"attempt {fence.attempt} at trial {trial.number} is over: attempt {trial.attempt} is the newest"
    if trial.lease is None:
        return f"attempt {fence.attempt} at trial {trial.number} was taken back: the trial is {trial.state.value}"
    if trial.lease.token != fence.lease:
        return f"the lease of attempt {fence.attempt} at trial {trial.number} is another one"
    return f"trial {trial.number} is {trial.state.value}: it takes no more reports"


def why_over(trial: Trial, stall_seconds: float, now: datetime) -> str | None:
    """Return a sentence on why the lease ends now, None while it holds."""
    lease = trial.lease
    if lease is None:
        return None
    if lease.expires_at <= now:
        return f"worker {lease.worker} was not heard of until its lease ended"
    if now - lease.progressed_at > timedelta(seconds=stall_seconds):
        return f"worker {lease.worker} made no progress for {stall_seconds:g} s, after update {trial.update}"
    return None
