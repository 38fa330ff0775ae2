"""Hyperband's brackets: the trials of each begin to be compared at another rung, and only with each other.

A bracket that begins late spends more on each trial, and is safe from rungs that come too early to tell.

Source: Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar (2018), Algorithm 1, arXiv:1603.06560. There a bracket is a
batch; here trials come one by one, and the numbers of trials of the first rounds are the brackets' shares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from search.seeds import derive_seed
from search.study import Plan, Study, Trial


def shares(n_rungs: int, reduction_factor: int) -> Sequence[int]:
    """Return the shares of the brackets, of which bracket k is compared from rung k on, the last at none.

    With s the rungs of a bracket, m those of the first and f the factor, a share is ceil((m + 1) f^s / (s + 1)).
    """
    return [
        math.ceil((n_rungs + 1) * reduction_factor**n_left / (n_left + 1)) for n_left in reversed(range(n_rungs + 1))
    ]


def bracket(study: Study, trial: Trial) -> int:
    """Return the bracket of a trial, a pure function of its seed and number; 0 where there is only one."""
    choice = study.request.pruner
    if choice.kind != "hyperband":
        return 0
    edges = list(accumulate(shares(len(study.plan.rungs), choice.reduction_factor)))
    place = derive_seed(trial.seed, trial.number, "bracket") * edges[-1] // 2**32
    return next(number for number, edge in enumerate(edges) if place < edge)


def own_plan(study: Study, trial: Trial) -> Plan:
    """Return the plan of a study as it holds for one trial: without the rungs before its bracket, and their runs."""
    plan, n_skipped = study.plan, bracket(study, trial)
    if n_skipped == 0:
        return plan
    skipped = sum(plan.runs[:n_skipped])
    own = {
        "runs": plan.runs[n_skipped:],
        "rungs": tuple(rung - skipped for rung in plan.rungs[n_skipped:]),
        "shown": tuple(update - skipped for update in plan.shown if update > skipped),
    }
    return plan.model_copy(update=own)
