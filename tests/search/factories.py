"""Small builders of studies, trials and requests: each argument left out takes a plain value."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from schedules import Constant, Recipe, Schedule, Sgd
from search.planning import make_plan
from search.study import Plan, Study, StudyRequest, StudyState, Trial, TrialState
from search.tasks.info import Option, TaskInfo

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""When everything here begins."""

TASK = TaskInfo(
    name="toy",
    metrics={"val_loss": "minimize", "val_accuracy": "maximize"},
    updates_per_epoch=10,
    default_epochs=10,
    options={
        "width": Option(type="integer", default=8, low=1, high=64),
        "noise": Option(type="number", default=0.5, low=0, high=1),
        "shape": Option(type="string", default="ring", choices=("ring", "moon")),
        "shuffled": Option(type="boolean", default=True),
    },
)
"""A task of 10 epochs of 10 updates, never trained."""


def a_request(**fields: Any) -> StudyRequest:
    """Build a request of a study named ``first`` on the toy task."""
    return StudyRequest.model_validate({"name": "first", "task": TASK.name, **fields})


def a_plan(**fields: Any) -> Plan:
    """Build the plan of a request with these fields."""
    return make_plan(a_request(**fields), TASK)


def a_study(*, state: StudyState = StudyState.QUEUED, **fields: Any) -> Study:
    """Build a study whose request has these fields."""
    request = a_request(**fields)
    return Study(
        id=1,
        optuna_id=1,
        project="default",
        name="first",
        request=request,
        plan=make_plan(request, TASK),
        state=state,
        created_at=NOON,
    )


def a_recipe(schedule: Schedule | None = None, *, peak_lr: float = 0.1) -> Recipe:
    """Build a recipe of SGD with momentum 0.9, at a constant rate unless a schedule is given."""
    return Recipe.model_validate({"optimizer": Sgd(), "peak_lr": peak_lr, "schedule": schedule or Constant()})


def a_trial(number: int = 0, state: TrialState = TrialState.RUNNING, **fields: Any) -> Trial:
    """Build a trial; what its state would bring with it (lease, times, values) is given by the caller."""
    return Trial(
        **{"number": number, "state": state, "recipe": a_recipe(), "seed": number, "created_at": NOON, **fields}
    )


def rivals_at(rung: int, values: Iterable[float], **fields: Any) -> list[Trial]:
    """Build trials 1, 2, … that had these values at one rung."""
    return [a_trial(number, at_rungs={rung: value}, **fields) for number, value in enumerate(values, start=1)]
