"""The rows of the files kept of trials, written in the transaction that decides whether a file is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, select

from search import leases
from search.errors import Conflict, NotFound
from search.keeping import why_not_kept
from search.protocol import Fence
from search.study import Study
from service.store import rows
from service.store.bulk import upsert
from service.store.ranking import completed
from service.store.values import Artifact
from service.tables import artifacts, studies, trials


def keep_weights(
    connection: Connection, fence: Fence, artifact: Artifact, place: Callable[[int], None]
) -> tuple[int, list[Artifact]]:
    """Put weights in their place and record them; weights that are recorded already change nothing.

    Args:
        place: moves the file to its place among those of the study with this id. A file whose transaction fails
            after that is left there without a row.

    Returns:
        The study's id, and what its row replaced: the files of these may go once the transaction is over.

    Raises:
        NotFound: there is no such study.
        Conflict: the fence does not open the trial, or the study does not keep its weights.
    """
    study = refuse_weights(connection, fence, artifact.sha256)
    of_weights = (artifacts.c.study_id == study.id) & (artifacts.c.kind == artifact.kind)
    old = of_weights if study.request.keep.weights == "best" else of_weights & (artifacts.c.trial == fence.trial)
    before = [rows.to_artifact(row) for row in connection.execute(select(artifacts).where(old)).mappings()]
    place(study.id)
    if any(_is_same(each, artifact) for each in before):
        return study.id, []
    connection.execute(delete(artifacts).where(old))
    upsert(connection, artifacts, [rows.artifact_row(study.id, artifact)])
    return study.id, before


def refuse_weights(connection: Connection, fence: Fence, sha256: str | None = None) -> Study:
    """Refuse weights that the study does not keep; those that it has already are taken again.

    Args:
        sha256: of the file; None while it is not known.

    Raises:
        NotFound: there is no such study.
        Conflict: the fence does not open the trial, or the study does not keep its weights.
    """
    # Locked, so that no trial ends and no study goes meanwhile.
    named = select(studies).where(studies.c.project == fence.project, studies.c.name == fence.study)
    study_row = _one(connection, named.with_for_update())
    if study_row is None:
        raise NotFound(f"project {fence.project!r} has no study named {fence.study!r}")
    study = rows.to_study(study_row)
    row = _one(connection, select(trials).where(trials.c.study_id == study.id, trials.c.number == fence.trial))
    trial = None if row is None else rows.to_trial(row)
    if trial is None or not leases.opens(trial, fence):
        raise Conflict(leases.why_lost(trial, fence))
    kept = select(artifacts).where(artifacts.c.study_id == study.id, artifacts.c.trial == fence.trial)
    known = _one(connection, kept.where(artifacts.c.kind == "weights"))
    if known is not None and sha256 in {None, known["sha256"]}:
        return study
    why_not = why_not_kept(study, trial, _best(connection, study))
    if why_not is not None:
        raise Conflict(why_not)
    return study


def _is_same(one: Artifact, other: Artifact) -> bool:
    return (one.trial, one.sha256) == (other.trial, other.sha256)


def _best(connection: Connection, study: Study) -> int | None:
    row = _one(connection, completed(trials.c.number, study_id=study.id, direction=study.plan.direction).limit(1))
    return None if row is None else int(row["number"])


def _one(connection: Connection, query: Select[Any]) -> RowMapping | None:
    return connection.execute(query).mappings().one_or_none()
