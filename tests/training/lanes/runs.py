"""Trials in lanes, fed one after the other, and what came of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from schedules import OPTIMIZERS, Constant, Cosine, Recipe, Schedule, Warmup
from search.protocol import Assignment, Fence, Outcome
from search.tasks.base import Task
from search.training.data import Datasets
from search.training.lanes.array import LaneArray
from search.training.loop import Monitor, train
from tests.training.toys import Watcher, a_recipe, an_assignment, datasets

Seen = tuple[Watcher, Outcome | None]

CONSTANTS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    "adagrad": {"initial_accumulator": 0.1, "weight_decay": 0.01},
    "rmsprop": {"alpha": 0.9, "momentum": 0.5, "centered": True, "weight_decay": 0.01},
    "adam": {"beta1": 0.8, "weight_decay": 0.01},
    "adamw": {"beta1": 0.8, "weight_decay": 0.1},
    "nadam": {"beta1": 0.8, "decoupled": True, "momentum_decay": 0.01, "weight_decay": 0.1},
    "adamax": {"beta2": 0.99, "weight_decay": 0.01},
    "lion": {"beta1": 0.8, "weight_decay": 0.1},
    "muon": {"momentum": 0.9, "weight_decay": 0.05},
    "schedule_free_sgd": {"momentum": 0.8, "weight_decay": 0.01},
    "schedule_free_adamw": {"beta1": 0.95, "weight_decay": 0.1},
}
"""Constants of each optimizer that none of its defaults hide."""


def recipe_of(kind: str, schedule: Schedule | None = None, *, peak_lr: float = 0.01) -> Recipe:
    """Build a recipe of an optimizer with a warm-up."""
    then = Constant() if OPTIMIZERS[kind].is_schedule_free or schedule is None else schedule
    warmup = Warmup.model_validate({"fraction": 0.2, "then": then})
    return a_recipe(warmup, peak_lr=peak_lr, kind=kind, **CONSTANTS[kind])


def numbered(number: int, recipe: Recipe, **fields: Any) -> Assignment:
    """Build the assignment of one trial of several."""
    fence = Fence(study="first", trial=number, attempt=1, lease="token")
    return an_assignment(recipe, **{"fence": fence, "task_options": {"slope": 2.0}, **fields})


def an_array(task: Task, n_lanes: int, data: Datasets | None = None) -> LaneArray:
    return LaneArray(task, dict(task.info.complete({})), data or datasets(), n_lanes)


def in_lanes(
    task: Task, assignments: Iterable[Assignment], n_lanes: int, *, watchers: dict[int, Watcher] | None = None
) -> dict[int, Seen]:
    """Train all, each as soon as there is a lane; what came of each, by number of the trial."""
    array, waiting = an_array(task, n_lanes), deque(assignments)
    monitors: dict[int, Watcher] = dict(watchers or {})
    seen: dict[int, Seen] = {}
    while waiting or array.n_live:
        while waiting and array.n_free:
            assignment = waiting.popleft()
            array.admit(assignment, monitors.setdefault(assignment.fence.trial, Watcher()))
        for finished in array.step():
            number = finished.assignment.fence.trial
            seen[number] = monitors[number], finished.ended.outcome
    return seen


def alone(task: Task, assignment: Assignment, monitor: Monitor | None = None) -> Seen:
    """Train one trial by itself."""
    watcher = Watcher()
    return watcher, train(task, assignment, monitor or watcher, datasets())


def many_recipes() -> list[Recipe]:
    """Return a recipe of every optimizer, each with a schedule of its own."""
    return [recipe_of(kind, Cosine(final_ratio=0.1 * number / 11)) for number, kind in enumerate(CONSTANTS)]
