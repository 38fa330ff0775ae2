"""The store: the only place that knows SQL."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, exc, insert, select, update

from search.errors import NotFound
from search.ledger import Changes
from search.protocol import Announcement, Fence
from search.study import Plan, Study, StudyFinding, StudyRequest, StudyState
from service.lockfile import HeldLock, LockHeld, hold
from service.store import commit, keeping, leadership, mirror, rows, schema
from service.store.bulk import upsert
from service.store.engine import connect, parse, writing
from service.store.errors import DatabaseInUse, DatabaseUnreachable, NameTaken, Unstorable
from service.store.reading import Reader
from service.store.schema import Revisions
from service.store.values import Artifact, Leadership
from service.tables import studies, tasks, workers

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def open_store(url: str, *, clock: Callable[[], datetime] = utc_now) -> Store:
    """Connect to the database and make its tables where they are missing.

    Raises:
        WrongSchema: the tables belong to another version of Optuna or of Etude.
        Unavailable: the database cannot be opened; the message says what to do.
    """
    engine = connect(parse(url))
    try:
        schema.prepare(engine, clock())
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, clock)


def upgrade(url: str) -> Revisions:
    """Bring the tables of a database to this version's, and return how they were before.

    Raises:
        WrongSchema: the tables belong to another version of Optuna or of Etude.
        DatabaseInUse: another service works with the tables as they are.
        Unavailable: the database cannot be opened; the message says what to do.
    """
    return _once(url, lambda engine: schema.prepare(engine, utc_now()))


def revisions(url: str) -> Revisions:
    """Return at which revision the tables of a database are; nothing is made, not even a file.

    Raises:
        Unavailable: the database is not there or cannot be opened; the message says what to do.
    """
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise DatabaseUnreachable(f"there is no database file {parsed.database}: `etude serve` makes it when it starts")
    return _once(url, schema.look)


def _once(url: str, ask: Callable[[Engine], Revisions]) -> Revisions:
    engine = connect(parse(url))
    try:
        return ask(engine)
    finally:
        engine.dispose()


class Store(Reader):
    """One database. Reads are for everybody, writes for the leader.

    Attributes:
        generation: studies deleted through this store. SQLite gives the id of a deleted study to the next one, so
            whoever caches Optuna's tables must drop that cache when this number has grown.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        super().__init__(engine, clock)
        self.generation = 0
        self._leadership: Leadership | None = None
        self._lock: HeldLock | None = None

    @property
    def epoch(self) -> int | None:
        """The epoch in which this service leads; None while it does not."""
        return None if self._leadership is None else self._leadership.epoch

    @property
    def url(self) -> str:
        """The URL with its password, as SQLAlchemy and Optuna take it; do not log it."""
        return self.engine.url.render_as_string(hide_password=False)

    def lead(self, owner: str, seconds: float) -> Leadership:
        """Take the leadership, or prolong it to ``seconds`` from now.

        On SQLite the lock beside the file says at once whether another service lives; on PostgreSQL a silent leader
        is replaced when its term has ended. An epoch that differs from the last answer means that somebody else led
        in between.

        Raises:
            DatabaseInUse: another service holds the SQLite file.
            NotLeader: another service leads; stand by and try again.
            Unavailable: the database failed.
        """
        alone = self._hold_file()
        with writing(self.engine) as connection:
            taken = leadership.take(connection, self._leadership, owner, self._clock(), seconds, others_are_gone=alone)
        self._leadership = taken
        return taken

    def step_down(self) -> None:
        """Give the leadership up, so that another service can take it at once."""
        held, self._leadership = self._leadership, None
        if held is not None:
            with writing(self.engine) as connection:
                leadership.step_down(connection, held, self._clock())
        if self._lock is not None:
            self._lock.let_go()
            self._lock = None

    def close(self) -> None:
        """Step down where possible, and close the connections."""
        try:
            self.step_down()
        finally:
            if self._lock is not None:
                self._lock.let_go()
                self._lock = None
            self.engine.dispose()

    def create_study(
        self, project: str, name: str, request: StudyRequest, plan: Plan, findings: Sequence[StudyFinding] = ()
    ) -> Study:
        """Record a new study, queued.

        Args:
            findings: what the rules found in it.

        Raises:
            NameTaken: the project has a study of this name.
            Unavailable: the database failed, or this service does not lead.
        """
        study = Study(
            id=0,
            optuna_id=0,
            project=project,
            name=name,
            request=request,
            plan=plan,
            findings=tuple(findings),
            state=StudyState.QUEUED,
            created_at=self._clock(),
        )
        try:
            with self._changing() as connection:
                return self._insert_study(connection, study)
        except Unstorable as error:
            if isinstance(error.__cause__, exc.IntegrityError):
                raise NameTaken(project, name) from error.__cause__
            raise

    def commit(self, changes: Changes) -> None:
        """Make changes durable, in our tables and Optuna's, in one transaction.

        Raises:
            NotFound: the study is not there any more.
            Unstorable: the database refuses a value of our own tables.
            Unavailable: the database failed, or this service does not lead. After a lost connection it is not
                known whether the changes were written: read the study again.
        """
        now = self._clock()
        try:
            with self._changing() as connection:
                commit.write(connection, changes, now)
        except Unstorable:
            about = {"project": changes.study.project, "study": changes.study.name}
            _log.warning(
                "changes of study %(project)s/%(study)s are written trial by trial", about, exc_info=True, extra=about
            )
            with self._changing() as connection:
                commit.write_one_by_one(connection, changes, now)

    def delete_study(self, study_id: int) -> None:
        """Delete a study with its trials, curves and events, in our tables and in Optuna's.

        Raises:
            NotFound: there is no such study.
            Unavailable: the database failed, or this service does not lead.
        """
        with self._changing() as connection:
            optuna_id = connection.execute(
                select(studies.c.optuna_id).where(studies.c.id == study_id)
            ).scalar_one_or_none()
            if optuna_id is None:
                raise NotFound(f"there is no study with id {study_id}")
            connection.execute(delete(studies).where(studies.c.id == study_id))
            mirror.remove_study(connection, optuna_id)
        self.generation += 1

    def refuse_weights(self, fence: Fence) -> None:
        """Refuse weights that their study does not keep, before they are sent.

        Raises:
            NotFound: there is no such study.
            Conflict: the fence does not open the trial, or the study does not keep its weights.
            Unavailable: the database failed, or this service does not lead.
        """
        with self._changing() as connection:
            keeping.refuse_weights(connection, fence)

    def keep_weights(
        self, fence: Fence, artifact: Artifact, place: Callable[[int], None]
    ) -> tuple[int, list[Artifact]]:
        """Put weights in their place and record them; weights that are recorded already change nothing.

        Args:
            place: moves the file to its place among those of the study with this id. A file whose transaction fails
                after that is left there without a row.

        Returns:
            The study's id, and the files that nothing refers to any more.

        Raises:
            NotFound: there is no such study.
            Conflict: the fence does not open the trial, or the study does not keep its weights.
            Unavailable: the database failed, or this service does not lead.
        """
        with self._changing() as connection:
            return keeping.keep_weights(connection, fence, artifact, place)

    def announce(self, announcement: Announcement, now: datetime) -> None:
        """Record a worker and its tasks; the newest announcement of a name counts.

        Raises:
            Unavailable: the database failed, or this service does not lead.
        """
        said = announcement.model_dump(mode="json")
        worker = {"worker": announcement.worker, "announcement": said, "announced_at": now, "seen_at": now}
        known = [
            {
                "name": info.name,
                "info": info.model_dump(mode="json"),
                "worker": announcement.worker,
                "announced_at": now,
            }
            for info in announcement.tasks
        ]
        with self._changing() as connection:
            upsert(connection, workers, [worker])
            upsert(connection, tasks, known)

    def seen(self, worker: str, now: datetime) -> None:
        """Record that a worker spoke; unknown workers are not recorded.

        It is a transaction of its own, so do not call it with every message.

        Raises:
            Unavailable: the database failed, or this service does not lead.
        """
        with self._changing() as connection:
            connection.execute(update(workers).where(workers.c.worker == worker).values(seen_at=now))

    def _insert_study(self, connection: Connection, study: Study) -> Study:
        """Insert a study; its ids are the database's."""
        plan = study.plan
        attributes = {"project": study.project, "task": plan.task, "metric": plan.metric, "horizon": plan.horizon}
        optuna_id = mirror.add_study(connection, f"{study.project}/{study.name}", plan, attributes)
        row = rows.study_row(study) | {
            "optuna_id": optuna_id,
            "project": study.project,
            "name": study.name,
            "plan": plan.model_dump(mode="json"),
            "findings": [each.model_dump(mode="json") for each in study.findings],
            "direction": plan.direction,
            "created_at": study.created_at,
        }
        given = connection.execute(insert(studies).values(row).returning(studies.c.id)).scalar_one()
        return replace(study, id=given, optuna_id=optuna_id)

    def _hold_file(self) -> bool:
        """Hold the SQLite file against other services; whether the file tells that there is none."""
        if self.engine.dialect.name != "sqlite":
            return False
        if self._lock is not None:
            return True
        try:
            self._lock = hold(schema.lock_path(self.engine))
        except LockHeld as error:
            raise DatabaseInUse(
                f"the database file {self.engine.url.database} is in use by another service ({error}): stop it, or "
                "start this one with another data directory"
            ) from error
        except OSError as error:
            raise DatabaseUnreachable(f"the lock beside the database file cannot be made: {error}") from error
        return True

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        with writing(self.engine) as connection:
            leadership.check(connection, self._leadership)
            yield connection
