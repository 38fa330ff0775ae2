"""What the service knows of itself: its tasks, its workers, its health."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import RedirectResponse, Response

from search.tasks.info import TaskInfo
from service.metrics import Metrics
from service.routes.parts import REFUSALS, Project, Service, StrictRoute
from service.schemas import HealthOut, PageOut, ReadyOut, TrainingOut, WorkerOut
from service.store import WorkerRecord
from service.telemetry import Training, Work

LISTED = timedelta(hours=1)
"""A worker that has not been heard of for so long leaves the list."""

router = APIRouter(tags=["system"], route_class=StrictRoute, responses=REFUSALS)


@router.get("/v1/tasks")
def list_tasks(service: Service) -> PageOut[TaskInfo]:
    """List the tasks that a study may name: built in, announced by workers, and `external`."""
    return PageOut[TaskInfo](items=service.ensemble.tasks())


@router.get("/v1/workers")
def list_workers(service: Service, project: Project = "default") -> PageOut[WorkerOut]:
    """List the workers heard of within the hour, by host and device: what each trains for the project, and how fast.

    Trials of other projects are counted, not named.
    """
    now, works = service.clock(), service.ensemble.telemetry.works()
    found = [
        _worker(
            record,
            works.get(record.announcement.worker, Work()),
            project,
            is_silent=now - record.seen_at > service.silence,
        )
        for record in service.store.workers(seen_since=now - LISTED)
    ]
    return PageOut[WorkerOut](items=sorted(found, key=_by_place))


@router.get("/healthz", responses={})
async def healthz() -> HealthOut:
    """The process answers. Asks nothing of the database."""
    return HealthOut()


@router.get("/readyz")
def readyz(service: Service) -> ReadyOut:
    """The database answers, and this service is the one that writes; else 503 with the reason."""
    service.ensemble.ready()
    return ReadyOut()


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request, accept: Annotated[str, Header(max_length=1000)] = "") -> Response:
    """Figures of the service for Prometheus, by the administrator's key: trials, times, requests, the process."""
    figures: Metrics = request.app.state.metrics
    content, media_type = figures.written(accept)
    return Response(content, media_type=media_type)


@router.get("/", include_in_schema=False)
async def index() -> RedirectResponse:
    """The dashboard is the front page."""
    return RedirectResponse("/dashboard/", 307)


def _worker(record: WorkerRecord, work: Work, project: str, *, is_silent: bool) -> WorkerOut:
    """A worker as one project may see it."""
    said = record.announcement
    own = [each for each in work.trainings if each.project == project]
    return WorkerOut(
        worker=said.worker,
        host=said.host,
        pid=said.pid,
        device=said.device,
        versions=dict(said.versions),
        tasks=[task.name for task in said.tasks],
        state="silent" if is_silent else "training" if work.trainings else "idle",
        trials=[_training(each) for each in own],
        other_trials=len(work.trainings) - len(own),
        updates_per_second=work.updates_per_second,
        announced_at=record.announced_at,
        seen_at=record.seen_at,
    )


def _training(training: Training) -> TrainingOut:
    return TrainingOut(
        project=training.project,
        study=training.study,
        trial=training.trial,
        attempt=training.attempt,
        update=training.update,
        horizon=training.horizon,
        updates_per_second=training.updates_per_second,
    )


def _by_place(worker: WorkerOut) -> tuple[str, str, int, str]:
    return worker.host, worker.device.kind, worker.device.index, worker.worker
