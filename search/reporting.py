"""What a worker says of the trial that it trains, and hears back, while the training goes on."""

from __future__ import annotations

import logging
import random
import threading
import time
from types import TracebackType
from typing import Final, Literal, Self

from search.errors import SearchError, Unavailable, Unsuitable
from search.naming import fields_of, name_of
from search.protocol import Assignment, Fence, Point, ReportRequest, TrialReport, WorkService
from search.training.loop import Stop

SEND_SECONDS: Final = 1.0
"""New points wait for at most so long."""

LARGEST_REPORT: Final = 1000
"""Points of one message."""

_JOIN_SECONDS: Final = 2.0
_LISTEN_SECONDS: Final = 0.2

log = logging.getLogger(__name__)


class Backoff:
    """Growing pauses between attempts at something, a random half of each, so that many workers do not come at once."""

    def __init__(self, *, first_seconds: float = 0.5, longest_seconds: float = 15.0) -> None:
        self._first = first_seconds
        self._longest = longest_seconds
        self._failures = 0

    def fail(self) -> float:
        """Note a failure; the seconds to wait before the next attempt."""
        pause = min(self._longest, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return pause * random.uniform(0.5, 1.0)

    def succeed(self) -> None:
        """Note a success: the next pause is a short one again."""
        self._failures = 0


class Reporter:
    """Watches one trial for the service: sends its points, keeps its lease, passes on what it is told.

    A thread of its own does the talking, so that a lease outlives an update or an evaluation of any length,
    and an absent service holds up nothing. Only at a report point does the training wait, until the verdict
    is there or the service turns out to be absent.

    Args:
        stop: set when this process is to end; the trial is then dropped, to be given back.
        send_seconds: how long new points wait for company.

    Attributes:
        lost: why the attempt is not this worker's any more; None while it is.
        refused: why the service does not take what is reported; None while it does.
    """

    def __init__(
        self,
        service: WorkService,
        assignment: Assignment,
        stop: threading.Event,
        *,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self.lost: str | None = None
        self.refused: str | None = None
        self._service = service
        self._fence: Fence = assignment.fence
        self._asked_at = frozenset(assignment.report_points)
        self._renew_seconds = assignment.lease_seconds / 3
        self._send_seconds = min(send_seconds, self._renew_seconds)
        self._stop = stop
        self._backoff = Backoff(first_seconds=self._send_seconds / 2, longest_seconds=self._renew_seconds)
        self._changed = threading.Condition()
        self._points: list[Point] = []
        self._update = 0
        self._answered = 0
        self._is_absent = False
        self._is_urgent = False
        self._is_closed = False
        self._told: Stop | None = None
        self._renewed_at = time.monotonic()
        self._not_before = 0.0
        self._thread = threading.Thread(target=self._talk, name=f"report-{self._fence.trial}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(_JOIN_SECONDS)

    def tick(self, update: int) -> Stop | None:
        """Note progress; what the training has been told, if anything."""
        self._update = update
        return "drop" if self._stop.is_set() else self._told

    def evaluated(self, point: Point) -> Stop | None:
        """Keep a point to be sent; at a report point, wait for the verdict on it."""
        with self._changed:
            self._points.append(point)
            if point.update in self._asked_at:
                self._await_verdict(point.update)
        return self.tick(point.update)

    def unsent(self) -> tuple[Point, ...]:
        """Points that the service has not confirmed; once closed, these go with the finish."""
        with self._changed:
            return tuple(self._points)

    def _await_verdict(self, update: int) -> None:
        self._is_urgent = True
        self._update = update
        self._changed.notify_all()
        while self._answered < update and self._told is None and not self._is_absent:
            if self._stop.is_set() or not self._thread.is_alive():
                return
            self._changed.wait(_LISTEN_SECONDS)

    def _talk(self) -> None:
        while True:
            with self._changed:
                while not self._is_closed and (pause := self._due_in()) > 0:
                    self._changed.wait(pause)
                if self._is_closed:
                    return
                self._is_urgent = False
                points = tuple(self._points[:LARGEST_REPORT])
                report = TrialReport(fence=self._fence, update=self._update, points=points)
            if not self._send(report):
                return

    def _due_in(self) -> float:
        """Seconds until the next message; points wait unseen, so never longer than they may."""
        now = time.monotonic()
        if now < self._not_before:
            return self._not_before - now
        if self._is_urgent:
            return 0.0
        quiet = now - self._renewed_at
        if self._points:
            return self._send_seconds - quiet
        return min(self._renew_seconds - quiet, self._send_seconds)

    def _send(self, report: TrialReport) -> bool:
        """Send a report; False when there is nothing more to say about this trial."""
        try:
            verdict = self._service.report(ReportRequest(reports=(report,))).verdicts[0]
        except Unavailable as error:
            self._wait_out(error)
            return True
        except Unsuitable as error:
            self.refused = f"the service refuses its report: {error}"
            return self._drop()
        except SearchError as error:
            self.lost = str(error)
            return self._drop()
        if verdict.action == "lost":
            self.lost = verdict.reason
            return self._drop()
        self._take(report, verdict.action)
        return True

    def _wait_out(self, error: Unavailable) -> None:
        with self._changed:
            pause = self._backoff.fail()
            if not self._is_absent:
                away = "%s trains on without the service: %s"
                log.warning(away, name_of(self._fence), error, extra=fields_of(self._fence))
            self._is_absent = True
            self._not_before = time.monotonic() + pause
            self._changed.notify_all()

    def _drop(self) -> Literal[False]:
        with self._changed:
            self._told = "drop"
            self._changed.notify_all()
        return False

    def _take(self, report: TrialReport, action: Literal["continue", "prune", "cancel"]) -> None:
        with self._changed:
            self._backoff.succeed()
            self._is_absent = False
            self._renewed_at = time.monotonic()
            del self._points[: len(report.points)]
            self._answered = report.points[-1].update if report.points else self._answered
            self._told = None if action == "continue" else action
            self._changed.notify_all()
