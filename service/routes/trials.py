"""Trials of a study, and the answers drawn from them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from schedules.export import MEDIA_TYPES, NotPossible, Target, export, torch_snippet
from search.errors import NotFound, Unsuitable
from search.study import Study, Trial, TrialState
from service import schemas
from service.routes.examples import ENQUEUE_EXAMPLES
from service.routes.parts import (
    CONFLICT,
    NOT_FOUND,
    REFUSALS,
    Cursor,
    Limit,
    NamedStudy,
    Project,
    Service,
    StrictRoute,
    StudyName,
    TrialNumber,
)
from service.routes.schedules import refuse_too_short
from service.schemas import BestOut, CurveOut, EnqueueBody, LeaderboardOut, PageOut, TrialDetailOut, TrialOut

router = APIRouter(prefix="/v1/studies/{name}", route_class=StrictRoute, responses=REFUSALS | NOT_FOUND)


@router.get("/trials", tags=["trials"])
def list_trials(
    study: NamedStudy,
    service: Service,
    state: Annotated[TrialState | None, Query(description="Only trials in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageOut[TrialOut]:
    """List the study's trials by rising number."""
    page = service.store.trials(study.id, state=state, cursor=cursor, limit=limit)
    weights = service.store.weights(study.id, [trial.number for trial in page.items])
    return PageOut[TrialOut].model_construct(
        items=[schemas.trial_out(study, trial, weights) for trial in page.items], next_cursor=page.next_cursor
    )


@router.post("/trials", tags=["trials"], status_code=201, responses=CONFLICT)
def enqueue_trial(
    body: Annotated[EnqueueBody, Body(openapi_examples=ENQUEUE_EXAMPLES)],
    study: NamedStudy,
    response: Response,
    service: Service,
    name: StudyName,
    project: Project = "default",
) -> TrialOut:
    """Run a recipe of one's own as the study's next trial. It counts against the budget; the sampler is not told."""
    refuse_too_short(body.recipe.schedule, study.plan.shortest_run, ("recipe", "schedule"))
    trial = service.ensemble.enqueue_trial(project, name, body.recipe)
    suffix = "" if project == "default" else f"?project={project}"
    response.headers["Location"] = f"/v1/studies/{name}/trials/{trial.number}{suffix}"
    return schemas.trial_out(study, trial, weights={})


@router.get("/trials/{number}", tags=["trials"])
def get_trial(study: NamedStudy, number: TrialNumber, service: Service) -> TrialDetailOut:
    """Show a trial with its parameters, its attempts and, when it failed, the whole traceback."""
    trial = service.store.trial(study.id, number)
    weights = service.store.weights(study.id, [number])
    return schemas.trial_detail(study, trial, service.store.attempts(study.id, number), weights)


@router.get("/trials/{number}/curve", tags=["trials"])
def get_curve(
    study: NamedStudy,
    number: TrialNumber,
    service: Service,
    attempt: Annotated[
        int | None, Query(ge=1, le=10_000, description="The newest with points, when not given.")
    ] = None,
) -> CurveOut:
    """Every evaluation of a trial's attempt."""
    trial = service.store.trial(study.id, number)
    if attempt is not None and attempt > trial.attempt:
        raise NotFound(f"trial {number} of study {study.name} has {trial.attempt} attempts, so no attempt {attempt}")
    shown = attempt or service.store.newest_with_points(study.id, number) or trial.attempt
    points = service.store.curve(study.id, number, shown)
    return CurveOut.model_construct(
        study=study.name, trial=number, attempt=shown, metric=study.plan.metric, points=points
    )


@router.get("/leaderboard", tags=["answers"])
def get_leaderboard(study: NamedStudy, service: Service, limit: Limit = 20) -> LeaderboardOut:
    """The completed trials, best value first."""
    best = service.store.leaderboard(study.id, limit=limit)
    return schemas.leaderboard_out(study, best, service.store.weights(study.id, [trial.number for trial in best]))


@router.get(
    "/best",
    tags=["answers"],
    response_model=BestOut,
    responses={200: {"description": "The best recipe.", "content": {"text/x-python": {"schema": {"type": "string"}}}}},
)
def get_best(
    study: NamedStudy,
    service: Service,
    to: Annotated[Literal["json", "torch"], Query(description="As JSON, or as a program for torch.")] = "json",
) -> Response:
    """The best recipe found so far."""
    best, value = _best(study, service)
    if to == "torch":
        return PlainTextResponse(torch_snippet(best.recipe, study.plan.horizon), media_type="text/x-python")
    weights = service.store.weights(study.id, [best.number])
    return JSONResponse(schemas.best_out(study, best, value, weights).model_dump(mode="json"))


@router.get(
    "/best/export",
    tags=["answers"],
    response_class=PlainTextResponse,
    responses={
        200: {
            "description": "The best recipe, written for what was asked for.",
            "content": {media: {"schema": {"type": "string"}} for media in sorted(set(MEDIA_TYPES.values()))},
        }
    },
)
def export_best(
    study: NamedStudy,
    service: Service,
    to: Annotated[Target, Query(description="The library that it is for, or JSON, or the curve as CSV.")] = "torch",
) -> Response:
    """The best recipe found so far as code without any dependency on this service, as JSON, or as a curve."""
    best, _ = _best(study, service)
    try:
        text = export(best.recipe, study.plan.horizon, to, updates_per_epoch=study.plan.updates_per_epoch)
    except NotPossible as error:
        raise Unsuitable(f"the best recipe cannot be written for {to}: {error}", where=("to",), value=to) from error
    return PlainTextResponse(text, media_type=MEDIA_TYPES[to])


def _best(study: Study, service: Service) -> tuple[Trial, float]:
    board = service.store.leaderboard(study.id, limit=1)
    if not board or board[0].value is None:
        raise NotFound(f"study {study.name} has no completed trial yet, so it has no best recipe")
    return board[0], board[0].value
