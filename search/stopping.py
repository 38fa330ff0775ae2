"""When a study hands out nothing new, and when it has failed.

Pure questions to the ledger and the service's clock, so that a rebuilt study answers them like one that never stopped.
"""

from __future__ import annotations

import math
from datetime import datetime

from search.ledger import Ledger
from search.study import TrialState

TELLING = 5
"""A study whose first so many trials fail with one cause has failed."""


def why_stopped(ledger: Ledger, now: datetime) -> str | None:
    """Return a sentence on which limit of the budget, other than trials, is reached; None while none is."""
    budget = ledger.study.request.budget
    best = ledger.best
    if budget.target is not None and best is not None and best.value is not None:
        sign = 1 if ledger.study.plan.direction == "minimize" else -1
        if sign * best.value <= sign * budget.target:
            return f"trial {best.number} reached the target of {budget.target:g} with {best.value:.6g}"
    started_at = ledger.study.started_at
    if budget.seconds is not None and started_at is not None and (now - started_at).total_seconds() >= budget.seconds:
        return f"the budget of {budget.seconds:g} s is used up"
    if budget.device_seconds is not None:
        used = math.fsum(trial.train_seconds for trial in ledger.trials.values())
        if used >= budget.device_seconds:
            return f"the budget of {budget.device_seconds:g} s of device time is used up: {used:.1f} s"
    return None


def why_failed(ledger: Ledger) -> str | None:
    """Return a sentence on the one cause with which the first trials all failed, None when they did not."""
    telling = min(TELLING, ledger.study.request.budget.trials)
    first = [ledger.trials[number] for number in range(min(telling, len(ledger.trials)))]
    causes = {trial.cause if trial.state is TrialState.FAILED else None for trial in first}
    if len(first) < telling or len(causes) > 1 or None in causes:
        return None
    told = f"all of its first {telling} trials" if telling > 1 else "its only trial"
    return f"{told} failed, with cause {first[0].cause}: {first[0].reason}"
