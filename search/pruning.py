"""Whether a trial goes on past a rung: a pure function of the values that trials had there.

Rivals are compared at the same number of updates done. A schedule says from when on comparing it is fair: during its
warm-up, or before its late decay begins, a good recipe may look bad. Before that it is neither cut nor a measure
for others.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from search.seeds import derive_seed
from search.study import Direction, Plan, PrunerChoice, Trial


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do with a trial at a rung.

    Attributes:
        reason: one sentence with the numbers that decided.
        spared: the trial would have been cut, and goes on to measure what pruning costs.
    """

    prune: bool
    reason: str
    spared: bool = False


def decide(choice: PrunerChoice, plan: Plan, trial: Trial, rung: int, rivals: Sequence[Trial]) -> Decision:
    """Decide whether a trial that has reached a rung goes on.

    A value that is not finite there is worse than any other. Equal values are cut together or not at all, so the
    order in which trials reach a rung decides nothing between them.

    Args:
        trial: with its value at the rung in ``at_rungs``, where it is finite.
        rung: updates done.
        rivals: the study's other trials, in whatever state.
    """
    if choice.kind == "none":
        return Decision(prune=False, reason="the study has no pruner")
    fair_from = trial.recipe.fair_from(plan.horizon)
    if rung < fair_from:
        return Decision(
            prune=False, reason=f"compared from update {fair_from} on, where its recipe allows it, not at {rung}"
        )
    values = [rival.at_rungs[rung] for rival in rivals if _is_measure(rival, plan, rung)]
    if len(values) < choice.start_trials:
        return Decision(
            prune=False, reason=f"{len(values)} rivals had a value at update {rung}, {choice.start_trials} are needed"
        )
    decision = _compare(choice, plan, trial.at_rungs.get(rung), rung, values)
    return _spare(decision) if decision.prune and _is_spared(choice, trial) else decision


def _is_measure(rival: Trial, plan: Plan, rung: int) -> bool:
    return rung in rival.at_rungs and rival.recipe.fair_from(plan.horizon) <= rung


def _compare(choice: PrunerChoice, plan: Plan, value: float | None, rung: int, values: Sequence[float]) -> Decision:
    where = f"at update {rung} of {plan.horizon}"
    if value is None:
        return Decision(prune=True, reason=f"{plan.metric} was not finite {where}")
    match choice.kind:
        case "none":
            return Decision(prune=False, reason="the study has no pruner")
        case "median":
            median = statistics.median(values)
            prune = _is_better(median, value, plan.direction)
            place = "worse than" if prune else "no worse than"
            reason = f"{plan.metric} {value:.6g} {where} is {place} the median {median:.6g} of {len(values)} rivals"
        case "halving":
            rank = 1 + sum(_is_better(rival, value, plan.direction) for rival in values)
            n_compared = len(values) + 1
            n_going_on = max(1, n_compared // choice.reduction_factor)
            prune = rank > n_going_on
            reason = (
                f"{plan.metric} {value:.6g} {where} is number {rank} of {n_compared}; "
                f"the best {n_going_on} go on (1 in {choice.reduction_factor})"
            )
        case _:
            assert_never(choice.kind)
    return Decision(prune=prune, reason=reason)


def _is_better(one: float, other: float, direction: Direction) -> bool:
    return one < other if direction == "minimize" else one > other


def _is_spared(choice: PrunerChoice, trial: Trial) -> bool:
    return derive_seed(trial.seed, trial.number, "spare") / 2**32 < choice.spare_fraction


def _spare(decision: Decision) -> Decision:
    return replace(
        decision, prune=False, spared=True, reason=f"spared to measure what pruning costs: {decision.reason}"
    )
