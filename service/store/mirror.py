"""Trials as Optuna's tables want them, written in bulk.

What makes a whole study unreadable for Optuna is kept out by construction: a value that is not a number has no row, a
point that is not a number has its own type, times are naive UTC, ids come from the database. A queued trial of a person
is WAITING until it is first handed out; a trial whose attempt was lost stays RUNNING, since a stock Optuna that asks
this study would take a WAITING one for itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from optuna.trial import TrialState as OptunaState
from sqlalchemy import Connection, Table, bindparam, delete, insert, select

from search.brackets import own_plan
from search.protocol import Point
from search.study import Plan, Study, Trial, TrialState
from service.store.bulk import add, change, upsert
from service.store.rows import Row, storable
from service.tables import naive_utc

_studies: Table = models.StudyModel.__table__
_directions: Table = models.StudyDirectionModel.__table__
_study_attributes: Table = models.StudyUserAttributeModel.__table__
_study_notes: Table = models.StudySystemAttributeModel.__table__
_trials: Table = models.TrialModel.__table__
_params: Table = models.TrialParamModel.__table__
_values: Table = models.TrialValueModel.__table__
_points: Table = models.TrialIntermediateValueModel.__table__
_attributes: Table = models.TrialUserAttributeModel.__table__
_trial_notes: Table = models.TrialSystemAttributeModel.__table__
_heartbeats: Table = models.TrialHeartbeatModel.__table__


@dataclass(frozen=True)
class Mirrored:
    """One trial to write into Optuna's tables.

    Attributes:
        optuna_id: key of the trial's row there; ``None`` while it has none.
        was: the trial's state when it was last written, ``None`` for a new trial.
        restarted: a new attempt began since then, so points of the old one must go.
        points: new points of the newest attempt.
    """

    trial: Trial
    optuna_id: int | None
    was: TrialState | None
    restarted: bool
    points: tuple[Point, ...]

    @property
    def changed_state(self) -> bool:
        return self.was is not self.trial.state or self.restarted


def add_study(connection: Connection, name: str, plan: Plan, attributes: Mapping[str, object]) -> int:
    """Insert Optuna's study and return the id that the database gave it."""
    row = insert(_studies).values(study_name=name).returning(_studies.c.study_id)
    study_id: int = connection.execute(row).scalar_one()
    direction = StudyDirection.MINIMIZE if plan.direction == "minimize" else StudyDirection.MAXIMIZE
    connection.execute(insert(_directions).values(study_id=study_id, objective=0, direction=direction))
    rows = [{"study_id": study_id, "key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]
    connection.execute(insert(_study_attributes), rows)
    names = {"study_id": study_id, "key": "study:metric_names", "value_json": json.dumps([plan.metric])}
    connection.execute(insert(_study_notes), [names])
    return study_id


def remove_study(connection: Connection, study_id: int) -> None:
    """Delete Optuna's study with all that belongs to it; its schema does not do so by itself."""
    belonging = select(_trials.c.trial_id).where(_trials.c.study_id == study_id)
    for table in (_params, _values, _points, _attributes, _trial_notes, _heartbeats):
        connection.execute(delete(table).where(table.c.trial_id.in_(belonging)))
    for table in (_trials, _directions, _study_attributes, _study_notes, _studies):
        connection.execute(delete(table).where(table.c.study_id == study_id))


def write(connection: Connection, study: Study, batch: Sequence[Mirrored]) -> dict[int, int]:
    """Write trials into Optuna's tables; return the ids of those that are new there, by number."""
    added = _add_trials(connection, study.optuna_id, [each.trial for each in batch if each.optuna_id is None])
    ids = {each.trial.number: each.optuna_id or added[each.trial.number] for each in batch if each.optuna_id or added}
    _forget_points(connection, [each.optuna_id for each in batch if each.restarted and each.optuna_id])
    _move_trials(connection, [each for each in batch if each.optuna_id and each.changed_state])
    points = [row for each in batch for row in _point_rows(ids[each.trial.number], own_plan(study, each.trial), each)]
    upsert(connection, _points, points, key=("trial_id", "step"))
    changed = [each.trial for each in batch if each.changed_state]
    values = [row for trial in changed for row in _value_rows(ids[trial.number], trial)]
    upsert(connection, _values, values, key=("trial_id", "objective"))
    attributes = [row for each in batch if each.changed_state for row in _attribute_rows(ids[each.trial.number], each)]
    upsert(connection, _attributes, attributes, key=("trial_id", "key"))
    return added


def optuna_state(trial: Trial) -> OptunaState:
    """The state that Optuna's readers see."""
    match trial.state:
        case TrialState.QUEUED:
            return OptunaState.WAITING if trial.attempt == 0 else OptunaState.RUNNING
        case TrialState.RUNNING:
            return OptunaState.RUNNING
        case TrialState.COMPLETED:
            # Optuna's readers expect a value of every COMPLETE trial, and treat one told NaN in this way.
            return OptunaState.FAIL if trial.value is None or math.isnan(trial.value) else OptunaState.COMPLETE
        case TrialState.PRUNED | TrialState.DIVERGED:
            return OptunaState.PRUNED
        case TrialState.CANCELLED | TrialState.FAILED:
            return OptunaState.FAIL


def _add_trials(connection: Connection, study_id: int, trials: Sequence[Trial]) -> dict[int, int]:
    if not trials:
        return {}
    rows = [{"study_id": study_id, "number": trial.number, **_state_row(trial)} for trial in trials]
    statement = insert(_trials).returning(_trials.c.trial_id, _trials.c.number)
    ids = {number: trial_id for trial_id, number in connection.execute(statement, rows)}
    add(connection, _params, [row for trial in trials for row in _param_rows(ids[trial.number], trial)])
    return ids


def _move_trials(connection: Connection, batch: Sequence[Mirrored]) -> None:
    rows = [{"trial_id": each.optuna_id, **_state_row(each.trial)} for each in batch]
    change(connection, _trials, rows, key=("trial_id",))


def _state_row(trial: Trial) -> Row:
    return {
        "state": optuna_state(trial),
        "datetime_start": trial.started_at and naive_utc(trial.started_at),
        "datetime_complete": trial.finished_at and naive_utc(trial.finished_at),
    }


def _param_rows(trial_id: int, trial: Trial) -> list[Row]:
    return [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": trial.distributions[name].to_internal_repr(value),
            "distribution_json": distribution_to_json(trial.distributions[name]),
        }
        for name, value in trial.parameters.items()
    ]


def _forget_points(connection: Connection, trial_ids: Sequence[int]) -> None:
    if trial_ids:
        connection.execute(
            delete(_points).where(_points.c.trial_id == bindparam("key")), [{"key": key} for key in trial_ids]
        )


def _point_rows(trial_id: int, plan: Plan, each: Mirrored) -> list[Row]:
    rows = {}
    for point in each.points:
        if point.update in plan.shown and plan.metric in point.metrics:
            value, kind = _point_value(point.metrics[plan.metric])
            rows[point.update] = {
                "trial_id": trial_id,
                "step": point.update,
                "intermediate_value": value,
                "intermediate_value_type": kind,
            }
    return list(rows.values())


def _point_value(value: float | None) -> tuple[float | None, Any]:
    return models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(math.nan if value is None else value)


def _value_rows(trial_id: int, trial: Trial) -> list[Row]:
    if trial.state not in (TrialState.COMPLETED, TrialState.PRUNED) or trial.value is None or math.isnan(trial.value):
        return []
    value, kind = models.TrialValueModel.value_to_stored_repr(trial.value)
    return [{"trial_id": trial_id, "objective": 0, "value": value, "value_type": kind}]


def _attribute_rows(trial_id: int, each: Mirrored) -> list[Row]:
    attributes = {} if each.optuna_id else _constant_attributes(each.trial)
    attributes |= _changing_attributes(each.trial)
    return [{"trial_id": trial_id, "key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]


def _constant_attributes(trial: Trial) -> dict[str, object]:
    recipe = trial.recipe
    return {
        "peak_lr": recipe.peak_lr,
        "optimizer": recipe.optimizer.kind,
        "recipe": recipe.summary(),
        "recipe_json": recipe.model_dump(mode="json"),
        "recipe_digest": recipe.digest,
        "seed": trial.seed,
        "origin": trial.origin,
    }


def _changing_attributes(trial: Trial) -> dict[str, object]:
    attributes: dict[str, object] = {"etude_state": trial.state.value, "attempt": trial.attempt}
    if not trial.state.is_final:
        return attributes
    attributes |= {"updates": trial.update, "train_seconds": trial.train_seconds}
    attributes |= {f"last_{name}": value for name, value in trial.metrics.items()}
    attributes |= {
        name if name.startswith("test_") else f"test_{name}": each for name, each in trial.test_metrics.items()
    }
    if trial.reason:
        attributes["reason"] = storable(trial.reason)
    if trial.cause:
        attributes["cause"] = trial.cause
    return attributes
