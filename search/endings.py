"""How an attempt ends, and what becomes of its trial; plans are the trial's own.

What a worker reached outweighs what it was told: a run that reached its horizon is completed although a verdict to
prune or to cancel was on its way, and a run that diverged is diverged. The figures are real, and dropping them would
save nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from search.curve import objective, value_at_last_rung
from search.errors import Conflict, OtherData, Unsuitable
from search.protocol import Cancelled, Completed, Diverged, Failed, Outcome, Pruned, TrialFinish
from search.study import Plan, Study, Trial, TrialState


def check_outcome(trial: Trial, plan: Plan, outcome: Outcome) -> None:
    """Refuse an outcome that cannot be true of the trial, as it stands with the last points.

    Raises:
        Conflict: pruned or cancelled, and nobody told it so.
        Unsuitable: completed without an evaluation after its last update, or diverged beyond it.
    """
    match outcome:
        case Completed() if trial.evaluated < plan.total_updates:
            raise Unsuitable(
                f"trial {trial.number} is not completed before its last evaluation, at update {plan.total_updates}, "
                f"is reported; the last one received is at update {trial.evaluated}",
                where=("outcome", "kind"),
                value="completed",
            )
        case Diverged() if outcome.update >= plan.total_updates:
            raise Unsuitable(
                f"trial {trial.number} cannot diverge at update {outcome.update}: "
                f"the last update of its {plan.total_updates} has index {plan.total_updates - 1}",
                where=("outcome", "update"),
                value=outcome.update,
            )
        case Pruned() if trial.prune is None:
            raise Conflict(f"trial {trial.number} was not told to prune; train on, or release it")
        case Cancelled() if trial.cancel is None:
            raise Conflict(f"trial {trial.number} was not told to cancel; train on, or release it")
        case _:
            pass


def on_the_data_of(study: Study, finish: TrialFinish) -> TrialFinish:
    """Return the end of an attempt, which is a failure where it was trained on other data than the study's.

    A worker that knows the study's data refuses the trial itself; this one was at work before anybody knew.
    """
    recorded, found = study.data_sha256, finish.data_sha256
    if isinstance(finish.outcome, Failed) or recorded is None or found is None or recorded == found:
        return finish
    why = str(OtherData(study.plan.task, recorded=recorded, found=found))
    return finish.model_copy(update={"outcome": Failed(cause="configuration", message=why, log=finish.log)})


def agrees(trial: Trial, plan: Plan, outcome: Outcome) -> bool:
    """Say whether the outcome is the one that ended the trial's newest attempt.

    A run that reached its horizon without a finite value is diverged, whether it was sent as completed or diverged.
    """
    match outcome:
        case Completed():
            return trial.state is TrialState.COMPLETED or (
                trial.state is TrialState.DIVERGED and trial.evaluated == plan.total_updates
            )
        case Failed():
            return trial.cause == outcome.cause
        case _:
            return trial.state.value == outcome.kind


def refuse_another(trial: Trial, plan: Plan, outcome: Outcome) -> None:
    """Refuse an outcome other than the one that ended the trial's newest attempt.

    Raises:
        Conflict: they differ.
    """
    if not agrees(trial, plan, outcome):
        raise Conflict(
            f"attempt {trial.attempt} at trial {trial.number} has already ended: the trial is {trial.state.value}, "
            f"and {outcome.kind} comes too late"
        )


def ended(trial: Trial, study: Study, outcome: Outcome, now: datetime) -> Trial:
    """Return the trial as the outcome of its running attempt leaves it."""
    final = replace(trial, finished_at=now, prune=None, cancel=None)
    match outcome:
        case Completed():
            return _completed(final, study.plan, outcome, told=trial.cancel or trial.prune)
        case Pruned():
            return _pruned(final, trial.prune or "")
        case Diverged():
            reason = f"the training loss was not finite at update {outcome.update}, at a rate of {outcome.rate:.3g}"
            return replace(final, state=TrialState.DIVERGED, update=outcome.update, rate=outcome.rate, reason=reason)
        case Cancelled():
            return replace(final, state=TrialState.CANCELLED, reason=trial.cancel or "")
        case Failed():
            return _failed(trial, study.request.max_attempts, outcome, now)


def _failed(trial: Trial, max_attempts: int, outcome: Failed, now: datetime) -> Trial:
    trial = replace(trial, cause=outcome.cause, log=outcome.log)
    if outcome.cause == "configuration":
        trial = replace(trial, at_rungs={}, best=None)  # what it measured is no measure for others
    if outcome.cause != "device":
        return failed(trial, outcome.message, now)
    trial = replace(trial, lost_attempts=trial.lost_attempts + 1)
    return taken_back(trial, max_attempts, why=outcome.message, now=now)


def failed(trial: Trial, reason: str, now: datetime) -> Trial:
    """Return the trial as failed for good."""
    return replace(trial, state=TrialState.FAILED, finished_at=now, prune=None, cancel=None, reason=reason)


def cancelled(trial: Trial, reason: str, now: datetime) -> Trial:
    """Return the trial as cancelled."""
    return replace(trial, state=TrialState.CANCELLED, finished_at=now, prune=None, cancel=None, reason=reason)


def taken_back(trial: Trial, max_attempts: int, *, why: str, now: datetime) -> Trial:
    """Return the trial after an attempt that yielded nothing: queued again, while it has attempts left.

    A trial that was to be cancelled or pruned ends so: the reason to stop it holds without its worker.

    Args:
        why: a sentence on why the attempt is over.
    """
    if trial.cancel is not None:
        return cancelled(trial, trial.cancel, now)
    if trial.prune is not None:
        return _pruned(replace(trial, finished_at=now, prune=None), trial.prune)
    if trial.lost_attempts < max_attempts:
        return replace(trial, state=TrialState.QUEUED, reason=why)
    trial = replace(trial, cause=trial.cause or "lost")
    return failed(trial, f"no attempt is left after {trial.lost_attempts}; the last: {why}", now)


def _pruned(trial: Trial, reason: str) -> Trial:
    return replace(trial, state=TrialState.PRUNED, value=value_at_last_rung(trial), reason=reason)


def _completed(trial: Trial, plan: Plan, outcome: Completed, told: str | None) -> Trial:
    trial = replace(trial, test_metrics=dict(outcome.test_metrics))
    value = objective(trial, plan)
    if value is None:
        reason = f"{plan.metric} was not finite at the last evaluation"
        return replace(trial, state=TrialState.DIVERGED, reason=reason)
    reason = "" if told is None else f"completed before it heard: {told}"
    return replace(trial, state=TrialState.COMPLETED, value=value, reason=reason)
