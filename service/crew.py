"""The workers of a service: what they announced, when they were heard of, and what their devices may begin."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from search.conductor import Conductor
from search.planning import EXTERNAL
from search.protocol import Announcement, Assignment, Device
from search.study import Study
from search.suiting import in_gib
from service.store import Store, WorkerRecord
from service.telemetry import Telemetry
from service.watch import UNWATCHED, Watch

SEEN_SECONDS = 10.0
"""How often at most it is recorded that a worker spoke."""

HEARD_SECONDS = 30.0
"""Workers that spoke so lately share what is left of a study."""

MOST_KNOWN = 10_000
"""Workers remembered in memory; a client that makes up names must not fill it."""

MOST_DEVICES_TOLD = 5


@dataclass(frozen=True)
class _Seat:
    """A worker's device, and what two workers of one device have in common; None when that is not known."""

    device: Device
    identity: tuple[str, ...] | None


class Crew:
    """The workers of one database, as its leader knows them.

    What was announced is read from the database once for each worker, when it is first asked for.

    Args:
        telemetry: is told of all that is handed out.
        watch: is told how long it took to ask for it.
    """

    def __init__(self, store: Store, telemetry: Telemetry, watch: Watch = UNWATCHED) -> None:
        self._store = store
        self._telemetry = telemetry
        self._watch = watch
        self._seats: dict[str, _Seat | None] = {}
        self._seen_at: dict[str, datetime] = {}

    def forget(self) -> None:
        """Read everything again: another service may have led, and heard other announcements."""
        self._seats.clear()
        self._seen_at.clear()

    def announce(self, announcement: Announcement, now: datetime) -> None:
        """Record a worker and the tasks that it can run."""
        self._seats.pop(announcement.worker, None)
        self._store.announce(announcement, now)
        self._seen_at[announcement.worker] = now

    def see(self, worker: str, now: datetime) -> None:
        """Record that a worker spoke, now and then."""
        seen_at = self._seen_at.get(worker)
        if seen_at is None or now - seen_at >= timedelta(seconds=SEEN_SECONDS):
            self._store.seen(worker, now)
            if len(self._seen_at) >= MOST_KNOWN:
                self._seen_at.clear()
            self._seen_at[worker] = now

    def hand_out(self, conductor: Conductor, worker: str, wanted: int, now: datetime) -> list[Assignment]:
        """Begin trials of a study, as many as are wanted, are fair, and the worker's device has room for."""
        given: list[Assignment] = []
        for _ in range(self._room(conductor, worker, min(wanted, self._share(conductor, now)))):
            began = time.perf_counter()
            new = conductor.claim(worker, now)
            if new is None:
                break
            self._watch.took("ask", time.perf_counter() - began)
            given.append(new)
            self._telemetry.follow(conductor.study, conductor.trials[new.fence.trial], now)
        return given

    def _share(self, conductor: Conductor, now: datetime) -> int:
        """How many new trials of a study one worker is given at once, so that the others have as many left."""
        since = now - timedelta(seconds=HEARD_SECONDS)
        n_workers = max(1, sum(seen_at >= since for seen_at in self._seen_at.values()))
        return -(-conductor.n_left // n_workers)

    def _room(self, conductor: Conductor, worker: str, wanted: int) -> int:
        """How many new trials of a study the worker's device may begin, ``wanted`` at most.

        A program that never announced itself has no device: it begins nothing of a study that names devices, and as
        much as it likes of any other.
        """
        request = conductor.study.request
        if request.devices.allows_all and request.trials_per_device is None:
            return wanted
        seat = self._seat(worker)
        if not request.devices.suits(None if seat is None else seat.device):
            return 0
        if request.trials_per_device is None or seat is None or seat.identity is None:
            return wanted
        beside = [self._seat(trial.lease.worker) for trial in conductor.running if trial.lease is not None]
        busy = sum(other is not None and other.identity == seat.identity for other in beside)
        return max(0, min(wanted, request.trials_per_device - busy))

    def _seat(self, worker: str) -> _Seat | None:
        if worker not in self._seats:
            if len(self._seats) >= MOST_KNOWN:
                self._seats.clear()
            record = self._store.worker(worker)
            self._seats[worker] = None if record is None else _seat_of(record.announcement)
        return self._seats[worker]


def waiting_for(study: Study, workers: Sequence[WorkerRecord]) -> str | None:
    """Return what a study lacks to be trained by one of these workers, None when one may train it.

    Programs that train ``external`` tasks need not announce themselves, so these studies lack none unless they name
    devices.
    """
    devices, task = study.request.devices, study.plan.task
    is_external = task == EXTERNAL.name
    if is_external and devices.allows_all:
        return None
    able = [
        each.announcement.device
        for each in workers
        if is_external or any(info.name == task for info in each.announcement.tasks)
    ]
    if any(devices.suits(device) for device in able):
        return None
    lacked = f"a worker that can train {task}" + ("" if devices.allows_all else f" on {devices}")
    if not workers:
        return f"{lacked}; none at all has been heard of lately"
    if not able:
        return f"{lacked}; those heard of lately do not have this task{_why_not(task, workers)}"
    told = sorted({_in_words(device) for device in able})
    more = "" if len(told) <= MOST_DEVICES_TOLD else f" and {len(told) - MOST_DEVICES_TOLD} more"
    return f"{lacked}; those heard of lately have {', '.join(told[:MOST_DEVICES_TOLD])}{more}"


def _why_not(task: str, workers: Sequence[WorkerRecord]) -> str:
    """Say of one worker that has a task, and leaves it out, why it does."""
    said = (each.announcement for each in workers)
    return next(
        (f": {each.worker} leaves it out, for {each.left_out[task]}" for each in said if task in each.left_out), ""
    )


def _seat_of(said: Announcement) -> _Seat:
    device = said.device
    if device.uuid is not None:
        return _Seat(device, (device.uuid,))
    # Without a host, nothing says that two workers count the devices of one machine.
    return _Seat(device, (said.host, device.kind, str(device.index)) if said.host else None)


def _in_words(device: Device) -> str:
    memory = "" if device.memory_bytes is None else f" with {in_gib(device.memory_bytes)}"
    return f"{device.kind}{memory}"
