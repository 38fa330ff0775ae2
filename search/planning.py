"""From a study request and what is known of its task to a plan with nothing left open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from schedules import FAMILIES
from search.errors import Unsuitable
from search.rungs import Run, plan_path
from search.sampling.checks import check_sampler
from search.space import Space, build_averaging
from search.study import Direction, Plan, StudyRequest
from search.tasks.info import Option, TaskInfo

LONGEST_STALL_SECONDS = 7 * 24 * 3600.0
"""A study may let its trials stand still for so long at most: beyond that, times cannot be reckoned with."""

EXTERNAL = TaskInfo(
    name="external",
    description="Trained by the user's own program through the work protocol.",
    metrics={"val_loss": "minimize"},
    updates_per_epoch=1,
    options={
        "horizon": Option(type="integer", default=1000, low=1, high=1e9, description="updates of a run; to be given"),
        "evaluations": Option(type="integer", default=20, low=1, high=1e6, description="evaluations in a run"),
    },
)
"""The task without training here. Beside its options it takes ``metrics``: each name with its direction."""


class _ExternalOptions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    horizon: Annotated[int, Field(strict=True, ge=1, le=10**9)]
    evaluations: Annotated[int, Field(strict=True, ge=1, le=10**6)] = 20
    metrics: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=64)], Direction], Field(min_length=1, max_length=50)
    ] = {"val_loss": "minimize"}


def make_plan(request: StudyRequest, info: TaskInfo) -> Plan:
    """Fill in every default of a request and check the whole against its task.

    Raises:
        Unsuitable: an option or metric that the task does not have or take, a batch larger than what there is to
            train on, a direction against the task's, a run too short for a family of the space, a pruner that does
            not take a field or has no place to compare trials, a sampler that cannot do what is asked of it, or a
            time to stand still that is too long.
    """
    if info.name == EXTERNAL.name:
        return _external_plan(request)
    options = _complete_options(info, request.task_options)
    epochs = info.default_epochs if request.epochs is None else request.epochs
    updates = _updates_in_epoch(info, request, options)
    run = Run(horizon=epochs * updates, every=updates)
    return _plan(request, info, options, run)


def _plan(request: StudyRequest, info: TaskInfo, options: dict[str, JsonValue], run: Run) -> Plan:
    _check_stall(request.stall_seconds)
    path = plan_path(request.pruner, run)
    shortest = min(path.runs, default=run.horizon)
    _check_horizon(request.space, shortest)
    _check_averaging(request.space, shortest)
    metric, direction = _objective(request, info)
    return Plan(
        task=info.name,
        task_options=options,
        horizon=run.horizon,
        updates_per_epoch=run.every,
        evaluate_every=run.every,
        metric=metric,
        direction=direction,
        at=request.objective.at,
        runs=path.runs,
        rungs=path.rungs,
        shown=path.shown,
        grid_points=check_sampler(request),
    )


def _external_plan(request: StudyRequest) -> Plan:
    if request.epochs is not None:
        raise Unsuitable(
            f"an external task counts in updates: give task_options.horizon, not epochs, got {request.epochs} epochs",
            where=("epochs",),
            value=request.epochs,
        )
    try:
        options = _ExternalOptions.model_validate(request.task_options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ("task_options", *first["loc"])
        message = f"{'.'.join(map(str, where))} of an external task: {first['msg']}"
        raise Unsuitable(message, where=where, value=first["input"]) from error
    every = -(-options.horizon // options.evaluations)
    metrics = options.metrics
    info = EXTERNAL.model_copy(update={"metrics": metrics, "objective": next(iter(metrics))})
    return _plan(request, info, options.model_dump(mode="json"), Run(horizon=options.horizon, every=every))


def _complete_options(info: TaskInfo, given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    for name, value in given.items():
        try:
            info.complete({name: value})
        except ValueError as error:
            raise Unsuitable(str(error), where=("task_options", name), value=value) from error
    return info.complete(given)


def _updates_in_epoch(info: TaskInfo, request: StudyRequest, options: Mapping[str, JsonValue]) -> int:
    updates = info.updates_in_epoch(options)
    if updates:
        return updates
    batch_size = options.get("batch_size", info.batch_size)
    examples = options.get("train_examples", info.train_examples)
    name = "batch_size" if "batch_size" in request.task_options else "train_examples"
    raise Unsuitable(
        f"an epoch of the task {info.name} has no update: a batch must be no larger than what there is to train on, "
        f"got a batch_size of {batch_size} and {examples} examples",
        where=("task_options", name),
        value=options.get(name),
    )


def _objective(request: StudyRequest, info: TaskInfo) -> tuple[str, Direction]:
    metric = info.objective if request.objective.metric is None else request.objective.metric
    if metric not in info.metrics:
        raise Unsuitable(
            f"the task {info.name} has no metric {metric!r}; it has: {', '.join(info.metrics)}",
            where=("objective", "metric"),
            value=metric,
        )
    own, asked = info.metrics[metric], request.objective.direction
    if asked is not None and asked != own:
        raise Unsuitable(
            f"the metric {metric!r} of the task {info.name} improves in the direction {own!r}, got {asked!r}",
            where=("objective", "direction"),
            value=asked,
        )
    return metric, own


def _check_stall(seconds: float) -> None:
    if seconds > LONGEST_STALL_SECONDS:
        raise Unsuitable(
            f"a trial may stand still for at most {LONGEST_STALL_SECONDS:g} s, 7 days, got {seconds:g} s",
            where=("stall_seconds",),
            value=seconds,
        )


def _check_horizon(space: Space, horizon: int) -> None:
    """Refuse a run in which some recipe of the space could not do what it says."""
    for number, family in enumerate(space.families):
        n_warmup = space.most_warmup(family, horizon)
        shortest = FAMILIES[family].shortest_for(space.searched(family))
        if horizon - n_warmup < shortest:
            raise Unsuitable(
                f"a run of {horizon} updates is too short for the family {family!r} in this space: it needs "
                f"{shortest} updates after the warm-up, which takes up to {n_warmup}",
                where=("space", "families", number),
                value=family,
            )


def _check_averaging(space: Space, horizon: int) -> None:
    """Refuse a run in which some averaging of the space would start too late."""
    for number, kind in enumerate(space.averaging):
        latest = build_averaging(kind, {name: own.high for name, own in space.searched_of_averaging(kind).items()})
        if latest is None:
            continue
        try:
            latest.check(horizon)
        except ValueError as error:
            raise Unsuitable(str(error), where=("space", "averaging", number), value=kind) from error
