"""What the service knows of itself: its tasks, its workers, its health."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import RedirectResponse, Response

from search.tasks.info import TaskInfo
from service.metrics import Metrics
from service.routes.parts import REFUSALS, Service, StrictRoute
from service.schemas import HealthOut, PageOut, ReadyOut, WorkerOut
from service.store import WorkerRecord

router = APIRouter(tags=["system"], route_class=StrictRoute, responses=REFUSALS)


@router.get("/v1/tasks")
def list_tasks(service: Service) -> PageOut[TaskInfo]:
    """List the tasks that a study may name: built in, announced by workers, and `external`."""
    return PageOut[TaskInfo](items=service.ensemble.tasks())


@router.get("/v1/workers")
def list_workers(service: Service) -> PageOut[WorkerOut]:
    """List the workers that have announced themselves."""
    return PageOut[WorkerOut](items=[_worker(record) for record in service.store.workers()])


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


def _worker(record: WorkerRecord) -> WorkerOut:
    said = record.announcement
    return WorkerOut(
        worker=said.worker,
        host=said.host,
        pid=said.pid,
        device=said.device,
        versions=dict(said.versions),
        tasks=[task.name for task in said.tasks],
        announced_at=record.announced_at,
        seen_at=record.seen_at,
    )
