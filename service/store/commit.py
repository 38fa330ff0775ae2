"""All that happened to a study, written in one transaction."""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import datetime

from sqlalchemy import Connection, RowMapping, exc, insert, select, update

from search.errors import NotFound
from search.ledger import Changes
from search.protocol import Point
from search.study import Trial, TrialState
from service.store import mirror, rows
from service.store.bulk import add, change, upsert
from service.store.mirror import Mirrored
from service.tables import attempts, curves, events, studies, trials

_log = logging.getLogger(__name__)

_CHUNK = 1000
"""Numbers looked up by one statement, far below what either database takes."""


def write(connection: Connection, changes: Changes, now: datetime) -> None:
    """Write our tables and Optuna's, all trials at once.

    Raises:
        NotFound: the study is not there any more.
    """
    before = _write_study(connection, changes)
    batch = _to_mirror(changes, before)
    added = mirror.write(connection, changes.study, batch)
    _write_ours(connection, changes, before, added, now)


def write_one_by_one(connection: Connection, changes: Changes, now: datetime) -> None:
    """Write our tables, and Optuna's trial by trial: one that Optuna's tables refuse stays out of them alone.

    It is tried again with its next change, since it has no row there yet.

    Raises:
        NotFound: the study is not there any more.
    """
    before = _write_study(connection, changes)
    added: dict[int, int] = {}
    for each in _to_mirror(changes, before):
        try:
            with connection.begin_nested():
                added |= mirror.write(connection, changes.study, [each])
        except (exc.DataError, exc.IntegrityError):
            _log.exception(
                "trial %d of study %s/%s does not fit Optuna's tables and is missing there",
                each.trial.number,
                changes.study.project,
                changes.study.name,
                extra={"project": changes.study.project, "study": changes.study.name, "trial": each.trial.number},
            )
    _write_ours(connection, changes, before, added, now)


def _write_study(connection: Connection, changes: Changes) -> dict[int, RowMapping]:
    """Write the study's row, and read how its touched trials stand in the database."""
    study = changes.study
    own = studies.c.id == study.id
    if changes.is_study_changed:
        found = connection.execute(update(studies).where(own).values(rows.study_row(study))).rowcount
    else:
        found = len(connection.execute(select(studies.c.id).where(own)).all())
    if found == 0:
        raise NotFound(f"study {study.project}/{study.name} (id {study.id}) was deleted: nothing more is written to it")
    before: dict[int, RowMapping] = {}
    numbers = [trial.number for trial in changes.trials]
    for start in range(0, len(numbers), _CHUNK):
        query = select(trials.c.number, trials.c.optuna_id, trials.c.state, trials.c.attempt).where(
            trials.c.study_id == study.id, trials.c.number.in_(numbers[start : start + _CHUNK])
        )
        before |= {row["number"]: row for row in connection.execute(query).mappings()}
    return before


def _to_mirror(changes: Changes, before: dict[int, RowMapping]) -> list[Mirrored]:
    points: dict[tuple[int, int], list[Point]] = defaultdict(list)
    for number, attempt, point in changes.points:
        points[number, attempt].append(point)
    batch = []
    for trial in changes.trials:
        row = before.get(trial.number)
        batch.append(
            Mirrored(
                trial=trial,
                optuna_id=row["optuna_id"] if row else None,
                was=TrialState(row["state"]) if row else None,
                restarted=row is not None and row["attempt"] != trial.attempt,
                points=tuple(points[trial.number, trial.attempt]),
            )
        )
    return batch


def _write_ours(
    connection: Connection, changes: Changes, before: dict[int, RowMapping], added: dict[int, int], now: datetime
) -> None:
    study_id = changes.study.id
    new = [trial for trial in changes.trials if trial.number not in before]
    add(connection, trials, [rows.new_trial_row(study_id, each) | _link(each.number, added) for each in new])
    attempted = {(each.trial, each.attempt): rows.attempt_row(study_id, each) for each in changes.attempts}
    upsert(connection, attempts, list(attempted.values()))
    points = {
        (number, attempt, point.update): rows.point_row(study_id, number, attempt, point)
        for number, attempt, point in changes.points
    }
    upsert(connection, curves, list(points.values()))
    # After what refers to them: PostgreSQL checks the references of a batch slowly where the rows have just changed.
    _change_trials(connection, changes, before, added)
    if changes.events:
        news = [rows.event_row(study_id, now, each.kind, each.payload) for each in changes.events]
        connection.execute(insert(events), news)


def _change_trials(
    connection: Connection, changes: Changes, before: dict[int, RowMapping], added: dict[int, int]
) -> None:
    progressed: list[rows.Row] = []
    others: list[rows.Row] = []
    for trial in changes.trials:
        row = before.get(trial.number)
        if row is None:
            continue
        key = {"study_id": changes.study.id, "number": trial.number}
        if _only_progressed(trial, row, added):
            progressed.append(key | rows.progress_row(trial))
        else:
            others.append(key | rows.trial_row(trial) | _link(trial.number, added, row["optuna_id"]))
    for each in (progressed, others):
        change(connection, trials, each, key=("study_id", "number"))


def _only_progressed(trial: Trial, row: RowMapping, added: dict[int, int]) -> bool:
    """Whether the trial is in the middle of the attempt that its row tells of."""
    is_same = trial.state is TrialState.RUNNING and (row["state"], row["attempt"]) == (trial.state, trial.attempt)
    return is_same and trial.number not in added


def _link(number: int, added: dict[int, int], known: int | None = None) -> rows.Row:
    return {"optuna_id": known or added.get(number)}
