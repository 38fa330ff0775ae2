"""Values of the search as rows of our tables, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from optuna.distributions import distribution_to_json, json_to_distribution
from sqlalchemy import RowMapping

from schedules import Recipe
from search.ledger import Attempt
from search.protocol import Point
from search.study import Lease, Plan, Study, StudyFinding, StudyRequest, StudyState, Trial, TrialState
from service.store.values import Artifact

Row = dict[str, Any]


def storable(text: str) -> str:
    """The text without what PostgreSQL cannot hold: a traceback may carry NUL characters and lone surrogates."""
    return text.replace("\0", "␀").encode("utf-8", "replace").decode("utf-8")


def study_row(study: Study) -> Row:
    """What may change of a study."""
    return {
        "state": study.state.value,
        "reason": storable(study.reason),
        "stopped_by": study.stopped_by,
        "data_sha256": study.data_sha256,
        "request": study.request.model_dump(mode="json"),
        "started_at": study.started_at,
        "finished_at": study.finished_at,
    }


def to_study(row: RowMapping) -> Study:
    return Study(
        id=row["id"],
        optuna_id=row["optuna_id"],
        project=row["project"],
        name=row["name"],
        request=StudyRequest.model_validate(row["request"]),
        plan=Plan.model_validate(row["plan"]),
        findings=tuple(StudyFinding.model_validate(each) for each in row["findings"]),
        state=StudyState(row["state"]),
        reason=row["reason"],
        stopped_by=row["stopped_by"],
        data_sha256=row["data_sha256"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


def new_trial_row(study_id: int, trial: Trial) -> Row:
    """All of a trial."""
    return {
        "study_id": study_id,
        "number": trial.number,
        "origin": trial.origin,
        "recipe": trial.recipe.model_dump(mode="json"),
        "parameters": dict(trial.parameters),
        "distributions": {name: distribution_to_json(each) for name, each in trial.distributions.items()},
        "seed": trial.seed,
        "created_at": trial.created_at,
        **trial_row(trial),
    }


def trial_row(trial: Trial) -> Row:
    """What may change of a trial."""
    lease = trial.lease
    return {
        "state": trial.state.value,
        "attempt": trial.attempt,
        "lost_attempts": trial.lost_attempts,
        "lease_token": lease and lease.token,
        "lease_worker": lease and lease.worker,
        "test_metrics": dict(trial.test_metrics),
        "value": trial.value,
        "reason": storable(trial.reason),
        "cause": trial.cause,
        "log": storable(trial.log),
        "train_seconds": trial.train_seconds,
        "started_at": trial.started_at,
        "finished_at": trial.finished_at,
        **progress_row(trial),
    }


def progress_row(trial: Trial) -> Row:
    """What may change of a trial within an attempt."""
    lease = trial.lease
    return {
        "lease_expires_at": lease and lease.expires_at,
        "lease_progressed_at": lease and lease.progressed_at,
        "updates": trial.update,
        "evaluated": trial.evaluated,
        "epoch": trial.epoch,
        "rate": trial.rate,
        "at_rungs": {str(update): value for update, value in trial.at_rungs.items()},
        "best": trial.best,
        "improved_to": trial.improved_to,
        "improved_at": trial.improved_at,
        "metrics": dict(trial.metrics),
        "prune": trial.prune and storable(trial.prune),
        "spared": trial.spared and storable(trial.spared),
        "cancel": trial.cancel and storable(trial.cancel),
    }


def to_trial(row: RowMapping) -> Trial:
    """A trial; without distributions and log when the query left them out."""
    return Trial(
        number=row["number"],
        state=TrialState(row["state"]),
        recipe=Recipe.model_validate(row["recipe"]),
        seed=row["seed"],
        parameters=row["parameters"],
        distributions=_distributions(row.get("distributions", {})),
        origin=row["origin"],
        attempt=row["attempt"],
        lost_attempts=row["lost_attempts"],
        lease=_lease(row),
        update=row["updates"],
        evaluated=row["evaluated"],
        epoch=row["epoch"],
        rate=row["rate"],
        at_rungs={int(update): value for update, value in row["at_rungs"].items()},
        best=row["best"],
        improved_to=row["improved_to"],
        improved_at=row["improved_at"],
        metrics=row["metrics"],
        test_metrics=row["test_metrics"],
        value=row["value"],
        prune=row["prune"],
        spared=row["spared"],
        cancel=row["cancel"],
        reason=row["reason"],
        cause=row["cause"],
        log=row.get("log", ""),
        train_seconds=row["train_seconds"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


def _distributions(stored: Mapping[str, str]) -> dict[str, Any]:
    return {name: json_to_distribution(text) for name, text in stored.items()}


def _lease(row: RowMapping) -> Lease | None:
    if row["lease_token"] is None:
        return None
    return Lease(
        token=row["lease_token"],
        worker=row["lease_worker"],
        expires_at=row["lease_expires_at"],
        progressed_at=row["lease_progressed_at"],
    )


def attempt_row(study_id: int, attempt: Attempt) -> Row:
    return {
        "study_id": study_id,
        "trial": attempt.trial,
        "attempt": attempt.attempt,
        "worker": attempt.worker,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "ending": attempt.ending,
        "message": storable(attempt.message),
        "log": storable(attempt.log),
    }


def to_attempt(row: RowMapping) -> Attempt:
    """An attempt; without its log when the query left it out."""
    return Attempt(
        trial=row["trial"],
        attempt=row["attempt"],
        worker=row["worker"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        ending=row["ending"],
        message=row["message"],
        log=row.get("log", ""),
    )


def artifact_row(study_id: int, artifact: Artifact) -> Row:
    return {
        "study_id": study_id,
        "trial": artifact.trial,
        "kind": artifact.kind,
        "attempt": artifact.attempt,
        "sha256": artifact.sha256,
        "size_bytes": artifact.size_bytes,
        "created_at": artifact.created_at,
    }


def to_artifact(row: RowMapping) -> Artifact:
    return Artifact(
        trial=row["trial"],
        attempt=row["attempt"],
        kind=row["kind"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        created_at=row["created_at"],
    )


def point_row(study_id: int, trial: int, attempt: int, point: Point) -> Row:
    return {
        "study_id": study_id,
        "trial": trial,
        "attempt": attempt,
        "updates": point.update,
        "epoch": point.epoch,
        "rate": point.rate,
        "metrics": dict(point.metrics),
    }


def to_point(row: RowMapping) -> Point:
    return Point(update=row["updates"], epoch=row["epoch"], rate=row["rate"], metrics=row["metrics"])


def event_row(study_id: int, at: datetime, kind: str, payload: Mapping[str, Any]) -> Row:
    return {"study_id": study_id, "at": at, "kind": kind, "payload": dict(payload)}
