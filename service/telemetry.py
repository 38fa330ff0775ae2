"""Who trains what at which speed: kept in memory only, and begun anew with the service."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from search.study import Study, Trial

MEMORY_SECONDS = 10.0
"""Of two measurements this far apart, the older one counts a third as much."""

MOST_REMEMBERED = 10_000
"""Workers whose last speed is remembered; a client that makes up names must not fill the memory."""

Key = tuple[str, str, int, int]
"""Project, study, trial, attempt."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """One trial that a worker trains now.

    Attributes:
        update: updates done, as last heard.
        horizon: updates of the whole run.
        updates_per_second: of late; None before there is anything to measure.
        heard_at: when it was last heard of.
    """

    worker: str
    project: str
    study: str
    trial: int
    attempt: int
    update: int
    horizon: int
    updates_per_second: float | None
    heard_at: datetime

    @property
    def key(self) -> Key:
        return self.project, self.study, self.trial, self.attempt

    def advanced(self, update: int, now: datetime) -> Training:
        """The training some time later; without a measurement before, standing still is none."""
        seconds = (now - self.heard_at).total_seconds()
        if seconds <= 0.0:
            return replace(self, update=update)
        measured = (update - self.update) / seconds
        before = self.updates_per_second
        if before is None:
            speed = measured if measured > 0.0 else None
        else:
            speed = before + (measured - before) * -math.expm1(-seconds / MEMORY_SECONDS)
        return replace(self, update=update, updates_per_second=speed, heard_at=now)


@dataclass(frozen=True)
class Work:
    """All that one worker trains now, by study and number."""

    trainings: tuple[Training, ...] = ()

    @property
    def updates_per_second(self) -> float | None:
        """Of all its trials together; None before there is anything to measure."""
        known = [each.updates_per_second for each in self.trainings if each.updates_per_second is not None]
        return sum(known) if known else None


class Telemetry:
    """What the workers of one service train, told message by message; may be read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trainings: dict[Key, Training] = {}
        self._usual: dict[str, tuple[str, str, float]] = {}

    def follow(self, study: Study, trial: Trial, now: datetime) -> None:
        """Take a trial as it stands: handed out, reported or ended."""
        if trial.lease is None:
            return
        key = (study.project, study.name, trial.number, trial.attempt)
        with self._lock:
            known = self._trainings.get(key) or self._begun(study, trial, now)
            known = known.advanced(max(trial.update, known.update), now)
            if trial.state.is_final:
                self._trainings.pop(key, None)
                self._remember(known)
            else:
                self._trainings[key] = known

    def reconcile(self, running: Iterable[tuple[Study, Trial]], now: datetime) -> None:
        """Drop what is not trained any more, and take in what is trained and not known: a lease ends unsaid."""
        with self._lock:
            before, self._trainings = self._trainings, {}
            for study, trial in running:
                if trial.lease is not None:
                    key = (study.project, study.name, trial.number, trial.attempt)
                    self._trainings[key] = before.get(key) or self._begun(study, trial, now)

    def works(self) -> dict[str, Work]:
        """Return what each worker trains now; one that trains nothing is left out."""
        with self._lock:
            trainings = sorted(self._trainings.values(), key=lambda each: each.key)
        found: dict[str, list[Training]] = {}
        for each in trainings:
            found.setdefault(each.worker, []).append(each)
        return {worker: Work(tuple(each)) for worker, each in found.items()}

    def _begun(self, study: Study, trial: Trial, now: datetime) -> Training:
        """A training as first heard of; it is taken to be as fast as the last one of its worker and its study."""
        worker = trial.lease.worker if trial.lease is not None else ""
        *usual, speed = self._usual.get(worker, ("", "", 0.0))
        return Training(
            worker=worker,
            project=study.project,
            study=study.name,
            trial=trial.number,
            attempt=trial.attempt,
            update=trial.update,
            horizon=study.plan.horizon,
            updates_per_second=speed if usual == [study.project, study.name] else None,
            heard_at=now,
        )

    def _remember(self, ended: Training) -> None:
        if ended.updates_per_second is None:
            return
        if len(self._usual) >= MOST_REMEMBERED:
            self._usual.clear()
        self._usual[ended.worker] = (ended.project, ended.study, ended.updates_per_second)
