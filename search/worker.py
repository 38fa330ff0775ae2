"""A worker: claims a trial, trains it, says how it ended, and begins again."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from search.errors import Conflict, NotFound, Unavailable, Unsuitable
from search.naming import fields_of, fields_of_worker, name_of
from search.protocol import (
    Announcement,
    Assignment,
    ClaimRequest,
    Failed,
    Fence,
    FinishRequest,
    Name,
    Point,
    Receipt,
    ReleaseRequest,
    ReportRequest,
    TrialFinish,
    TrialReport,
    WorkService,
)
from search.reporting import LARGEST_REPORT, Backoff, Reporter
from search.training.failures import LONGEST_MESSAGE
from search.training.loop import Monitor
from search.training.trainer import Ended

DEVICE_BROKEN: Final = 70
"""Exit code of a process whose device failed: start a fresh one."""

MOST_UPLOADS: Final = 5
"""Tries at sending weights; then the trial stays without them, and the device is put to work again."""

log = logging.getLogger(__name__)
Request = TypeVar("Request")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Pace:
    """How long a worker waits for what, in seconds.

    Attributes:
        claim: how long a claim waits for work at the service. A worker that is told to stop lets its claim come
            back first, so that no trial is handed to a process that is gone.
        idle: between two claims without work, for a service that does not hold them.
        announce: a worker presents itself again this often, so that a service with a new database knows it too.
        send: how long new points wait for company.
        first_pause: after a first failure to reach the service; doubled with each further one.
        longest_pause: between two tries.
        last_words: how long a worker that is told to stop goes on trying to reach the service.
    """

    claim: float = 2.0
    idle: float = 0.2
    announce: float = 300.0
    send: float = 1.0
    first_pause: float = 0.5
    longest_pause: float = 15.0
    last_words: float = 5.0

    def backoff(self) -> Backoff:
        """A new row of pauses."""
        return Backoff(first_seconds=self.first_pause, longest_seconds=self.longest_pause)


def worker_id() -> str:
    """A name for this process that no other worker has, now or later."""
    host = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in socket.gethostname())
    return f"{host[:60] or 'host'}-{os.getpid()}-{secrets.token_hex(4)}"


class Worker:
    """Works for a service until it is told to stop, one trial at a time.

    Args:
        announcement: who this worker is and which tasks it can run.
        run: trains one trial.
        stop: set when the worker is to end; it gives back what it holds.
        project: work only for this project; for any, when not given.
        studies: work only for these studies of the project.
        pace: how long to wait for what.
    """

    def __init__(
        self,
        service: WorkService,
        announcement: Announcement,
        run: Callable[[Assignment, Monitor], Ended],
        stop: threading.Event,
        *,
        project: Name | None = None,
        studies: Iterable[Name] | None = None,
        pace: Pace = Pace(),
    ) -> None:
        self._service = service
        self._announcement = announcement
        self._fields = fields_of_worker(announcement)
        self._run = run
        self._stop = stop
        self._pace = pace
        self._claim_request = ClaimRequest(
            worker=announcement.worker,
            tasks=tuple(task.name for task in announcement.tasks),
            project=project,
            studies=None if studies is None else tuple(studies),
            wait_seconds=pace.claim,
        )
        self._announced_at: float | None = None
        self._is_broken = False

    def run(self) -> int:
        """Work until told to stop; the exit code for the process.

        Raises:
            SearchError: the service refuses this worker, and would again.
        """
        backoff = self._pace.backoff()
        while not self._stop.is_set() and not self._is_broken:
            try:
                worked = self.work_once()
            except Unavailable as error:
                log.warning("the service is away, trying again: %s", error, extra=self._fields)
                self._stop.wait(backoff.fail())
                continue
            backoff.succeed()
            if not worked:
                self._stop.wait(self._pace.idle)
        return DEVICE_BROKEN if self._is_broken else 0

    def work_once(self) -> bool:
        """Claim a trial, train it, record how it ended; False when none was waiting.

        Raises:
            Unavailable: the service cannot be reached, and this worker holds nothing.
            SearchError: the service refuses this worker.
        """
        self._present()
        assignment = self._claim()
        if assignment is None:
            return False
        with Reporter(self._service, assignment, self._stop, send_seconds=self._pace.send) as reporter:
            ended = self._run(assignment, reporter)
        self._is_broken = ended.process_broken
        self._conclude(assignment.fence, ended, reporter)
        return True

    def _present(self) -> None:
        now = time.monotonic()
        if self._announced_at is None or now - self._announced_at >= self._pace.announce:
            self._service.announce(self._announcement)
            self._announced_at = now

    def _claim(self) -> Assignment | None:
        """Ask for one trial; what was handed out before and lost on the way comes again, since nothing is held now."""
        try:
            answer = self._service.claim(self._claim_request)
        except NotFound as error:
            self._announced_at = None
            raise Unavailable(str(error)) from error
        first, *others = answer.assignments or (None,)
        for other in others:
            self._release(other.fence)
        return first

    def _conclude(self, fence: Fence, ended: Ended, reporter: Reporter) -> None:
        """Say how the attempt ended; nothing is said of one that is somebody else's by now."""
        if reporter.lost is not None:
            log.warning("%s is dropped: %s", name_of(fence), reporter.lost, extra=self._about(fence))
        elif reporter.refused is not None:
            self._finish(fence, replace(ended, outcome=_refused(reporter.refused)), ())
        else:
            self._finish(fence, ended, reporter.unsent())

    def _finish(self, fence: Fence, ended: Ended, points: tuple[Point, ...]) -> None:
        outcome = ended.outcome
        if outcome is None:
            self._release(fence)
            return
        if isinstance(outcome, Failed):
            log.error("%s failed (%s): %s", name_of(fence), outcome.cause, outcome.message, extra=self._about(fence))
        while len(points) > LARGEST_REPORT:
            report = TrialReport(fence=fence, update=0, points=points[:LARGEST_REPORT])
            if self._insist(self._service.report, ReportRequest(reports=(report,)), fence) is None:
                return
            points = points[LARGEST_REPORT:]
        said = "" if isinstance(outcome, Failed) else ended.log
        finish = TrialFinish(
            fence=fence,
            outcome=outcome,
            points=points,
            train_seconds=ended.seconds,
            log=said,
            data_sha256=ended.data_sha256,
        )
        try:
            answer = self._insist(self._service.finish, FinishRequest(finishes=(finish,)), fence)
        except Unsuitable as error:
            if isinstance(outcome, Failed):
                raise
            refused = _refused(f"the service refuses the outcome {outcome.kind!r}: {error}")
            self._finish(fence, replace(ended, outcome=refused), ())
            return
        if answer is not None:
            self._heed(fence, answer.receipts[0], ended)

    def _heed(self, fence: Fence, receipt: Receipt, ended: Ended) -> None:
        if receipt.status == "lost":
            log.warning("%s was finished too late: %s", name_of(fence), receipt.reason, extra=self._about(fence))
        elif receipt.wants_weights and ended.weights is not None:
            self._send_weights(fence, ended.weights)

    def _send_weights(self, fence: Fence, weights: Callable[[], bytes]) -> None:
        """Send the weights of a trial that is over; it stays what it is, whether they arrive or not."""
        backoff = self._pace.backoff()
        try:
            packed = weights()
            for _ in range(MOST_UPLOADS):
                try:
                    self._service.keep_weights(fence, packed)
                    return
                except Unavailable as error:
                    waiting = "the weights of %s wait for the service: %s"
                    log.warning(waiting, name_of(fence), error, extra=self._about(fence))
                    if self._stop.wait(backoff.fail()):
                        break
        except Exception:  # a model is a stranger's program, and may not be written as a file
            log.exception("%s is kept without its weights", name_of(fence), extra=self._about(fence))
            return
        without = "%s is kept without its weights: the service does not take them"
        log.error(without, name_of(fence), extra=self._about(fence))

    def _release(self, fence: Fence) -> None:
        self._insist(self._service.release, ReleaseRequest(fences=(fence,)), fence)

    def _insist(self, send: Callable[[Request], Answer], request: Request, fence: Fence) -> Answer | None:
        """Send until the service has answered; None when it refuses, or is away while this worker has to end.

        Raises:
            Unsuitable: the service cannot take such a message at all.
        """
        backoff = self._pace.backoff()
        give_up_at: float | None = None
        while True:
            try:
                return send(request)
            except Unavailable as error:
                log.warning("%s waits for the service: %s", name_of(fence), error, extra=self._about(fence))
            except (Conflict, NotFound) as error:
                log.warning("%s is dropped: %s", name_of(fence), error, extra=self._about(fence))
                return None
            if not self._stop.wait(backoff.fail()):
                continue
            now = time.monotonic()
            give_up_at = now + self._pace.last_words if give_up_at is None else give_up_at
            if now >= give_up_at:
                left = "%s is left behind: this worker has to end, and the service is away"
                log.error(left, name_of(fence), extra=self._about(fence))
                return None
            time.sleep(self._pace.last_words / 10)

    def _about(self, fence: Fence) -> dict[str, object]:
        return {**fields_of(fence), **self._fields}


def _refused(why: str) -> Failed:
    return Failed(cause="error", message=why[:LONGEST_MESSAGE])
