"""Runs of a task as a worker makes them, for as long as the doctor has time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import torch

from schedules import AdamW, Constant, Recipe
from search.protocol import Assignment, Completed, Diverged, Fence, Point
from search.tasks.base import Task
from search.training.data import Datasets
from search.training.loop import Stop, train

_CONSTANTS: Final = {name: each.default for name, each in AdamW.ranges.items()}

RECIPE: Final = Recipe(
    optimizer=AdamW.build(weight_decay=_CONSTANTS["weight_decay"], momentum=_CONSTANTS.get("momentum")),
    peak_lr=_CONSTANTS["peak_lr"],
    schedule=Constant(),
)
"""AdamW at a constant rate, with the constants that a search begins with."""

LONGEST: Final = 10**9
WARM_UP_UPDATES: Final = 5
"""The first ones allocate memory and choose algorithms."""


@dataclass(frozen=True)
class Pace:
    """How fast a run was.

    Attributes:
        updates: made in ``seconds``; the first few are left out.
        diverged: where the run ended by itself, because its loss was not finite any more.
    """

    updates: int
    seconds: float
    diverged: Diverged | None


class _Clock:
    """Ends a run so many seconds after its first update."""

    def __init__(self, device: torch.device, seconds: float) -> None:
        self._device = device
        self._seconds = seconds
        self._due_at = 0.0
        self._first = 0
        self._began = 0.0
        self.made = 0
        self.took = 0.0

    def tick(self, update: int) -> Stop | None:
        if update == 1:
            self._due_at = time.perf_counter() + self._seconds
        if update in (1, WARM_UP_UPDATES):
            self._first, self._began = update, self._now()
        if update == self._first or time.perf_counter() < self._due_at:
            return None
        self.made, self.took = update - self._first, self._now() - self._began
        return "drop"

    def evaluated(self, point: Point) -> Stop | None:
        return None

    def _now(self) -> float:
        """The time when the device has done all that it was given."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


class _Listener:
    """Keeps the last figures of a run."""

    def __init__(self) -> None:
        self.figures: dict[str, float | None] = {}

    def tick(self, update: int) -> Stop | None:
        return None

    def evaluated(self, point: Point) -> Stop | None:
        self.figures |= point.metrics
        return None


def pace(task: Task, options: dict[str, Any], datasets: Datasets, seconds: float) -> Pace:
    """Train for some seconds without any evaluation."""
    clock = _Clock(datasets.device, seconds)
    outcome = train(task, _assignment(task, options, LONGEST), clock, datasets)
    return Pace(clock.made, clock.took, outcome if isinstance(outcome, Diverged) else None)


def twice(
    task: Task, options: dict[str, Any], datasets: Datasets, n_updates: int
) -> tuple[dict[str, float | str | None], dict[str, float | str | None]]:
    """Make the same run twice; every figure that each of them ended with."""
    first, second = (_figures(task, options, datasets, n_updates) for _ in range(2))
    return first, second


def _figures(task: Task, options: dict[str, Any], datasets: Datasets, n_updates: int) -> dict[str, float | str | None]:
    listener = _Listener()
    outcome = train(task, _assignment(task, options, n_updates), listener, datasets)
    figures: dict[str, float | str | None] = {**listener.figures}
    match outcome:
        case Completed(test_metrics=metrics):
            return figures | dict(metrics)
        case Diverged(update=update):
            return figures | {"ended": f"diverged at update {update}"}
        case _:
            return figures


def _assignment(task: Task, options: dict[str, Any], horizon: int) -> Assignment:
    return Assignment(
        fence=Fence(study="doctor", trial=0, attempt=1, lease="doctor"),
        task=task.info.name,
        task_options=options,
        recipe=RECIPE,
        horizon=horizon,
        updates_per_epoch=task.info.updates_in_epoch(options),
        evaluate_every=horizon,
        metric=task.info.objective,
        seed=0,
        lease_seconds=60,
    )
