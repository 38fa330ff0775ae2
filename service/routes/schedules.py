"""Schedules and recipes, without any study: what there is, how it looks, whether it can be run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import JSONResponse

from schedules import Schedule
from schedules.drawing import points, svg
from search.errors import Unsuitable
from service.families import describe_all
from service.routes.examples import CHECK_EXAMPLES, PREVIEW_EXAMPLES
from service.routes.parts import REFUSALS, StrictRoute
from service.schemas import CheckBody, CheckOut, FamiliesOut, PreviewBody, PreviewOut, PreviewPoint, check_out

SVG = "image/svg+xml"

router = APIRouter(prefix="/v1", tags=["schedules"], route_class=StrictRoute, responses=REFUSALS)


@router.get("/families")
async def list_families() -> FamiliesOut:
    """List all that a recipe may be made of, each with its formula, its source, its ranges and its JSON Schema."""
    return describe_all()


@router.post(
    "/schedules/preview",
    response_model=PreviewOut,
    responses={200: {"description": "The curve, as Accept asks.", "content": {SVG: {"schema": {"type": "string"}}}}},
)
def preview(body: Annotated[PreviewBody, Body(openapi_examples=PREVIEW_EXAMPLES)], request: Request) -> Response:
    """Draw a schedule: points as JSON, or a picture with `Accept: image/svg+xml`."""
    refuse_too_short(body.schedule, body.horizon, ("horizon",))
    if _prefers_svg(request.headers.get("accept", "")):
        picture = svg(body.schedule, body.horizon, body.peak_lr)
        return Response(picture, media_type=SVG, headers={"Vary": "Accept"})
    drawn = PreviewOut(
        kind=body.schedule.kind,
        summary=body.schedule.summary(),
        horizon=body.horizon,
        peak_lr=body.peak_lr,
        points=[
            PreviewPoint(update=update, multiplier=multiplier, rate=body.peak_lr * multiplier)
            for update, multiplier in points(body.schedule, body.horizon, body.limit)
        ],
    )
    return JSONResponse(drawn.model_dump(mode="json"), headers={"Vary": "Accept"})


@router.post("/recipes/check")
def check_recipe(body: Annotated[CheckBody, Body(openapi_examples=CHECK_EXAMPLES)]) -> CheckOut:
    """Say whether a recipe can be trained for so many updates, what is doubtful about it, and on what evidence."""
    return check_out(body)


def refuse_too_short(schedule: Schedule, horizon: int, where: tuple[str, ...]) -> None:
    """Refuse a run that is too short for its schedule.

    Raises:
        Unsuitable: it is.
    """
    try:
        schedule.check(horizon)
    except ValueError as error:
        raise Unsuitable(str(error), where=where, value=horizon) from error


def _prefers_svg(accept: str) -> bool:
    """Whether SVG is named before JSON; whoever takes anything gets JSON."""
    kinds = [kind.partition(";")[0].strip().lower() for kind in accept.split(",")]
    for kind in kinds:
        if kind in (SVG, "image/*"):
            return True
        if kind in ("application/json", "*/*"):
            return False
    return False
