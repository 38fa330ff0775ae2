"""The life of a study: what people order, and when it ends by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from schedules import Recipe, findings
from schedules.base import Mode
from search import endings
from search.errors import Conflict, Unsuitable
from search.ledger import Ledger
from search.protocol import Failed, TrialFinish
from search.stopping import why_failed, why_stopped
from search.study import Budget, StoppedBy, Study, StudyState, TrialState

LARGEST_OPEN = 1 / 8
"""Share of the budget that may be open in a search: a sampler learns nothing of what has not ended."""

FEWEST_OPEN = 4
"""So many trials may be open in any search, however small its budget."""


def may_draw(ledger: Ledger) -> bool:
    """Say whether a new trial may be drawn now: the budget has room, and a sampler that learns has heard enough."""
    request = ledger.study.request
    most_open = max(FEWEST_OPEN, math.floor(LARGEST_OPEN * request.budget.trials))
    waits = request.sampler.learns and ledger.n_open >= most_open
    return ledger.has_room and ledger.has_draws and not waits


def pause(ledger: Ledger, now: datetime) -> None:
    """Hand out nothing new; a study that is paused stays so.

    Raises:
        Conflict: the study is over.
    """
    refuse_if_over(ledger.study, "cannot be paused")
    ledger.write_study(replace(ledger.study, state=StudyState.PAUSED))
    settle(ledger, now)


def resume(ledger: Ledger, now: datetime) -> None:
    """Hand out again; a study that is not paused stays as it is.

    Raises:
        Conflict: the study is over.
    """
    refuse_if_over(ledger.study, "cannot be resumed")
    ledger.write_study(replace(ledger.study, state=_open_state(ledger.study)))
    settle(ledger, now)


def cancel(ledger: Ledger, now: datetime) -> None:
    """End the study: queued trials now, running ones at their next report; once cancelled, it stays so.

    Raises:
        Conflict: the study ended in another way.
    """
    if ledger.study.state is StudyState.CANCELLED:
        return
    refuse_if_over(ledger.study, "cannot be cancelled")
    _end(ledger, StudyState.CANCELLED, "", "the study was cancelled", now)


def amend(
    ledger: Ledger,
    *,
    priority: int | None,
    labels: Mapping[str, str] | None,
    budget: Budget | None,
    acknowledge: Sequence[str] | None,
    now: datetime,
) -> None:
    """Change priority, labels, budget and what is acknowledged; None leaves them.

    A budget with room reopens a completed study.

    Raises:
        Conflict: the study failed or was cancelled, and takes no other budget; or it has more trials than the new one.
    """
    study, request = ledger.study, ledger.study.request
    if budget is not None:
        _refuse_budget(ledger, budget)
    new = {
        "priority": priority,
        "labels": None if labels is None else dict(labels),
        "budget": budget,
        "acknowledge": None if acknowledge is None else tuple(acknowledge),
    }
    request = request.model_copy(update={name: value for name, value in new.items() if value is not None})
    study = replace(study, request=request)
    ledger.write_study(study if budget is None else replace(study, reason="", stopped_by=None))
    if budget is not None:
        _reopen(ledger, now)
    settle(ledger, now)


def know_data(ledger: Ledger, finish: TrialFinish) -> None:
    """Keep the SHA-256 of the data of the first trial that brings one and did not fail."""
    if ledger.study.data_sha256 is None and not isinstance(finish.outcome, Failed):
        ledger.write_study(replace(ledger.study, data_sha256=finish.data_sha256))


def settle(ledger: Ledger, now: datetime) -> None:
    """Bring the study to the state that its trials, its budget and the time mean."""
    study = ledger.study
    if study.state.is_final:
        return
    failure = why_failed(ledger)
    if failure is not None:
        _end(ledger, StudyState.FAILED, failure, f"the study failed: {failure}", now)
        return
    stopped = why_stopped(ledger, now)
    if stopped is not None:
        for trial in ledger.in_state(TrialState.QUEUED):
            ledger.write_trial(endings.cancelled(trial, stopped.reason, now))
        ledger.write_study(replace(study, reason=stopped.reason, stopped_by=stopped.by))
    is_used_up = not ledger.has_room or not ledger.has_draws
    if (stopped is not None or is_used_up) and not ledger.has_live_trials:
        by = ledger.study.stopped_by or _used_up_by(ledger)
        ledger.write_study(replace(ledger.study, state=StudyState.COMPLETED, stopped_by=by, finished_at=now))


def refuse_if_over(study: Study, what: str) -> None:
    """Refuse to change a study that has ended.

    Raises:
        Conflict: it has.
    """
    if study.state.is_final:
        raise Conflict(f"study {study.name} {what}: it is {study.state.value}")


def refuse_recipe(ledger: Ledger, recipe: Recipe) -> None:
    """Refuse a person's own recipe where the study cannot run it.

    Raises:
        Conflict: the study is over, or its budget is used up.
        Unsuitable: a rule refuses the recipe in a run of the study's lengths, or its schedule reads the metric as if it
            improved in the other direction.
    """
    study = ledger.study
    if not ledger.has_room:
        raise Conflict(f"the budget of study {study.name} is used up by {len(ledger.trials)} trials: raise it first")
    refuse_if_over(study, "takes no more recipes")
    for horizon in sorted({study.plan.shortest_run, study.plan.horizon}):
        for finding in findings(recipe, horizon):
            if finding.level == "refuse":
                raise Unsuitable(finding.sentence, where=("recipe", *finding.where), value=horizon)
    mode: Mode = "min" if study.plan.direction == "minimize" else "max"
    if recipe.schedule.with_mode(mode) != recipe.schedule:
        other = "max" if mode == "min" else "min"
        raise Unsuitable(
            f"the schedule reads the metric in mode {other!r}, but study {study.name} is to {study.plan.direction} "
            f"{study.plan.metric}: its mode must be {mode!r}",
            where=("recipe", "schedule"),
            value=other,
        )


def _refuse_budget(ledger: Ledger, budget: Budget) -> None:
    study = ledger.study
    if study.state in (StudyState.FAILED, StudyState.CANCELLED):
        raise Conflict(f"study {study.name} is {study.state.value}: its budget can no longer change")
    if budget.trials < len(ledger.trials):
        raise Conflict(
            f"study {study.name} has {len(ledger.trials)} trials already: a budget of {budget.trials} is too small"
        )


def _end(ledger: Ledger, state: StudyState, reason: str, told: str, now: datetime) -> None:
    for trial in ledger.in_state(TrialState.QUEUED):
        ledger.write_trial(endings.cancelled(trial, told, now))
    for trial in ledger.in_state(TrialState.RUNNING):
        ledger.write_trial(replace(trial, cancel=told))
    ledger.write_study(replace(ledger.study, state=state, reason=reason, stopped_by=None, finished_at=now))


def _reopen(ledger: Ledger, now: datetime) -> None:
    study = ledger.study
    if study.state is not StudyState.COMPLETED:
        return
    stopped = why_stopped(ledger, now)
    if stopped is None and ledger.has_room and ledger.has_draws:
        ledger.write_study(replace(study, state=_open_state(study), finished_at=None))
    elif stopped is None:
        ledger.write_study(replace(study, stopped_by=_used_up_by(ledger)))
    else:
        ledger.write_study(replace(study, reason=stopped.reason, stopped_by=stopped.by))


def _used_up_by(ledger: Ledger) -> StoppedBy | None:
    """Name the limit of a study without room; None where its sampler has no more to draw, which is no limit."""
    return None if ledger.has_room else "trials"


def _open_state(study: Study) -> StudyState:
    return StudyState.QUEUED if study.started_at is None else StudyState.RUNNING
