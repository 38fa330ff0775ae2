"""What is kept of a trial besides its figures: its weights, its attempts and what they said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Annotated, Any, BinaryIO

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, HTTPException, Path, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.requests import ClientDisconnect

from search.errors import NotFound
from search.keeping import why_not_kept
from search.logs import visible
from search.protocol import Fence
from search.study import Study
from service import schemas
from service.routes.parts import (
    CONFLICT,
    NOT_FOUND,
    REFUSALS,
    NamedStudy,
    Opened,
    Project,
    Service,
    StrictRoute,
    StudyName,
    TrialNumber,
)
from service.schemas import AttemptOut, PageOut, WeightsOut
from service.store import Artifact

MEDIA_TYPE = "application/octet-stream"
CHUNK_BYTES = 1024 * 1024
_FILE: dict[str, Any] = {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}

router = APIRouter(prefix="/v1/studies/{name}/trials/{number}", route_class=StrictRoute, responses=REFUSALS | NOT_FOUND)

AttemptNumber = Annotated[int, Path(ge=1, lt=2**31, description="The attempt, 1 for the first.")]


async def weights_fence(
    name: StudyName,
    number: TrialNumber,
    attempt: Annotated[int, Header(alias="Etude-Attempt", ge=1, lt=2**31, description="`attempt` of the fence.")],
    lease: Annotated[
        str, Header(alias="Etude-Lease", min_length=1, max_length=64, description="`lease` of the fence.")
    ],
    project: Project = "default",
) -> Fence:
    """The fence that a file is sent with: its body is the file itself."""
    return Fence(project=project, study=name, trial=number, attempt=attempt, lease=lease)


WeightsFence = Annotated[Fence, Depends(weights_fence)]


@router.put(
    "/weights",
    tags=["work"],
    responses=CONFLICT,
    openapi_extra={"requestBody": {"description": "A safetensors file.", "required": True, "content": _FILE}},
)
async def keep_weights(request: Request, service: Service, fence: WeightsFence) -> WeightsOut:
    """Send the weights of a trial that has completed, where its receipt said `wants_weights`. The body is the file."""
    # Before a byte of the body is taken.
    await to_thread.run_sync(service.store.refuse_weights, fence)
    with service.artifacts.receiving() as upload:
        try:
            async for chunk in request.stream():
                await to_thread.run_sync(upload.write, chunk)
        except ClientDisconnect as error:
            raise HTTPException(400, "the file broke off before its end") from error
        kept = await to_thread.run_sync(service.artifacts.keep_weights, fence, upload)
    return schemas.weights_out(kept)


@router.get(
    "/weights",
    tags=["trials"],
    response_class=StreamingResponse,
    responses={200: {"description": "A safetensors file.", "content": _FILE}},
)
def get_weights(study: NamedStudy, number: TrialNumber, service: Service) -> Response:
    """Download a trial's weights, as a safetensors file. Its `ETag` is the SHA-256 of its bytes."""
    kept = _kept(service, study, number)
    file = service.artifacts.open(study.id, kept)
    return StreamingResponse(_chunks(file), media_type=MEDIA_TYPE, headers=_headers(study, kept))


@router.head("/weights", include_in_schema=False)
def measure_weights(study: NamedStudy, number: TrialNumber, service: Service) -> Response:
    """What a download would say of itself."""
    return Response(media_type=MEDIA_TYPE, headers=_headers(study, _kept(service, study, number)))


@router.get("/attempts", tags=["trials"])
def list_attempts(study: NamedStudy, number: TrialNumber, service: Service) -> PageOut[AttemptOut]:
    """List the attempts at a trial, the first first: who made them, when, and how they ended."""
    service.store.trial(study.id, number)
    found = service.store.attempts(study.id, number)
    return PageOut[AttemptOut](items=[schemas.attempt_out(attempt) for attempt in found])


@router.get("/attempts/{attempt}/log", tags=["trials"], response_class=PlainTextResponse)
def get_log(study: NamedStudy, number: TrialNumber, attempt: AttemptNumber, service: Service) -> Response:
    """The end of what an attempt printed and logged, sent when it ended; a failure's ends with the traceback."""
    service.store.trial(study.id, number)
    return PlainTextResponse(visible(service.store.attempt(study.id, number, attempt).log))


def _kept(service: Opened, study: Study, number: int) -> Artifact:
    trial = service.store.trial(study.id, number)
    kept = service.store.weights(study.id)
    if number in kept:
        return kept[number]
    best = service.store.leaderboard(study.id, limit=1)
    why_not = why_not_kept(study, trial, best[0].number if best else None)
    why = why_not or "its worker has not sent them: it sends them when the trial is over, unless it dies before"
    others = f"; there are those of trial {min(kept)}" if kept else ""
    raise NotFound(f"trial {number} of study {study.name} has no weights here: {why}{others}")


def _headers(study: Study, kept: Artifact) -> dict[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="{study.name}-{kept.trial}.safetensors"',
        "Content-Length": str(kept.size_bytes),
        "ETag": f'"{kept.sha256}"',
    }


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with closing(file):
        yield from iter(partial(file.read, CHUNK_BYTES), b"")
