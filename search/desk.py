"""What a worker says and hears: one thread talks for all its trials, while another trains them."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from search.errors import Conflict, NotFound, SearchError, Unavailable, Unsuitable
from search.naming import fields_of, fields_of_worker, name_of
from search.pace import Pace
from search.protocol import (
    Announcement,
    Assignment,
    ClaimRequest,
    Failed,
    Fence,
    FinishRequest,
    Receipt,
    ReleaseRequest,
    ReportRequest,
    WorkService,
)
from search.reporting import LARGEST_REPORT, Held
from search.training.lanes.driver import Fed
from search.training.trainer import Ended
from search.uploads import Uploads

AHEAD_SECONDS: Final = 0.5
"""Of several lanes, one that will be free so soon is asked for a trial ahead."""

LISTEN_SECONDS: Final = 0.2
"""Whether this process is to end is looked at so often."""

log = logging.getLogger(__name__)
Job = Callable[[], None]


class Desk:
    """Claims trials, reports them, says how they ended, and gives back what is not trained.

    What is due for several trials goes in one message. A thread of its own does the talking, so that leases outlive an
    update or an evaluation of any length, and an absent service holds up nothing.

    Args:
        request: asks for work; how much, and what is held, is filled in.
        stop: set when this process is to end; everything is then given back.
    """

    def __init__(
        self,
        service: WorkService,
        announcement: Announcement,
        request: ClaimRequest,
        stop: threading.Event,
        pace: Pace,
    ) -> None:
        self._service = service
        self._announcement = announcement
        self._request = request
        self._stop = stop
        self._pace = pace
        self._uploads = Uploads(service, stop, pace)
        self._changed = threading.Condition(threading.RLock())
        self._held: dict[Fence, Held] = {}
        self._queue: deque[Held] = deque()
        self._n_wanted = 0
        self._drains = False
        self._is_broken = False
        self._is_closed = False
        self._failure: Exception | None = None
        self._backoff = pace.backoff()
        self._not_before = self._claim_at = 0.0
        self._give_up_at: float | None = None
        self._announced_at: float | None = None
        self._thread = threading.Thread(target=self._talk, name="desk", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._is_closed = True
            for held in self._held.values():
                if held.ended is None:
                    held.end(Ended(None, 0.0))
            self._changed.notify_all()
        self._thread.join()
        self._uploads.close()
        if self._failure is not None and error is None:
            raise self._failure

    # for the training

    def wait(self) -> bool:
        """Wait until there is something to train; False when this worker is to end."""
        with self._changed:
            self._n_wanted = max(1, self._n_wanted)
            self._changed.notify_all()
            while not self._queue and not self._ends:
                self._changed.wait(LISTEN_SECONDS)
            return not self._ends

    def take(self, n_free: int) -> Fed | None:
        """Return the next trial for one of so many free lanes; None when there is none yet."""
        with self._changed:
            if self._queue and not self._ends:
                self._n_wanted = n_free - 1
                held = self._queue.popleft()
                held.begin()
                return Fed(held.assignment, held)
            if n_free > self._n_wanted:
                self._n_wanted = n_free
                self._changed.notify_all()
            return None

    def end(self, assignment: Assignment, ended: Ended) -> None:
        """Take the end of a trial; one without an outcome is given back.

        What is given back with no need did not fit beside what is trained, and nothing more is claimed before that has
        ended.
        """
        with self._changed:
            held = self._held[assignment.fence]
            held.end(ended)
            self._is_broken = self._is_broken or ended.process_broken
            if held.ended is ended and ended.outcome is None and held.lost is None and not self._stop.is_set():
                self._drains = True
            self._changed.notify_all()

    # for the talking

    @property
    def _ends(self) -> bool:
        return self._stop.is_set() or self._is_broken or self._is_closed or self._failure is not None

    def _talk(self) -> None:
        try:
            while (job := self._next_job()) is not None:
                try:
                    job()
                except Unavailable as error:
                    self._wait_out(error)
                else:
                    self._backoff.succeed()
        except Exception as error:  # noqa: BLE001  raised again by the thread that trains
            with self._changed:
                self._failure = error
                for held in self._held.values():
                    held.lose(str(error))
                self._changed.notify_all()

    def _next_job(self) -> Job | None:
        """Wait for what is to be said next; None when all is said, or has to be left unsaid."""
        with self._changed:
            while True:
                now = time.monotonic()
                if self._ends or self._drains:
                    self._give_back_what_waits()
                if now >= self._not_before and (job := self._due(now)) is not None:
                    return job
                if self._is_closed and (not self._held or self._gives_up(now)):
                    return None
                self._changed.wait(self._pause(now))

    def _due(self, now: float) -> Job | None:
        ended = [held for held in self._held.values() if held.ended is not None]
        for held in ended:
            if held.lost is not None:
                log.warning("%s is dropped: %s", name_of(held.fence), held.lost, extra=self._about(held))
                self._forget(held)
        reports = [held for held in self._held.values() if held.due_at() <= now]
        if reports:
            soon = now + self._pace.send / 2
            batch = _of_one_message([held for held in self._held.values() if held.due_at() <= soon])
            return lambda: self._report(batch)
        released = [held for held in ended if held.lost is None and held.ended and held.ended.outcome is None]
        if released:
            return lambda: self._release(released[:LARGEST_REPORT])
        finished = _of_one_message([held for held in ended if held.lost is None])
        if finished:
            return lambda: self._finish(finished)
        wanted = self._n_to_claim(now)
        return (lambda: self._claim(wanted)) if wanted and now >= self._claim_at else None

    def _n_to_claim(self, now: float) -> int:
        if self._drains and not self._held:
            self._drains = False
        if self._ends or self._drains:
            return 0
        training = [held for held in self._held.values() if held.ended is None and held not in self._queue]
        ahead = 0
        if len(training) + self._n_wanted > 1:
            ahead = sum(held.ends_at() <= now + AHEAD_SECONDS for held in training)
        return max(0, self._n_wanted + ahead - len(self._queue))

    def _pause(self, now: float) -> float:
        at = [held.due_at() for held in self._held.values()]
        if self._n_wanted and not self._ends and not self._drains:
            at.append(self._claim_at)
        return max(0.001, min(LISTEN_SECONDS, max(self._not_before, min(at, default=now + LISTEN_SECONDS)) - now))

    def _claim(self, wanted: int) -> None:
        self._present()
        with self._changed:
            slots = tuple(held.slot for held in self._held.values())
        wait = 0.0 if slots else self._pace.claim
        asked = self._request.model_copy(update={"lanes": min(wanted, 1024), "wait_seconds": wait, "held": slots})
        try:
            answer = self._service.claim(asked)
        except NotFound as error:
            self._announced_at = None
            raise Unavailable(str(error)) from error
        with self._changed:
            for assignment in answer.assignments:
                held = Held(assignment, self._stop, self._changed, send_seconds=self._pace.send)
                self._held[held.fence] = held
                self._queue.append(held)
            self._claim_at = 0.0 if answer.assignments else time.monotonic() + self._pace.idle
            self._changed.notify_all()

    def _present(self) -> None:
        now = time.monotonic()
        if self._announced_at is None or now - self._announced_at >= self._pace.announce:
            self._service.announce(self._announcement)
            self._announced_at = now

    def _report(self, batch: Sequence[Held]) -> None:
        with self._changed:
            reports = [held.report() for held in batch]
        try:
            verdicts = self._service.report(ReportRequest(reports=tuple(reports))).verdicts
        except Unavailable:
            raise
        except SearchError as error:
            if len(batch) > 1:
                # nobody says whose report is refused, and a report that was taken may be repeated
                for held in batch:
                    self._report([held])
                return
            with self._changed:
                if isinstance(error, Unsuitable):
                    batch[0].refuse(f"the service refuses its report: {error}")
                else:
                    batch[0].lose(str(error))
            return
        with self._changed:
            for held, report, verdict in zip(batch, reports, verdicts, strict=True):
                held.hear(report, verdict)

    def _finish(self, batch: Sequence[Held]) -> None:
        for held in batch:
            finish = held.finish()
            if isinstance(finish.outcome, Failed):
                said = (name_of(held.fence), finish.outcome.cause, finish.outcome.message)
                log.error("%s failed (%s): %s", *said, extra=self._about(held))
        try:
            answer = self._service.finish(FinishRequest(finishes=tuple(held.finish() for held in batch)))
        except (Conflict, NotFound, Unsuitable) as error:
            if len(batch) > 1:
                for held in batch:
                    self._finish([held])
            else:
                self._take_refusal(batch[0], error)
            return
        for held, receipt in zip(batch, answer.receipts, strict=True):
            self._heed(held, receipt)

    def _take_refusal(self, held: Held, error: SearchError) -> None:
        finish = held.finish()
        if not isinstance(error, Unsuitable):
            log.warning("%s is dropped: %s", name_of(held.fence), error, extra=self._about(held))
            self._forget(held)
        elif isinstance(finish.outcome, Failed):
            raise error
        else:
            with self._changed:
                held.refuse(f"the service refuses the outcome {finish.outcome.kind!r}: {error}")

    def _heed(self, held: Held, receipt: Receipt) -> None:
        if receipt.status == "lost":
            log.warning("%s was finished too late: %s", name_of(held.fence), receipt.reason, extra=self._about(held))
        elif receipt.wants_weights and held.ended is not None and held.ended.weights is not None:
            self._uploads.add(held.fence, held.ended.weights)
        self._forget(held)

    def _release(self, batch: Sequence[Held]) -> None:
        try:
            self._service.release(ReleaseRequest(fences=tuple(held.fence for held in batch)))
        except (Conflict, NotFound) as error:
            log.warning("what was given back is not this worker's any more: %s", error, extra=self._fields)
        for held in batch:
            self._forget(held)

    def _forget(self, held: Held) -> None:
        with self._changed:
            self._held.pop(held.fence, None)
            self._claim_at = 0.0

    def _give_back_what_waits(self) -> None:
        while self._queue:
            self._queue.popleft().end(Ended(None, 0.0))

    def _wait_out(self, error: Unavailable) -> None:
        with self._changed:
            now = time.monotonic()
            pause = self._backoff.fail()
            log.warning("the service is away, trying again: %s", error, extra=self._fields)
            if self._ends:
                pause = min(pause, self._pace.last_words / 10)
                self._give_up_at = now + self._pace.last_words if self._give_up_at is None else self._give_up_at
            self._not_before = now + pause
            for held in self._held.values():
                held.miss()

    def _gives_up(self, now: float) -> bool:
        if self._give_up_at is None or now < self._give_up_at:
            return False
        for held in self._held.values():
            left = "%s is left behind: this worker has to end, and the service is away"
            log.error(left, name_of(held.fence), extra=self._about(held))
        return True

    @property
    def _fields(self) -> dict[str, object]:
        return fields_of_worker(self._announcement)

    def _about(self, held: Held) -> dict[str, object]:
        return {**fields_of(held.fence), **self._fields}


def _of_one_message(batch: Sequence[Held]) -> list[Held]:
    """As many as one message takes by their points, one at least."""
    taken: list[Held] = []
    n_points = 0
    for held in batch:
        n_points += held.n_points
        if taken and n_points > LARGEST_REPORT:
            break
        taken.append(held)
    return taken
