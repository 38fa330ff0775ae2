"""Schedules and recipes, without any study: what there is, how it looks, whether it can be run."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import JSONResponse

from schedules import Schedule
from schedules.drawing import Chart, draw, png
from search.errors import Unsuitable
from service.families import describe_all
from service.routes.accept import preferred
from service.routes.examples import CHECK_EXAMPLES, PREVIEW_EXAMPLES
from service.routes.parts import REFUSALS, StrictRoute
from service.schemas import (
    CheckBody,
    CheckOut,
    FamiliesOut,
    PreviewBody,
    PreviewOut,
    PreviewsOut,
    check_out,
    preview_out,
)

JSON, SVG, PNG = "application/json", "image/svg+xml", "image/png"
PICTURES: dict[str, Any] = {
    SVG: {"schema": {"type": "string"}},
    PNG: {"schema": {"type": "string", "format": "binary"}},
}

router = APIRouter(prefix="/v1", tags=["schedules"], route_class=StrictRoute, responses=REFUSALS)


@router.get("/families")
async def list_families() -> FamiliesOut:
    """List all that a recipe may be made of, each with its formula, its source, its ranges and its JSON Schema."""
    return describe_all()


@router.post(
    "/schedules/preview",
    response_model=PreviewOut | PreviewsOut,
    responses={200: {"description": "The curve, or the curves, as Accept asks.", "content": PICTURES}},
)
def preview(body: Annotated[PreviewBody, Body(openapi_examples=PREVIEW_EXAMPLES)], request: Request) -> Response:
    """Draw schedules and recipes: points as JSON, or a picture with `Accept: image/svg+xml` or `image/png`.

    `schedule` or `recipe` shows one; `schedules` shows up to 20 in one picture.
    """
    chart = chart_of(body)
    headers = {"Vary": "Accept"}
    match preferred(request.headers.get("accept", ""), (JSON, SVG, PNG)):
        case "image/svg+xml":
            return Response(draw(chart, body.theme), media_type=SVG, headers=headers)
        case "image/png":
            return Response(png(draw(chart, body.theme), body.zoom), media_type=PNG, headers=headers)
        case _:
            drawn = [preview_out(curve, body.horizon, body.limit) for curve in chart.curves]
            answer = drawn[0] if body.schedules is None else PreviewsOut(horizon=body.horizon, schedules=drawn)
            return JSONResponse(answer.model_dump(mode="json"), headers=headers)


@router.post("/recipes/check")
def check_recipe(body: Annotated[CheckBody, Body(openapi_examples=CHECK_EXAMPLES)]) -> CheckOut:
    """Say whether a recipe can be trained for so many updates, what is doubtful about it, and on what evidence."""
    return check_out(body)


def chart_of(body: PreviewBody) -> Chart:
    """Return what is to be drawn.

    Raises:
        Unsuitable: the run is too short for a schedule, the parts of a recipe do not go together, or some curves have
            a peak rate and some have none.
    """
    curves = body.curves
    for number, curve in enumerate(curves):
        try:
            curve.what.check(body.horizon)
        except ValueError as error:
            where: tuple[str | int, ...] = ("horizon",) if body.schedules is None else ("schedules", number)
            raise Unsuitable(str(error), where=where, value=body.horizon) from error
    try:
        return Chart(curves, body.horizon, body.rate_axis, body.updates_per_epoch, body.title)
    except ValueError as error:
        raise Unsuitable(str(error), where=("schedules",)) from error


def refuse_too_short(schedule: Schedule, horizon: int, where: tuple[str, ...]) -> None:
    """Refuse a run that is too short for its schedule.

    Raises:
        Unsuitable: it is.
    """
    try:
        schedule.check(horizon)
    except ValueError as error:
        raise Unsuitable(str(error), where=where, value=horizon) from error
