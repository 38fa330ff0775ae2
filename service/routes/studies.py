"""Studies: posted, listed, changed, watched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Body, Header, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import JsonValue, ValidationError

from search.errors import Unsuitable
from search.study import Budget, Study, StudyRequest, StudyState, TrialState
from service import events, schemas
from service.crew import waiting_for
from service.routes.examples import STUDY_EXAMPLES
from service.routes.parts import (
    CONFLICT,
    NOT_FOUND,
    REFUSALS,
    Cursor,
    Limit,
    NamedStudy,
    Opened,
    Project,
    Service,
    StrictRoute,
    StudyName,
)
from service.schemas import PageOut, StudyDetailOut, StudyOut, StudyPatch

router = APIRouter(prefix="/v1/studies", tags=["studies"], route_class=StrictRoute, responses=REFUSALS)


@router.post("", status_code=201, responses=CONFLICT)
def create_study(
    request: Annotated[StudyRequest, Body(openapi_examples=STUDY_EXAMPLES)],
    response: Response,
    service: Service,
    project: Project = "default",
) -> StudyDetailOut:
    """Post a study: workers train its trials as soon as they ask for work. Only `task` must be named."""
    study = service.ensemble.create_study(project, request)
    response.headers["Location"] = f"/v1/studies/{study.name}" + ("" if project == "default" else f"?project={project}")
    return _detail(service, study)


@router.get("")
def list_studies(
    service: Service,
    project: Project = "default",
    state: Annotated[StudyState | None, Query(description="Only studies in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[StudyOut]:
    """List the project's studies, newest first."""
    page = service.store.studies(project, state=state, cursor=cursor, limit=limit)
    return PageOut[StudyOut].model_construct(
        items=[schemas.study_out(study) for study in page.items], next_cursor=page.next_cursor
    )


@router.get("/{name}", responses=NOT_FOUND)
def get_study(study: NamedStudy, service: Service) -> StudyDetailOut:
    """Show a study with its trials per state, its best trial and how far it has come."""
    return _detail(service, study)


@router.patch("/{name}", responses=NOT_FOUND | CONFLICT)
def change_study(patch: StudyPatch, service: Service, name: StudyName, project: Project = "default") -> StudyDetailOut:
    """Change labels, priority, budget and what is acknowledged. Raising the budget reopens a completed study."""
    amended = service.ensemble.amend_study(
        project,
        name,
        priority=patch.priority,
        labels=patch.labels,
        budget=None if patch.budget is None else partial(_amended, patch.budget),
        acknowledge=patch.acknowledge,
    )
    return _detail(service, amended)


@router.delete("/{name}", status_code=204, responses=NOT_FOUND | CONFLICT)
def delete_study(name: StudyName, service: Service, project: Project = "default") -> None:
    """Delete a study with all its trials and files. There is no way back."""
    deleted = service.ensemble.delete_study(project, name)
    service.artifacts.forget_study(deleted.id)


@router.post("/{name}/pause", responses=NOT_FOUND | CONFLICT)
def pause_study(name: StudyName, service: Service, project: Project = "default") -> StudyDetailOut:
    """Hand out nothing new; what runs finishes."""
    return _detail(service, service.ensemble.pause_study(project, name))


@router.post("/{name}/resume", responses=NOT_FOUND | CONFLICT)
def resume_study(name: StudyName, service: Service, project: Project = "default") -> StudyDetailOut:
    """Hand out trials again."""
    return _detail(service, service.ensemble.resume_study(project, name))


@router.post("/{name}/cancel", responses=NOT_FOUND | CONFLICT)
def cancel_study(name: StudyName, service: Service, project: Project = "default") -> StudyDetailOut:
    """End a study: running trials are told at their next report."""
    return _detail(service, service.ensemble.cancel_study(project, name))


@router.get(
    "/{name}/events",
    response_class=EventSourceResponse,
    responses={**NOT_FOUND, 200: {"description": "Server-sent events; each `data` is an EventOut."}},
)
async def watch_study(
    study: NamedStudy,
    service: Service,
    last_event_id: Annotated[int, Header(ge=0, lt=2**63, description="Send only what came after this event.")] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """Stream what happens to the study, from its beginning or after `Last-Event-ID`, until it is over."""
    async for event in events.stream(service.store, study, last_event_id, bell=service.bell):
        yield event


def _amended(parts: Mapping[str, JsonValue], budget: Budget) -> Budget:
    """Return the budget with the named parts replaced.

    Raises:
        Unsuitable: a part is unknown or out of its bounds.
    """
    try:
        return Budget.model_validate({**budget.model_dump(), **parts})
    except ValidationError as error:
        first = error.errors()[0]
        raise Unsuitable(first["msg"], where=("budget", *first["loc"]), value=first.get("input")) from error


def _detail(service: Opened, study: Study) -> StudyDetailOut:
    best = service.store.leaderboard(study.id, limit=1)
    counts = service.store.counts(study.id)
    return schemas.study_detail(
        study,
        counts=counts,
        best=best[0] if best else None,
        weights=service.store.weights(study.id, [trial.number for trial in best]),
        waiting_for=_lacked(service, study, counts),
        now=service.clock(),
    )


def _lacked(service: Opened, study: Study, counts: Mapping[TrialState, int]) -> str | None:
    """The worker that a study lacks, while it is open and nobody trains it."""
    if study.state not in (StudyState.QUEUED, StudyState.RUNNING) or counts[TrialState.RUNNING]:
        return None
    return waiting_for(study, service.store.workers(seen_since=service.clock() - service.silence))
