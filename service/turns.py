"""One turn after the other on the running studies: led, in memory, and durable before it ends.

A turn changes conductors, then the store makes the changes durable, and only then does the turn end and its request
get an answer. A conductor whose changes may not have been written is dropped, and built again before the next turn.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from search.conductor import Conductor
from search.errors import NotFound, SearchError, Unavailable
from search.ledger import Changes
from search.study import Study
from service.store import Leadership, NotLeader, Store
from service.watch import UNWATCHED, Watch, timed

_log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Project and name of a study."""


class Turns:
    """The conductors of one database under one lock.

    Args:
        on_lead: called when the leadership was taken: what is remembered of the database may be old.

    Attributes:
        was_away: the database failed, or another service led, since leases were last looked at: workers may have
            spoken in vain.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        *,
        lease_seconds: float,
        leader_seconds: float,
        on_lead: Callable[[], None],
        watch: Watch = UNWATCHED,
    ) -> None:
        self.was_away = False
        self._store = store
        self._clock = clock
        self._watch = watch
        self._lease_seconds = lease_seconds
        self._on_lead = on_lead
        self._leader_term = timedelta(seconds=leader_seconds)
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._lock = threading.RLock()
        self._leadership: Leadership | None = None
        self._lead_again_at: datetime | None = None
        self._conductors: dict[Key, Conductor] = {}
        self._dropped: set[Key] = set()
        self._touched: dict[Key, Conductor] = {}
        self._has_news = False
        self._wakers: list[Callable[[], None]] = []

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have ``wake`` called after every commit that there is news in, from any thread; the answer ends that.

        News is whatever makes an event; the figures of a training alone are none.
        """
        with self._lock:
            self._wakers.append(wake)

        def unsubscribe() -> None:
            with self._lock:
                self._wakers.remove(wake)

        return unsubscribe

    def lead(self) -> None:
        """Take the leadership with all that runs, or prolong it when a third of its term is over.

        Raises:
            NotLeader: another service leads; all studies in memory are dropped.
            Unavailable: the database failed; whether this service still leads is not known yet.
        """
        with self._lock:
            now = self._clock()
            if self._lead_again_at is not None and now < self._lead_again_at:
                return
            try:
                taken = self._store.lead(self._owner, self._leader_term.total_seconds())
                if self._leadership is None or self._leadership.epoch != taken.epoch:
                    self._take_over(now)
            except NotLeader:
                self._resign()
                raise
            self._leadership = taken
            self._lead_again_at = now + self._leader_term / 3

    @contextmanager
    def turn(self) -> Iterator[datetime]:
        """Hold the lock, with the studies as the database has them; write what changed, and wake who waits.

        Yields:
            The time, one for the whole turn.

        Raises:
            Unavailable: this service does not lead, or the database failed; the same request may be sent again.
        """
        try:
            with self._lock:
                if self._leadership is None:
                    raise NotLeader("another service leads: this one stands by and changes nothing")
                now = self._clock()
                self._build_dropped(now)
                with self._guarding_memory():
                    yield now
                    self.commit()
        finally:
            self._wake()

    def find(self, project: str, name: str) -> Conductor:
        """Return the conductor of a study, for this turn.

        Raises:
            NotFound: there is no such study.
        """
        conductor = self._conductors.get((project, name))
        if conductor is None:
            conductor = self._build(self._store.find_study(project, name).id)
        self._touched[project, name] = conductor
        return conductor

    def all(self) -> list[Conductor]:
        """Return the conductors of all studies that run, for this turn; highest priority first, then the oldest."""
        self._touched.update(self._conductors)
        return sorted(
            self._conductors.values(),
            key=lambda each: (-each.study.request.priority, each.study.created_at, each.study.id),
        )

    @property
    def leads(self) -> bool:
        """Whether this service is the one that writes."""
        return self._leadership is not None

    def seen(self) -> list[Conductor]:
        """Return the conductors of all studies that run, to look at and not to change.

        Nobody waits for a turn here, which a database that hangs may hold: what is seen may be ahead of it.
        """
        return list(self._conductors.values())

    def adopt(self, study: Study) -> None:
        """Take in a study that was just created."""
        self._conductors[_key(study)] = Conductor(study, lease_seconds=self._lease_seconds)
        self._has_news = True

    def doubt(self, project: str, name: str) -> None:
        """Read a study again before the next turn: its memory may differ from the database, and is not written."""
        self._drop((project, name))
        self._touched.pop((project, name), None)

    def forget(self, study: Study) -> None:
        """Let go of a study that was just deleted."""
        self._conductors.pop(_key(study), None)
        self._touched.pop(_key(study), None)
        self._dropped.discard(_key(study))
        self._has_news = True

    def commit(self) -> None:
        """Write what changed in this turn so far, one transaction per study."""
        for key, conductor in list(self._touched.items()):
            changes = conductor.take_changes()
            if changes is not None:
                self._write(key, changes)
            del self._touched[key]
            if conductor.is_over:
                self._conductors.pop(key, None)

    def _write(self, key: Key, changes: Changes) -> None:
        try:
            with timed(self._watch, "commit"):
                self._store.commit(changes)
        except BaseException:
            self._drop(key)
            raise
        self._watch.wrote(changes)
        self._has_news = self._has_news or bool(changes.events)

    @contextmanager
    def _guarding_memory(self) -> Iterator[None]:
        """Drop what may differ from the database when a turn breaks off."""
        try:
            yield
        except SearchError as error:
            for key, conductor in self._touched.items():
                if conductor.has_changes:
                    self._drop(key)
            if isinstance(error, NotLeader):
                self._resign()
            self.was_away = self.was_away or isinstance(error, Unavailable)
            raise
        except BaseException:
            for key in self._touched:
                self._drop(key)
            raise
        finally:
            for key, conductor in self._touched.items():
                if conductor.is_over:
                    self._conductors.pop(key, None)
            self._touched = {}

    def _drop(self, key: Key) -> None:
        self._conductors.pop(key, None)
        self._dropped.add(key)

    def _resign(self) -> None:
        if self._leadership is not None:
            _log.warning("the leadership was lost: %d studies are dropped here", len(self._conductors))
        self._leadership = None
        self._lead_again_at = None
        self._conductors.clear()
        self._dropped.clear()

    def _take_over(self, now: datetime) -> None:
        """Build all that runs, and give each worker a full term: it could not be heard for some time."""
        self._resign()
        self._on_lead()
        with self._guarding_memory():
            for study in self._store.active_studies():
                conductor = self._build(study.id)
                conductor.extend(now)
                self._touched[_key(study)] = conductor
            self.commit()
        self.was_away = False
        _log.info("leading, with %d running studies", len(self._conductors))

    def _build_dropped(self, now: datetime) -> None:
        with self._guarding_memory():
            for key in sorted(self._dropped):
                try:
                    self.find(*key).extend(now)
                except NotFound:
                    self._touched.pop(key, None)
                self._dropped.discard(key)
            self.commit()

    def _build(self, study_id: int) -> Conductor:
        study, trials = self._store.load_study(study_id)
        conductor = Conductor(study, trials, lease_seconds=self._lease_seconds)
        self._conductors[_key(study)] = conductor
        return conductor

    def _wake(self) -> None:
        with self._lock:
            if not self._has_news:
                return
            self._has_news = False
            wakers = list(self._wakers)
        for wake in wakers:
            wake()


def _key(study: Study) -> Key:
    return study.project, study.name
