"""The work protocol: what any program needs to be a worker."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request

from search.protocol import (
    Announcement,
    ClaimAnswer,
    ClaimRequest,
    FinishAnswer,
    FinishRequest,
    ReleaseAnswer,
    ReleaseRequest,
    ReportAnswer,
    ReportRequest,
)
from service import events
from service.routes.examples import ANNOUNCE_EXAMPLES, CLAIM_EXAMPLES, FINISH_EXAMPLES, REPORT_EXAMPLES
from service.routes.parts import CONFLICT, REFUSALS, Service, StrictRoute

router = APIRouter(prefix="/v1/work", tags=["work"], route_class=StrictRoute, responses=REFUSALS)


@router.post("/announce", status_code=204, responses=CONFLICT)
def announce(body: Annotated[Announcement, Body(openapi_examples=ANNOUNCE_EXAMPLES)], service: Service) -> None:
    """Present a worker and the tasks that it can run, once, when it starts."""
    service.ensemble.announce(body)


@router.post("/claim")
async def claim(
    body: Annotated[ClaimRequest, Body(openapi_examples=CLAIM_EXAMPLES)], request: Request, service: Service
) -> ClaimAnswer:
    """Ask for trials to train; held open up to `wait_seconds` while there are none."""
    return await events.claim(
        service.ensemble, body, bell=service.bell, turns=service.claim_turns, is_gone=request.is_disconnected
    )


@router.post("/report")
def report(body: Annotated[ReportRequest, Body(openapi_examples=REPORT_EXAMPLES)], service: Service) -> ReportAnswer:
    """Report points of trials, renew their leases, and hear for each whether to go on."""
    return service.ensemble.report(body)


@router.post("/finish", responses=CONFLICT)
def finish(body: Annotated[FinishRequest, Body(openapi_examples=FINISH_EXAMPLES)], service: Service) -> FinishAnswer:
    """Say how trials ended. Sent again, it is accepted again; a different outcome is a conflict."""
    return service.ensemble.finish(body)


@router.post("/release")
def release(body: ReleaseRequest, service: Service) -> ReleaseAnswer:
    """Give trials back at once; another worker may take them, and no attempt is used up."""
    return service.ensemble.release(body)
