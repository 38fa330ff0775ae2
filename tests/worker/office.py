"""A service in this process: one study's real conductor, and a line to it that can be cut."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from search.conductor import Conductor
from search.errors import Unavailable
from search.planning import make_plan
from search.protocol import (
    Announcement,
    ClaimAnswer,
    ClaimRequest,
    Fence,
    FinishAnswer,
    FinishRequest,
    ReleaseAnswer,
    ReleaseRequest,
    ReportAnswer,
    ReportRequest,
)
from search.study import Study, StudyRequest, StudyState, Trial
from search.tasks.info import TaskInfo
from tests.search.factories import NOON
from tests.training.line import LINE

Answer = TypeVar("Answer")

CONSTANT = {"families": ["constant"], "ranges": {"warmup_fraction": {"low": 0, "high": 0}}}
"""A space whose recipes fit a run of any length."""


NOTHING = {"weights": "none"}


class Office:
    """Speaks the work protocol for one study; its clock moves only when told to.

    Args:
        info: the study's task; the first task of the first worker that presents itself, when None.
        fields: of the study's request.

    Attributes:
        said: the kind of each message that arrived, in order.
        weights: what was sent to be kept, by trial; nothing is wanted unless the request says so.
        on_idle: called when somebody who holds nothing claims, and there is nothing for him.
        on_message: called with each kind before it is answered; may raise instead of the office.
        is_deaf: messages get lost on their way here.
        is_dumb: messages arrive, and their answers get lost.
    """

    conductor: Conductor

    def __init__(self, info: TaskInfo | None = LINE, *, lease_seconds: float = 60.0, **fields: Any) -> None:
        self.now: datetime = NOON
        self.said: list[str] = []
        self.weights: dict[int, bytes] = {}
        self.heard = threading.Condition()
        self.on_idle: Callable[[], None] = lambda: None
        self.on_message: Callable[[str], None] = lambda _: None
        self.is_deaf = False
        self.is_dumb = False
        self._lease_seconds = lease_seconds
        self._fields = fields
        if info is not None:
            self._open(info)

    def _open(self, info: TaskInfo) -> None:
        request = StudyRequest.model_validate(
            {"name": "first", "task": info.name, "epochs": 3, "space": CONSTANT, "keep": NOTHING, **self._fields}
        )
        study = Study(
            id=1,
            optuna_id=1,
            project="default",
            name="first",
            request=request,
            plan=make_plan(request, info),
            state=StudyState.QUEUED,
            created_at=NOON,
        )
        tokens = count()
        self.conductor = Conductor(study, lease_seconds=self._lease_seconds, new_token=lambda: f"token-{next(tokens)}")

    @property
    def trials(self) -> list[Trial]:
        with self.heard:
            return list(self.conductor.trials.values())

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and take back what is overdue."""
        with self.heard:
            self.now += timedelta(seconds=seconds)
            self.conductor.expire(self.now)

    def wait_for(self, kind: str, times: int = 1, *, timeout: float = 30.0) -> None:
        """Wait until so many messages of a kind have arrived."""
        with self.heard:
            assert self.heard.wait_for(lambda: self.said.count(kind) >= times, timeout), self.said

    def announce(self, announcement: Announcement) -> None:
        def take() -> None:
            if not hasattr(self, "conductor"):
                self._open(announcement.tasks[0])

        self._answer("announce", take)

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        return self._answer("claim", lambda: self._claim(request))

    def report(self, request: ReportRequest) -> ReportAnswer:
        def take() -> ReportAnswer:
            return ReportAnswer(verdicts=tuple(self.conductor.report(each, self.now) for each in request.reports))

        return self._answer("report", take)

    def finish(self, request: FinishRequest) -> FinishAnswer:
        def take() -> FinishAnswer:
            return FinishAnswer(receipts=tuple(self.conductor.finish(each, self.now) for each in request.finishes))

        return self._answer("finish", take)

    def release(self, request: ReleaseRequest) -> ReleaseAnswer:
        def take() -> ReleaseAnswer:
            return ReleaseAnswer(receipts=tuple(self.conductor.release(each, self.now) for each in request.fences))

        return self._answer("release", take)

    def keep_weights(self, fence: Fence, weights: bytes) -> None:
        def take() -> None:
            self.weights[fence.trial] = weights

        self._answer("weights", take)

    def _claim(self, request: ClaimRequest) -> ClaimAnswer:
        again = self.conductor.resend(request.worker, request.held, self.now)
        if again:
            return ClaimAnswer(assignments=tuple(again))
        fresh = [self.conductor.claim(request.worker, self.now) for _ in range(request.lanes)]
        given = tuple(each for each in fresh if each is not None)
        if not given and not request.held:
            self.on_idle()
        return ClaimAnswer(assignments=given)

    def _answer(self, kind: str, take: Callable[[], Answer]) -> Answer:
        self.on_message(kind)
        with self.heard:
            if self.is_deaf:
                raise Unavailable("connection refused", retry_after_seconds=0.01)
            answer = take()
            self.said.append(kind)
            self.heard.notify_all()
            if self.is_dumb:
                raise Unavailable("connection reset", retry_after_seconds=0.01)
            return answer
