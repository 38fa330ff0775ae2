"""The curve of one attempt: which evaluations are taken, and what they say of the trial.

The plan that is meant here is the trial's own: see ``own_plan``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from search.errors import Unsuitable
from search.protocol import Point
from search.study import Direction, Plan, Trial


def check_points(trial: Trial, plan: Plan, points: Sequence[Point], update: int = 0) -> None:
    """Refuse a message about a trial that cannot be true of its run.

    Raises:
        Unsuitable: an update lies beyond the trial's last, the points do not rise, or one is without the objective
            metric.
    """
    if update > plan.total_updates:
        raise _beyond(trial, plan, update, ("update",))
    before = 0
    for index, point in enumerate(points):
        if point.update > plan.total_updates:
            raise _beyond(trial, plan, point.update, ("points", index, "update"))
        if point.update <= before:
            raise Unsuitable(
                f"the points of trial {trial.number} must rise, but update {point.update} follows update {before}",
                where=("points", index, "update"),
                value=point.update,
            )
        if plan.metric not in point.metrics:
            raise Unsuitable(
                f"the point at update {point.update} of trial {trial.number} is without {plan.metric!r}, "
                f"the metric that its study optimises",
                where=("points", index, "metrics"),
                value=sorted(point.metrics),
            )
        before = point.update


def absorb(trial: Trial, plan: Plan, points: Sequence[Point], update: int = 0) -> tuple[Trial, tuple[Point, ...]]:
    """Return the trial with the new ones among the points, and these.

    Points at or before the last evaluation received are repeats of a message whose answer was lost; they change
    nothing. Updates done are the largest number heard of.
    """
    new = tuple(point for point in points if point.update > trial.evaluated)
    done = max(trial.update, update, new[-1].update if new else 0)
    if not new:
        return replace(trial, update=done), ()
    values = {point.update: point.metrics[plan.metric] for point in new}
    finite = {at: value for at, value in values.items() if value is not None}
    last = new[-1]
    of_last_run = [value for at, value in finite.items() if at > plan.total_updates - plan.horizon]
    trial = replace(
        trial,
        update=done,
        evaluated=last.update,
        epoch=last.epoch,
        rate=last.rate,
        metrics=dict(last.metrics),
        best=best_of([*of_last_run, *([] if trial.best is None else [trial.best])], plan.direction),
        at_rungs={**trial.at_rungs, **{at: value for at, value in finite.items() if at in plan.rungs}},
    )
    return trial, new


def best_of(values: Iterable[float], direction: Direction) -> float | None:
    """Return the best of some finite values, None when there are none."""
    best = min if direction == "minimize" else max
    return best(values, default=None)


def objective(trial: Trial, plan: Plan) -> float | None:
    """Return what a run that reached its horizon is worth; None when its last evaluation is not finite.

    That holds for the best of all evaluations as well: a run that ends without a finite value trained no model.
    """
    last = trial.metrics.get(plan.metric)
    if last is None:
        return None
    return last if plan.at == "last" else trial.best


def value_at_last_rung(trial: Trial) -> float | None:
    """Return the objective metric at the last rung reached with a finite value, None before the first."""
    return trial.at_rungs[max(trial.at_rungs)] if trial.at_rungs else None


def _beyond(trial: Trial, plan: Plan, update: int, where: tuple[str | int, ...]) -> Unsuitable:
    what = f"those of its {len(plan.runs)} runs" if plan.runs else "its horizon"
    return Unsuitable(
        f"trial {trial.number} ends after {plan.total_updates} updates, {what}, but the message speaks of {update}",
        where=where,
        value=update,
    )
