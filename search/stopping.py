"""When a study hands out nothing new, and when it has failed.

Pure questions to the ledger and the service's clock, so that a rebuilt study answers them like one that never stopped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from search.ledger import Ledger
from search.study import StoppedBy, TrialState

TELLING = 5
"""A study whose first so many trials fail with one cause has failed."""

TRIED = (TrialState.COMPLETED, TrialState.PRUNED, TrialState.DIVERGED)
"""Ends that say something of a recipe; what failed or was cancelled does not."""


@dataclass(frozen=True)
class Stop:
    """Which limit of the budget is reached, and a sentence on it."""

    by: StoppedBy
    reason: str


def why_stopped(ledger: Ledger, now: datetime) -> Stop | None:
    """Return the limit of the budget, other than trials, that is reached; None while none is.

    A study that has stopped stays so, whatever its last trials yield, until it is given another budget.
    """
    study, budget = ledger.study, ledger.study.request.budget
    if study.stopped_by is not None:
        return Stop(study.stopped_by, study.reason)
    reached = _target_reached(ledger)
    if reached is not None:
        return Stop("target", reached)
    started_at = study.started_at
    if budget.seconds is not None and started_at is not None and (now - started_at).total_seconds() >= budget.seconds:
        return Stop("seconds", f"the budget of {budget.seconds:g} s is used up")
    if budget.device_seconds is not None:
        used = math.fsum(trial.train_seconds for trial in ledger.trials.values())
        if used >= budget.device_seconds:
            reason = f"the budget of {budget.device_seconds:g} s of device time is used up: {used:.1f} s"
            return Stop("device_seconds", reason)
    stalled = _stalled(ledger)
    return None if stalled is None else Stop("no_improvement", stalled)


def why_failed(ledger: Ledger) -> str | None:
    """Return a sentence on the one cause with which the first trials all failed, None when they did not."""
    telling = min(TELLING, ledger.study.request.budget.trials)
    first = [ledger.trials[number] for number in range(min(telling, len(ledger.trials)))]
    causes = {trial.cause if trial.state is TrialState.FAILED else None for trial in first}
    if len(first) < telling or len(causes) > 1 or None in causes:
        return None
    told = f"all of its first {telling} trials" if telling > 1 else "its only trial"
    return f"{told} failed, with cause {first[0].cause}: {first[0].reason}"


def _target_reached(ledger: Ledger) -> str | None:
    target, best = ledger.study.request.budget.target, ledger.best
    if target is None or best is None or best.value is None:
        return None
    sign = 1 if ledger.study.plan.direction == "minimize" else -1
    if sign * best.value > sign * target:
        return None
    return f"trial {best.number} reached the target of {target:g} with {best.value:.6g}"


def _stalled(ledger: Ledger) -> str | None:
    """Say how many trials ended, in the order of time and then of number, after the first that had the best value."""
    allowed, best = ledger.study.request.budget.no_improvement_trials, ledger.best
    if allowed is None or best is None or best.value is None:
        return None
    ends = [
        (trial.finished_at, trial.number, trial.state is TrialState.COMPLETED and trial.value == best.value)
        for trial in ledger.trials.values()
        if trial.state in TRIED and trial.finished_at is not None
    ]
    first_at, first, _ = min(end for end in ends if end[2])
    since = sum((at, number) > (first_at, first) for at, number, _ in ends)
    if since < allowed:
        return None
    trials = "trial" if since == 1 else "trials"
    return f"trial {first} brought {best.value:.6g}, and {since} {trials} since no better value"
