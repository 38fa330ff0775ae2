"""Trials in the API, and the answers drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import JsonValue

from schedules import Recipe
from search.brackets import own_plan
from search.ledger import Attempt
from search.protocol import Point
from search.study import Direction, Study, Trial, TrialState
from service.schemas.base import Body, Out
from service.store.values import Artifact


class WeightsOut(Out):
    """The weights that are kept of a trial, in a safetensors file.

    Attributes:
        sha256: of the whole file.
    """

    sha256: str
    size_bytes: int


class TrialOut(Out):
    """A trial in a list.

    Attributes:
        summary: the recipe in one line.
        digest: the recipe's fingerprint.
        update: updates done, as last reported.
        total_updates: updates of a whole trial: its horizon, or those of all its runs where it makes several.
        rate: the learning rate of the last of them.
        metrics: the last evaluation.
        test_metrics: computed once, at the end, and unknown to the sampler.
        value: what the sampler is told; ``null`` until the trial ended with one.
        best: the best finite objective metric of the newest attempt.
        worker: who trains it now.
        spared: why it would have been pruned, had it not been spared to measure what pruning costs.
        reason: how it ended, in one sentence.
        train_seconds: device time of all attempts.
        weights: what can be downloaded at ``…/weights``; ``null`` where nothing is kept.
    """

    study: str
    number: int
    state: TrialState
    origin: Literal["sampled", "enqueued"]
    recipe: Recipe
    summary: str
    digest: str
    seed: int
    attempt: int
    worker: str | None
    update: int
    total_updates: int
    horizon: int
    epoch: float
    rate: float | None
    metrics: dict[str, float | None]
    test_metrics: dict[str, float | None]
    value: float | None
    best: float | None
    spared: str | None
    reason: str
    cause: str | None
    train_seconds: float
    weights: WeightsOut | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class AttemptOut(Out):
    """One try of a worker at a trial; what it printed and logged is at ``…/attempts/{attempt}/log``.

    Attributes:
        ending: ``null`` while it runs; then how it ended, ``lost`` and ``released`` included.
    """

    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    ending: str | None
    message: str


class TrialDetailOut(TrialOut):
    """A trial with everything known about it.

    Attributes:
        parameters: what the sampler drew, by Optuna's names.
        log: tail of the log and traceback, when it failed.
    """

    parameters: dict[str, JsonValue]
    log: str
    attempts: list[AttemptOut]


class RankedTrialOut(TrialOut):
    """A completed trial and its place, 1 for the best."""

    rank: int


class LeaderboardOut(Out):
    """The completed trials, best value first."""

    study: str
    metric: str
    direction: Direction
    items: list[RankedTrialOut]


class BestOut(Out):
    """The best recipe found, and what it takes to train with it."""

    study: str
    metric: str
    direction: Direction
    value: float
    recipe: Recipe
    summary: str
    digest: str
    horizon: int
    updates_per_epoch: int
    trial: TrialOut


class CurveOut(Out):
    """All evaluations of one attempt, by rising update."""

    study: str
    trial: int
    attempt: int
    metric: str
    points: list[Point]


class EnqueueBody(Body):
    """A recipe of one's own, run as the study's next trial; the sampler is not told."""

    recipe: Recipe


def trial_out(study: Study, trial: Trial, weights: Mapping[int, Artifact]) -> TrialOut:
    """A trial for a list."""
    return TrialOut.model_construct(**_trial_fields(study, trial, weights))


def trial_detail(
    study: Study, trial: Trial, attempts: list[Attempt], weights: Mapping[int, Artifact]
) -> TrialDetailOut:
    """A trial with everything known about it."""
    return TrialDetailOut.model_construct(
        **_trial_fields(study, trial, weights),
        parameters=dict(trial.parameters),
        log=trial.log,
        attempts=[attempt_out(attempt) for attempt in attempts],
    )


def leaderboard_out(study: Study, trials: list[Trial], weights: Mapping[int, Artifact]) -> LeaderboardOut:
    """The completed trials with their places."""
    ranked = [
        RankedTrialOut.model_construct(**_trial_fields(study, trial, weights), rank=rank)
        for rank, trial in enumerate(trials, start=1)
    ]
    plan = study.plan
    return LeaderboardOut(study=study.name, metric=plan.metric, direction=plan.direction, items=ranked)


def best_out(study: Study, trial: Trial, value: float, weights: Mapping[int, Artifact]) -> BestOut:
    """The best recipe with what it takes to train with it."""
    return BestOut(
        study=study.name,
        metric=study.plan.metric,
        direction=study.plan.direction,
        value=value,
        recipe=trial.recipe,
        summary=trial.recipe.summary(),
        digest=trial.recipe.digest,
        horizon=study.plan.horizon,
        updates_per_epoch=study.plan.updates_per_epoch,
        trial=trial_out(study, trial, weights),
    )


def weights_out(artifact: Artifact) -> WeightsOut:
    """The weights that are kept of a trial."""
    return WeightsOut(sha256=artifact.sha256, size_bytes=artifact.size_bytes)


def _trial_fields(study: Study, trial: Trial, weights: Mapping[int, Artifact]) -> dict[str, Any]:
    kept = weights.get(trial.number)
    return {
        "study": study.name,
        "number": trial.number,
        "state": trial.state,
        "origin": trial.origin,
        "recipe": trial.recipe,
        "summary": trial.recipe.summary(),
        "digest": trial.recipe.digest,
        "seed": trial.seed,
        "attempt": trial.attempt,
        "worker": None if trial.lease is None else trial.lease.worker,
        "update": trial.update,
        "total_updates": own_plan(study, trial).total_updates,
        "horizon": study.plan.horizon,
        "epoch": trial.epoch,
        "rate": trial.rate,
        "metrics": dict(trial.metrics),
        "test_metrics": dict(trial.test_metrics),
        "value": trial.value,
        "best": trial.best,
        "spared": trial.spared,
        "reason": trial.reason,
        "cause": trial.cause,
        "train_seconds": trial.train_seconds,
        "weights": None if kept is None else weights_out(kept),
        "created_at": trial.created_at,
        "started_at": trial.started_at,
        "finished_at": trial.finished_at,
    }


def attempt_out(attempt: Attempt) -> AttemptOut:
    """One try at a trial, without its log."""
    return AttemptOut(
        attempt=attempt.attempt,
        worker=attempt.worker,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        ending=attempt.ending,
        message=attempt.message,
    )
