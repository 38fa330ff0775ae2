"""Whether a trial goes on: a pure function of its own values and those that other trials had at the same rung.

Rivals are compared at the same number of updates done. A schedule says from when on comparing it is fair: during its
warm-up, or before its late decay begins, a good recipe may look bad. Before that it is neither cut nor a measure
for others, and standing still is no fault. Runs that are compared at their end are always comparable.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from schedules import Plateau, Schedule
from search.brackets import bracket, own_plan
from search.choices import PrunerChoice
from search.protocol import Point
from search.seeds import derive_seed
from search.study import Direction, Plan, Study, Trial


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


def judged(study: Study, trial: Trial, points: Iterable[Point], trials: Iterable[Trial]) -> Trial:
    """Return the trial after new evaluations, to be pruned if it does not pass one of the rungs among them.

    Args:
        trial: with these points already taken.
        trials: all of the study, this one as it was or not.
    """
    if trial.cancel is not None or trial.prune is not None:
        return trial
    choice, plan = study.request.pruner, own_plan(study, trial)
    for point in points:
        trial = follow(choice, plan, trial, point)
        if point.update not in plan.rungs:
            continue
        decision = decide(choice, plan, trial, point.update, rivals(study, trial, point.update, trials))
        if decision.prune:
            return replace(trial, prune=decision.reason)
        if decision.spared:
            trial = replace(trial, spared=trial.spared or decision.reason)
    return trial


def rivals(study: Study, trial: Trial, rung: int, trials: Iterable[Trial]) -> list[Trial]:
    """Return the other trials of the trial's bracket that had a value at a rung."""
    own = bracket(study, trial)
    return [
        other
        for other in trials
        if other.number != trial.number and rung in other.at_rungs and bracket(study, other) == own
    ]


def follow(choice: PrunerChoice, plan: Plan, trial: Trial, point: Point) -> Trial:
    """Return the trial with its last improvement noted, for ``patient``: from the first update on that counts."""
    value = point.metrics[plan.metric]
    # an evaluation at that very update is of the weights before it: after a warm restart, better than all that follow
    if choice.kind != "patient" or value is None or point.update <= trial.recipe.fair_from(plan.horizon):
        return trial
    if trial.improved_to is not None:
        gain = trial.improved_to - value if plan.direction == "minimize" else value - trial.improved_to
        if gain <= 0 or gain < choice.min_delta:
            return trial
    return replace(trial, improved_to=value, improved_at=point.update)


def decide(choice: PrunerChoice, plan: Plan, trial: Trial, rung: int, rivals: Sequence[Trial]) -> Decision:
    """Decide whether a trial that has reached a rung goes on.

    A value that is not finite there is worse than any other. Equal values are cut together or not at all, so the
    order in which trials reach a rung decides nothing between them.

    Args:
        plan: the trial's own.
        trial: with its value at the rung in ``at_rungs``, where it is finite.
        rung: updates done.
        rivals: the other trials of its bracket, in whatever state.
    """
    if choice.kind == "none":
        return Decision(prune=False, reason="the study has no pruner")
    fair_from = _fair_from(plan, trial)
    if rung < fair_from:
        return Decision(
            prune=False, reason=f"compared from update {fair_from} on, where its recipe allows it, not at {rung}"
        )
    if choice.kind == "patient":
        decision = _wait(choice, plan, trial, rung)
    else:
        values = [
            rival.at_rungs[rung] for rival in rivals if rung in rival.at_rungs and _fair_from(plan, rival) <= rung
        ]
        if len(values) < choice.start_trials:
            return Decision(
                prune=False,
                reason=f"{len(values)} rivals had a value at update {rung}, {choice.start_trials} are needed",
            )
        decision = _compare(choice, plan, trial.at_rungs.get(rung), rung, values)
    return _spare(decision) if decision.prune and _is_spared(choice, trial) else decision


def _fair_from(plan: Plan, trial: Trial) -> int:
    return 0 if plan.runs else trial.recipe.fair_from(plan.horizon)


def _wait(choice: PrunerChoice, plan: Plan, trial: Trial, rung: int) -> Decision:
    """Decide on a trial by its own curve: whether it has stood still for longer than is borne."""
    borne = choice.patience + _readings_awaited(trial.recipe.schedule)
    since = max(trial.improved_at or 0, trial.recipe.fair_from(plan.horizon))
    prune = rung - since >= borne * plan.evaluate_every
    told = "has not improved" if prune else "may still improve"
    amount = f" by {choice.min_delta:g}" if choice.min_delta else ""
    best = f" on {trial.improved_to:.6g}" if trial.improved_to is not None else ""
    reason = (
        f"{plan.metric} {told}{amount}{best} since update {since}, at update {rung} of {plan.horizon}; "
        f"{borne} evaluations are borne"
    )
    return Decision(prune=prune, reason=reason)


def _readings_awaited(schedule: Schedule) -> int:
    """Return the evaluations for which a schedule itself waits before it answers a standstill with a lower rate."""
    own = schedule.cooldown + schedule.patience + 1 if isinstance(schedule, Plateau) else 0
    return max([own, *(_readings_awaited(part) for part in schedule.parts)])


def _compare(choice: PrunerChoice, plan: Plan, value: float | None, rung: int, values: Sequence[float]) -> Decision:
    where = f"at update {rung} of {plan.total_updates}"
    if value is None:
        return Decision(prune=True, reason=f"{plan.metric} was not finite {where}")
    match choice.kind:
        case "none" | "patient":
            raise ValueError(f"the pruner {choice.kind!r} compares no trials")
        case "median":
            median = statistics.median(values)
            prune = _is_better(median, value, plan.direction)
            place = "worse than" if prune else "no worse than"
            reason = f"{plan.metric} {value:.6g} {where} is {place} the median {median:.6g} of {len(values)} rivals"
        case "halving" | "hyperband":
            rank = 1 + sum(_is_better(rival, value, plan.direction) for rival in values)
            n_compared = len(values) + 1
            n_going_on = max(1, n_compared // choice.reduction_factor)
            prune = rank > n_going_on
            among = " in its bracket" if choice.kind == "hyperband" else ""
            reason = (
                f"{plan.metric} {value:.6g} {where} is number {rank} of {n_compared}{among}; "
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
