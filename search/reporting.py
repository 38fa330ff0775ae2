"""One trial as its worker holds it: what the training says of it, and what the service answered."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from typing import Final

from search.protocol import Assignment, Failed, Point, Slot, TrialFinish, TrialReport, Verdict
from search.training.failures import LONGEST_MESSAGE
from search.training.loop import Stop
from search.training.trainer import Ended

LARGEST_REPORT: Final = 1000
"""Points of one message."""


class Held:
    """Watches one trial for the service, as the ``Monitor`` of its training; another thread does the talking.

    Only at a report point does the training wait, until the verdict is there or the service turns out to be absent.

    Args:
        stop: set when this process is to end; the trial is then dropped, to be given back.
        changed: held while anything here is read or changed together, and told of what cannot wait.
        send_seconds: how long new points wait for company.

    Attributes:
        lost: why the attempt is not this worker's any more; None while it is.
        refused: why the service does not take what is reported; None while it does.
        ended: how the training ended; None while it goes on.
    """

    def __init__(
        self, assignment: Assignment, stop: threading.Event, changed: threading.Condition, *, send_seconds: float
    ) -> None:
        self.assignment = assignment
        self.fence = assignment.fence
        self.lost: str | None = None
        self.refused: str | None = None
        self.ended: Ended | None = None
        self._stop = stop
        self._changed = changed
        self._asked_at = frozenset(assignment.report_points)
        self._renew_seconds = assignment.lease_seconds / 3
        self._send_seconds = min(send_seconds, self._renew_seconds)
        self._points: list[Point] = []
        self._update = 0
        self._told: Stop | None = None
        self._asked: tuple[int, threading.Event] | None = None
        self._is_away = False
        self._begun_at = self._renewed_at = time.monotonic()

    # for the training

    def begin(self) -> None:
        """Note that the training begins now."""
        self._begun_at = time.monotonic()

    def tick(self, update: int) -> Stop | None:
        """Note progress; what the training has been told, if anything."""
        self._update = update
        return "drop" if self._stop.is_set() else self._told

    def evaluated(self, point: Point) -> Stop | threading.Event | None:
        """Keep a point to be sent; at a report point, what will say that the verdict on it is there."""
        with self._changed:
            self._points.append(point)
            stop = self.tick(point.update)
            if stop is not None or self._is_away or point.update not in self._asked_at:
                return stop
            verdict = threading.Event()
            self._asked = point.update, verdict
            self._changed.notify_all()
            return verdict

    # for the talking

    @property
    def slot(self) -> Slot:
        fence = self.fence
        return Slot(project=fence.project, study=fence.study, trial=fence.trial, attempt=fence.attempt)

    @property
    def n_points(self) -> int:
        """Points of the next message."""
        return min(len(self._points), LARGEST_REPORT)

    @property
    def has_too_much(self) -> bool:
        """Whether the end of the trial has more points than it should bring."""
        return len(self._points) > LARGEST_REPORT

    def due_at(self) -> float:
        """When it is to be reported; points wait unseen, so never longer than they may."""
        if self.lost is not None or self.refused is not None:
            return math.inf
        if self.ended is not None:
            return 0.0 if self.has_too_much else math.inf
        if self._asked is not None:
            return 0.0
        return self._renewed_at + (self._send_seconds if self._points else self._renew_seconds)

    def ends_at(self) -> float:
        """When the training will end, going on as it has."""
        left = self.assignment.horizon - self._update
        now = time.monotonic()
        return now + (now - self._begun_at) * left / self._update if self._update else math.inf

    def report(self) -> TrialReport:
        """What is to be said of it now."""
        return TrialReport(fence=self.fence, update=self._update, points=tuple(self._points[:LARGEST_REPORT]))

    def finish(self) -> TrialFinish:
        """How its training ended, with the points that the service has not confirmed."""
        ended = self.ended
        if ended is None or ended.outcome is None:
            raise ValueError(f"trial {self.fence.trial} has no outcome")
        return TrialFinish(
            fence=self.fence,
            outcome=ended.outcome,
            points=tuple(self._points),
            train_seconds=ended.seconds,
            log="" if isinstance(ended.outcome, Failed) else ended.log,
            data_sha256=ended.data_sha256,
        )

    def hear(self, report: TrialReport, verdict: Verdict) -> None:
        """Take the answer to a report."""
        if verdict.action == "lost":
            self.lose(verdict.reason)
            return
        self._is_away = False
        self._renewed_at = time.monotonic()
        del self._points[: len(report.points)]
        self._told = None if verdict.action == "continue" else verdict.action
        if self._asked is not None and report.points and report.points[-1].update >= self._asked[0]:
            self._go_on()

    def miss(self) -> None:
        """Note that the service is absent: the training goes on without it."""
        self._is_away = True
        self._go_on()

    def lose(self, why: str) -> None:
        """Note that the attempt is not this worker's any more."""
        self.lost = why
        self._drop()

    def refuse(self, why: str) -> None:
        """Note that the service does not take what is said of the trial: it will be recorded as failed."""
        self.refused = why
        self._points.clear()
        if self.ended is not None:
            self.end(self.ended)
        self._drop()

    def end(self, ended: Ended) -> None:
        """Note how the training ended."""
        if self.refused is not None:
            ended = replace(ended, outcome=Failed(cause="error", message=self.refused[:LONGEST_MESSAGE]))
            self._points.clear()
        self.ended = ended

    def _drop(self) -> None:
        self._told = "drop"
        self._go_on()

    def _go_on(self) -> None:
        if self._asked is not None:
            self._asked[1].set()
            self._asked = None
