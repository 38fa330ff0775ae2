"""Questions to the database; none of them is answered from memory, and none changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, RowMapping, Select, func, select

from search.errors import NotFound
from search.ledger import Attempt
from search.protocol import Announcement, Point
from search.study import Study, StudyState, Trial, TrialState
from search.tasks.info import TaskInfo
from service.store import rows
from service.store.engine import reading, reading_one_moment
from service.store.ranking import completed
from service.store.values import Artifact, Page, StoredEvent, WorkerRecord, check_limit, cursor_after, read_cursor
from service.tables import artifacts, attempts, curves, events, leader, studies, tasks, trials, workers

_LIGHT = [column for column in trials.c if column.name not in {"distributions", "log"}]
_SHORT = [column for column in attempts.c if column.name != "log"]


class Reader:
    """What anybody may ask, the leader or not.

    Attributes:
        engine: the connections; reading from it directly is for tests and tools.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self.engine = engine
        self._clock = clock

    def find_study(self, project: str, name: str) -> Study:
        """One study by its name.

        Raises:
            NotFound: the project has no such study.
        """
        found = self._all(select(studies).where(studies.c.project == project, studies.c.name == name))
        if not found:
            raise NotFound(f"project {project!r} has no study named {name!r}")
        return rows.to_study(found[0])

    def studies(
        self, project: str, *, state: StudyState | None = None, cursor: str | None = None, limit: int = 100
    ) -> Page[Study]:
        """The studies of a project, the newest first.

        Raises:
            Unsuitable: the cursor or the limit cannot be.
        """
        check_limit(limit)
        query = select(studies).where(studies.c.project == project).order_by(studies.c.id.desc()).limit(limit + 1)
        if state is not None:
            query = query.where(studies.c.state == state.value)
        if cursor is not None:
            query = query.where(studies.c.id < read_cursor(cursor))
        found = [rows.to_study(row) for row in self._all(query)]
        more = cursor_after(found[limit - 1].id) if len(found) > limit else None
        return Page(items=tuple(found[:limit]), next_cursor=more)

    def active_studies(self) -> list[Study]:
        """The studies of all projects in which something can still happen, in order of creation.

        These have not ended, or they have failed or were cancelled while workers still train trials of theirs.
        """
        active = [state.value for state in StudyState if not state.is_final]
        trains = select(trials.c.study_id).where(trials.c.state == TrialState.RUNNING.value)
        is_active = studies.c.state.in_(active) | studies.c.id.in_(trains)
        return [rows.to_study(row) for row in self._all(select(studies).where(is_active).order_by(studies.c.id))]

    def load_study(self, study_id: int) -> tuple[Study, list[Trial]]:
        """A study with all its trials, whole, as one moment saw them.

        Raises:
            NotFound: there is no such study.
        """
        with reading_one_moment(self.engine) as connection:
            found = connection.execute(select(studies).where(studies.c.id == study_id)).mappings().one_or_none()
            if found is None:
                raise NotFound(f"there is no study with id {study_id}")
            query = select(trials).where(trials.c.study_id == study_id).order_by(trials.c.number)
            return rows.to_study(found), [rows.to_trial(row) for row in connection.execute(query).mappings()]

    def counts(self, study_id: int) -> dict[TrialState, int]:
        """How many trials are in each state; states without a trial count 0."""
        query = (
            select(trials.c.state, func.count().label("trials"))
            .where(trials.c.study_id == study_id)
            .group_by(trials.c.state)
        )
        found = {row["state"]: row["trials"] for row in self._all(query)}
        return {state: found.get(state.value, 0) for state in TrialState}

    def study_counts(self) -> dict[StudyState, int]:
        """How many studies of all projects are in each state; states without a study count 0."""
        query = select(studies.c.state, func.count().label("studies")).group_by(studies.c.state)
        found = {row["state"]: row["studies"] for row in self._all(query)}
        return {state: found.get(state.value, 0) for state in StudyState}

    def trials(
        self, study_id: int, *, state: TrialState | None = None, cursor: str | None = None, limit: int = 100
    ) -> Page[Trial]:
        """Trials by number, without distributions and logs.

        Raises:
            Unsuitable: the cursor or the limit cannot be.
        """
        check_limit(limit)
        query = select(*_LIGHT).where(trials.c.study_id == study_id).order_by(trials.c.number).limit(limit + 1)
        if state is not None:
            query = query.where(trials.c.state == state.value)
        if cursor is not None:
            query = query.where(trials.c.number > read_cursor(cursor))
        found = [rows.to_trial(row) for row in self._all(query)]
        more = cursor_after(found[limit - 1].number) if len(found) > limit else None
        return Page(items=tuple(found[:limit]), next_cursor=more)

    def trial(self, study_id: int, number: int) -> Trial:
        """One trial, whole.

        Raises:
            NotFound: the study has no trial of this number.
        """
        found = self._all(select(trials).where(trials.c.study_id == study_id, trials.c.number == number))
        if not found:
            raise NotFound(f"the study has no trial {number}")
        return rows.to_trial(found[0])

    def attempts(self, study_id: int, number: int) -> list[Attempt]:
        """The attempts at a trial, the first first, without their logs."""
        query = select(*_SHORT).where(attempts.c.study_id == study_id, attempts.c.trial == number)
        return [rows.to_attempt(row) for row in self._all(query.order_by(attempts.c.attempt))]

    def attempt(self, study_id: int, number: int, attempt: int) -> Attempt:
        """One attempt at a trial, whole.

        Raises:
            NotFound: there was no such attempt.
        """
        query = select(attempts).where(attempts.c.study_id == study_id, attempts.c.trial == number)
        found = self._all(query.where(attempts.c.attempt == attempt))
        if not found:
            raise NotFound(f"there is no attempt {attempt} at trial {number}")
        return rows.to_attempt(found[0])

    def curve(self, study_id: int, number: int, attempt: int | None = None) -> list[Point]:
        """Every point of one attempt, by default the newest that has points."""
        if attempt is None:
            attempt = self.newest_with_points(study_id, number)
        query = select(curves).where(
            curves.c.study_id == study_id, curves.c.trial == number, curves.c.attempt == attempt
        )
        return [rows.to_point(row) for row in self._all(query.order_by(curves.c.updates))]

    def newest_with_points(self, study_id: int, number: int) -> int | None:
        """The newest attempt at a trial that has points; None when none has."""
        newest = func.max(curves.c.attempt).label("attempt")
        (row,) = self._all(select(newest).where(curves.c.study_id == study_id, curves.c.trial == number))
        found: int | None = row["attempt"]
        return found

    def leaderboard(self, study_id: int, *, limit: int = 20) -> list[Trial]:
        """The best completed trials, the best first; of equal ones the earlier.

        Raises:
            Unsuitable: the limit cannot be.
        """
        check_limit(limit)
        direction = self._all(select(studies.c.direction).where(studies.c.id == study_id))
        if not direction:
            return []
        query = completed(*_LIGHT, study_id=study_id, direction=direction[0]["direction"])
        return [rows.to_trial(row) for row in self._all(query.limit(limit))]

    def weights(self, study_id: int, numbers: Iterable[int] | None = None) -> dict[int, Artifact]:
        """The weights kept of a study's trials, by number; of these trials only, when they are given."""
        query = select(artifacts).where(artifacts.c.study_id == study_id, artifacts.c.kind == "weights")
        if numbers is not None:
            query = query.where(artifacts.c.trial.in_(list(numbers)))
        return {row["trial"]: rows.to_artifact(row) for row in self._all(query.order_by(artifacts.c.trial))}

    def all_artifacts(self) -> list[tuple[int, Artifact]]:
        """Every file that is kept, each with the id of its study."""
        return [(row["study_id"], rows.to_artifact(row)) for row in self._all(select(artifacts))]

    def database_id(self) -> str:
        """What tells this database from every other one."""
        (row,) = self._all(select(leader.c.database_id))
        return str(row["database_id"])

    def events(self, study_id: int, after: int, limit: int = 500) -> list[StoredEvent]:
        """Events of a study with ids above ``after``, in order.

        Raises:
            Unsuitable: the limit cannot be.
        """
        check_limit(limit)
        query = select(events).where(events.c.study_id == study_id, events.c.id > after).order_by(events.c.id)
        return [
            StoredEvent(id=row["id"], at=row["at"], kind=row["kind"], payload=row["payload"])
            for row in self._all(query.limit(limit))
        ]

    def workers(self, seen_since: datetime | None = None) -> list[WorkerRecord]:
        """Every worker that announced itself and was heard of since a moment, the last seen first."""
        query = select(workers).order_by(workers.c.seen_at.desc(), workers.c.worker)
        if seen_since is not None:
            query = query.where(workers.c.seen_at >= seen_since)
        return [_worker(row) for row in self._all(query)]

    def worker(self, name: str) -> WorkerRecord | None:
        """One worker as it announced itself; None when it never did."""
        found = self._all(select(workers).where(workers.c.worker == name))
        return _worker(found[0]) if found else None

    def announced_tasks(self) -> list[TaskInfo]:
        """The tasks that workers have announced, by name."""
        return [TaskInfo.model_validate(row["info"]) for row in self._all(select(tasks).order_by(tasks.c.name))]

    def _all(self, query: Select[Any]) -> list[Any]:
        with reading(self.engine) as connection:
            return list(connection.execute(query).mappings())


def _worker(row: RowMapping) -> WorkerRecord:
    return WorkerRecord(
        announcement=Announcement.model_validate(row["announcement"]),
        announced_at=row["announced_at"],
        seen_at=row["seen_at"],
    )
