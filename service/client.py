"""The service's API as typed calls, and the work protocol over them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from schedules import AnySchedule, Recipe
from schedules.export import Target
from search.choices import Pruning
from search.errors import Unavailable
from search.study import StudyRequest, StudyState, TrialState
from search.tasks.info import TaskInfo
from service.connection import READ_SECONDS, Connection, Params
from service.schemas import (
    AttemptOut,
    BestOut,
    CheckBody,
    CheckOut,
    CurveOut,
    EnqueueBody,
    EventOut,
    FamiliesOut,
    HealthOut,
    LeaderboardOut,
    PageOut,
    PresetOut,
    PreviewBody,
    PreviewOut,
    ReadyOut,
    StudyDetailOut,
    StudyOut,
    StudyPatch,
    TrialDetailOut,
    TrialOut,
    WeightsOut,
    WorkerOut,
)
from service.work import HttpWork

Item = TypeVar("Item", bound=BaseModel)

PAGE = 200
QUIET_SECONDS = 45.0
"""A stream that says nothing for so long is broken: the service pings it three times as often."""
PATIENCE_SECONDS = 120.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class StreamedEvent:
    """One event of a study.

    Attributes:
        id: read on after it with ``events(name, after=id)``.
    """

    id: int
    event: EventOut


class Client:
    """Calls to one project of one service.

    Args:
        url: of the service; ``ETUDE_URL`` or ``http://127.0.0.1:8000`` when not given.
        api_key: ``ETUDE_API_KEY`` when not given.
        project: that studies belong to.
        transport: replaces the network in tests.

    Every call raises ``ApiError`` when the service refuses it, with the problem document, and ``Unavailable`` when
    the service cannot be reached or cannot answer now. No call is repeated by itself.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        project: str = "default",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._connection = Connection(url, api_key, transport=transport)
        self.project = project

    @property
    def url(self) -> str:
        return self._connection.url

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create_study(self, request: StudyRequest) -> StudyDetailOut:
        return self._ask("POST", "/v1/studies", StudyDetailOut, body=request)

    def studies(self, *, state: StudyState | None = None) -> Iterator[StudyOut]:
        """Every study of the project, page after page as they are read."""
        return self._pages("/v1/studies", PageOut[StudyOut], state)

    def study(self, name: str) -> StudyDetailOut:
        return self._ask("GET", _study(name), StudyDetailOut)

    def change_study(self, name: str, patch: StudyPatch) -> StudyDetailOut:
        return self._ask("PATCH", _study(name), StudyDetailOut, body=patch)

    def delete_study(self, name: str) -> None:
        self._connection.send("DELETE", _study(name), params=self._params())

    def pause_study(self, name: str) -> StudyDetailOut:
        return self._ask("POST", f"{_study(name)}/pause", StudyDetailOut)

    def resume_study(self, name: str) -> StudyDetailOut:
        return self._ask("POST", f"{_study(name)}/resume", StudyDetailOut)

    def cancel_study(self, name: str) -> StudyDetailOut:
        return self._ask("POST", f"{_study(name)}/cancel", StudyDetailOut)

    def trials(self, study: str, *, state: TrialState | None = None) -> Iterator[TrialOut]:
        """Every trial of a study by rising number, page after page as they are read."""
        return self._pages(f"{_study(study)}/trials", PageOut[TrialOut], state)

    def trial(self, study: str, number: int) -> TrialDetailOut:
        return self._ask("GET", f"{_study(study)}/trials/{number}", TrialDetailOut)

    def curve(self, study: str, number: int, *, attempt: int | None = None) -> CurveOut:
        params = self._params(attempt=attempt)
        return self._connection.ask("GET", f"{_study(study)}/trials/{number}/curve", CurveOut, params=params)

    def attempts(self, study: str, number: int) -> Iterator[AttemptOut]:
        """Every attempt at a trial, the first first."""
        return self._pages(f"{_study(study)}/trials/{number}/attempts", PageOut[AttemptOut], None)

    def log(self, study: str, number: int, attempt: int) -> str:
        """The end of what an attempt printed and logged."""
        path = f"{_study(study)}/trials/{number}/attempts/{attempt}/log"
        return self._connection.send("GET", path, params=self._params(), accept="*/*").text

    def download_weights(self, study: str, number: int, file: BinaryIO) -> WeightsOut:
        """Write a trial's weights, a safetensors file, and check that they came whole.

        Raises:
            Unavailable: they did not.
        """
        path, digest, size = f"{_study(study)}/trials/{number}/weights", hashlib.sha256(), 0
        with self._connection.stream(
            path, headers={"Accept": "*/*"}, params=self._params(), quiet_seconds=READ_SECONDS
        ) as answer:
            for chunk in answer.iter_bytes():
                digest.update(chunk)
                size += file.write(chunk)
            if answer.headers.get("ETag") != f'"{digest.hexdigest()}"':
                raise Unavailable(f"the weights of trial {number} of study {study} came damaged: ask for them again")
        return WeightsOut(sha256=digest.hexdigest(), size_bytes=size)

    def enqueue_trial(self, study: str, recipe: Recipe) -> TrialOut:
        return self._ask("POST", f"{_study(study)}/trials", TrialOut, body=EnqueueBody(recipe=recipe))

    def leaderboard(self, study: str, *, limit: int = 20) -> LeaderboardOut:
        params = self._params(limit=limit)
        return self._connection.ask("GET", f"{_study(study)}/leaderboard", LeaderboardOut, params=params)

    def best(self, study: str) -> BestOut:
        return self._ask("GET", f"{_study(study)}/best", BestOut)

    def best_torch(self, study: str) -> str:
        """The best recipe as a program for torch."""
        return self.export_best(study, "torch")

    def export_best(self, study: str, to: Target) -> str:
        path, params = f"{_study(study)}/best/export", self._params(to=to)
        return self._connection.send("GET", path, params=params, accept="*/*").text

    def families(self) -> FamiliesOut:
        return self._connection.ask("GET", "/v1/families", FamiliesOut)

    def preview(self, schedule: AnySchedule, *, horizon: int, peak_lr: float = 1.0, limit: int = 500) -> PreviewOut:
        body = PreviewBody(schedule=schedule, horizon=horizon, peak_lr=peak_lr, limit=limit)
        return self._connection.ask("POST", "/v1/schedules/preview", PreviewOut, body=body)

    def preview_svg(self, schedule: AnySchedule, *, horizon: int, peak_lr: float = 1.0) -> str:
        body = PreviewBody(schedule=schedule, horizon=horizon, peak_lr=peak_lr)
        return self._connection.send("POST", "/v1/schedules/preview", body=body, accept="image/svg+xml").text

    def preview_png(self, schedule: AnySchedule, *, horizon: int, peak_lr: float = 1.0) -> bytes:
        body = PreviewBody(schedule=schedule, horizon=horizon, peak_lr=peak_lr)
        return self._connection.send("POST", "/v1/schedules/preview", body=body, accept="image/png").content

    def check_recipe(self, recipe: Recipe, horizon: int, *, pruner: Pruning = "none") -> CheckOut:
        body = CheckBody(recipe=recipe, horizon=horizon, pruner=pruner)
        return self._connection.ask("POST", "/v1/recipes/check", CheckOut, body=body)

    def presets(self) -> Iterator[PresetOut]:
        return self._pages("/v1/presets", PageOut[PresetOut], None)

    def tasks(self) -> Iterator[TaskInfo]:
        return self._pages("/v1/tasks", PageOut[TaskInfo], None)

    def workers(self) -> Iterator[WorkerOut]:
        return self._pages("/v1/workers", PageOut[WorkerOut], None)

    def health(self) -> HealthOut:
        return self._connection.ask("GET", "/healthz", HealthOut)

    def ready(self) -> ReadyOut:
        return self._connection.ask("GET", "/readyz", ReadyOut)

    def work(self) -> HttpWork:
        """The work protocol over this client's connection."""
        return HttpWork(self._connection)

    def events(
        self,
        study: str,
        *,
        after: int = 0,
        patience_seconds: float = PATIENCE_SECONDS,
        pause: Callable[[float], object] | None = None,
    ) -> Iterator[StreamedEvent]:
        """Events of a study after the event ``after``, old and new, until the study is over.

        A broken stream is taken up again after the last event that came, so none is missed and none comes twice.

        Args:
            patience_seconds: how long to try again without any success before giving up.
            pause: waits so many seconds between two tries.

        Raises:
            Unavailable: the service could not be reached for ``patience_seconds``.
        """
        wait = pause or threading.Event().wait
        waited, again = 0.0, FIRST_PAUSE_SECONDS
        while True:
            try:
                for event in self._stream(study, after):
                    after = event.id
                    waited, again = 0.0, FIRST_PAUSE_SECONDS
                    yield event
                if self.study(study).state.is_final:
                    return
            except Unavailable:
                if waited >= patience_seconds:
                    raise
            wait(again)
            waited, again = waited + again, min(2 * again, LONGEST_PAUSE_SECONDS)

    def _stream(self, study: str, after: int) -> Iterator[StreamedEvent]:
        headers = {"Last-Event-ID": str(after)}
        path = f"{_study(study)}/events"
        with self._connection.stream(
            path, headers=headers, params=self._params(), quiet_seconds=QUIET_SECONDS
        ) as answer:
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(":")
                if name:
                    fields[name] = value.removeprefix(" ")
                elif not line and "data" in fields:
                    yield StreamedEvent(int(fields["id"]), EventOut.model_validate_json(fields["data"]))
                    fields = {}

    def _ask(self, method: str, path: str, answer: type[Item], *, body: BaseModel | None = None) -> Item:
        return self._connection.ask(method, path, answer, body=body, params=self._params())

    def _pages(self, path: str, page: type[PageOut[Item]], state: StudyState | TrialState | None) -> Iterator[Item]:
        cursor: str | None = None
        while True:
            read = self._connection.ask("GET", path, page, params=self._params(state=state, limit=PAGE, cursor=cursor))
            yield from read.items
            cursor = read.next_cursor
            if cursor is None:
                return

    def _params(self, **more: str | float | None) -> Params:
        return {"project": self.project, **more}


def _study(name: str) -> str:
    return f"/v1/studies/{quote(name, safe='')}"
