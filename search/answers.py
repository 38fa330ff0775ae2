"""What workers are told: assignments, verdicts, receipts."""

from __future__ import annotations

from typing import Literal

from search.brackets import own_plan
from search.protocol import Assignment, Fence, Receipt, Verdict
from search.study import Study, Trial


def assignment(study: Study, trial: Trial, lease_seconds: float) -> Assignment:
    """Say what to train and how.

    Raises:
        ValueError: the trial has no lease.
    """
    if trial.lease is None:
        raise ValueError(f"trial {trial.number} of study {study.name} is {trial.state.value} and has no lease")
    plan = own_plan(study, trial)
    return Assignment(
        fence=Fence(
            project=study.project,
            study=study.name,
            trial=trial.number,
            attempt=trial.attempt,
            lease=trial.lease.token,
        ),
        task=plan.task,
        task_options=plan.task_options,
        recipe=trial.recipe,
        horizon=plan.horizon,
        runs=plan.runs,
        updates_per_epoch=plan.updates_per_epoch,
        evaluate_every=plan.evaluate_every,
        metric=plan.metric,
        seed=trial.seed,
        report_points=plan.rungs,
        lease_seconds=lease_seconds,
        data_sha256=study.data_sha256,
    )


def verdict(fence: Fence, action: Literal["continue", "prune", "cancel", "lost"], reason: str = "") -> Verdict:
    """Say what to do with a trial now, and why."""
    return Verdict(study=fence.study, trial=fence.trial, action=action, reason=reason)


def receipt(
    fence: Fence, status: Literal["accepted", "lost"], reason: str = "", *, wants_weights: bool = False
) -> Receipt:
    """Say whether a message about a trial was taken, and why not."""
    return Receipt(study=fence.study, trial=fence.trial, status=status, reason=reason, wants_weights=wants_weights)
