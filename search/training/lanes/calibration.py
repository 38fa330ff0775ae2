"""How many lanes pay: measured for a task on a device, and remembered with what it was measured for."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import torch

from schedules import AdamW, Cosine, Recipe
from search.protocol import Assignment, Fence, Point
from search.tasks.base import Task
from search.training.data import Datasets, batch_size
from search.training.failures import is_out_of_memory
from search.training.lanes.array import LaneArray
from search.training.lanes.driver import HowMany
from search.training.lanes.layout import Layout
from search.training.lanes.why import why_alone
from search.training.loop import Stop, train

MOST_LANES: Final = 256
MOST_BYTES: Final = 1 << 30
"""Of weights, moments and gradients on a CPU, where memory that runs out ends the process."""

_ROWS: Final = 7
"""Rows of a lane at most: weights, gradients, scratch, an average and three moments."""

_PAYS: Final = 1.05
"""What lanes must gain over one trial at a time to be used at all."""

_AS_FAST: Final = 0.9
"""Of the numbers of lanes about as fast as the fastest the smallest is taken: a search learns sooner."""

_WARM_UPDATES: Final = 5
_HORIZON: Final = 50_000

_MOST_POINTS: Final = 16
"""No further number of lanes is measured once this took as long as so many should."""

log = logging.getLogger(__name__)

Curve = dict[int, float]
"""Lane-updates per second by number of lanes; 1 is one trial at a time without lanes."""


def how_many_of(lanes: int | None, data_dir: Path | None) -> HowMany:
    """Return how many lanes a worker gives to a task: so many if the task has lanes at all, or as many as are fastest.

    Args:
        data_dir: directory in which it is remembered what was measured; nowhere when None.
    """
    if lanes is None:
        return Calibration(None if data_dir is None else data_dir / "lanes.json", seconds=0.15)
    return Fixed(lanes)


class Fixed:
    """So many lanes for every task that has lanes at all."""

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._why_alone: dict[str, str | None] = {}

    def __call__(self, task: Task, options: dict[str, Any], datasets: Datasets) -> int:
        """The number of lanes for a task, 1 where its trials have to be trained alone."""
        if self._lanes == 1:
            return 1
        key = json.dumps([task.info.name, options], sort_keys=True)
        if key not in self._why_alone:
            self._why_alone[key] = why_alone(task, options, datasets)
            _say_why_alone(task, self._why_alone[key])
        return self._lanes if self._why_alone[key] is None else 1


class Calibration:
    """Measures how many lanes are fastest, once for each task, options, device and version of torch.

    Args:
        file: where what was measured is kept; nowhere when None.
        seconds: time spent on each number of lanes.
    """

    def __init__(self, file: Path | None, *, seconds: float = 0.5) -> None:
        self._file = file
        self._seconds = seconds

    def __call__(self, task: Task, options: dict[str, Any], datasets: Datasets) -> int:
        """The number of lanes for a task, 1 where its trials are better trained alone."""
        held = _holds_for(task, options, datasets.device)
        key = hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()[:16]
        known = self._read()
        if key not in known:
            log.info("measuring how many trials of task %s are fastest at once", task.info.name)
            why = why_alone(task, options, datasets)
            curve = {} if why is not None else curve_of(task, options, datasets, self._seconds)
            lanes = fastest(curve) if curve else 1
            _say_why_alone(task, why)
            measured = ", ".join(f"{n_lanes}: {found:,.0f}" for n_lanes, found in curve.items())
            log.info("task %s has %d lanes; updates per second by lanes: %s", task.info.name, lanes, measured)
            known[key] = {"lanes": lanes, "why_alone": why, "updates_per_second": curve, "holds_for": held}
            self._write(known)
        return int(known[key]["lanes"])

    def _read(self) -> dict[str, Any]:
        if self._file is None or not self._file.exists():
            return {}
        try:
            found = json.loads(self._file.read_text())
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, known: dict[str, Any]) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        new.write_text(json.dumps(known, indent=1, sort_keys=True))
        new.replace(self._file)


def _say_why_alone(task: Task, why: str | None) -> None:
    if why is not None:
        log.info("task %s is trained one trial at a time: %s", task.info.name, why)


def curve_of(task: Task, options: dict[str, Any], datasets: Datasets, seconds: float) -> Curve:
    """Measure with 1, 2, 4, … lanes, as far as memory and time reach, until twice in a row nothing is gained."""
    curve = {1: _alone(task, options, datasets, seconds)}
    give_up_at = time.perf_counter() + _MOST_POINTS * seconds
    n_lanes, n_slower = 2, 0
    while n_lanes <= _most(task, options, datasets.device) and n_slower < 2 and time.perf_counter() < give_up_at:
        try:
            found = _in_lanes(task, options, datasets, n_lanes, seconds)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return curve
        n_slower = 0 if found > max(curve.values()) else n_slower + 1
        curve[n_lanes] = found
        n_lanes *= 2
    return curve


def fastest(curve: Curve) -> int:
    """Return the number of lanes to use, by a curve that was measured."""
    best = max(curve.values())
    if best < _PAYS * curve[1]:
        return 1
    return min(n_lanes for n_lanes, found in curve.items() if found >= _AS_FAST * best)


def _alone(task: Task, options: dict[str, Any], datasets: Datasets, seconds: float) -> float:
    stopwatch = _Stopwatch(seconds)
    train(task, _trial(task, options, datasets, 0), stopwatch, datasets)
    return stopwatch.updates_per_second


def _in_lanes(task: Task, options: dict[str, Any], datasets: Datasets, n_lanes: int, seconds: float) -> float:
    array = LaneArray(task, options, datasets, n_lanes)
    stopwatch = _Stopwatch(seconds)
    for number in range(n_lanes):
        array.admit(_trial(task, options, datasets, number), stopwatch if number == 0 else _Silent())
    while stopwatch.goes_on and array.n_live == n_lanes:
        array.step()
    return n_lanes * stopwatch.updates_per_second


def _trial(task: Task, options: dict[str, Any], datasets: Datasets, number: int) -> Assignment:
    updates = len(datasets.get(task, options).train) // batch_size(task, options)
    rate = AdamW.ranges["peak_lr"].low
    return Assignment(
        fence=Fence(study="calibration", trial=number, attempt=1, lease="none"),
        task=task.info.name,
        task_options=options,
        recipe=Recipe(optimizer=AdamW(), peak_lr=rate, schedule=Cosine()),
        horizon=_HORIZON,
        updates_per_epoch=updates,
        evaluate_every=updates,
        metric=task.info.objective,
        seed=number,
        lease_seconds=60,
    )


class _Silent:
    """Lets a run go on."""

    def tick(self, update: int) -> Stop | None:
        return None

    def evaluated(self, point: Point) -> Stop | None:
        return None


class _Stopwatch:
    """Times a run in three parts and ends it; the fastest part counts, since other processes can only slow one down."""

    def __init__(self, seconds: float) -> None:
        self.updates_per_second = 0.0
        self._parts = _parts(seconds / 3, self._take)
        next(self._parts)
        self.goes_on = True

    def tick(self, update: int) -> Stop | None:
        if update >= _WARM_UPDATES and self.goes_on:
            self.goes_on = next(self._parts, None) is not None
        return None if self.goes_on else "drop"

    def evaluated(self, point: Point) -> Stop | None:
        return None

    def _take(self, found: float) -> None:
        self.updates_per_second = max(self.updates_per_second, found)


def _parts(seconds: float, take: Callable[[float], None]) -> Iterator[bool]:
    """Each asking but the first is an update; ends after three parts of at least so many seconds."""
    yield True
    for _ in range(3):
        started, n_updates = time.perf_counter(), 0
        yield True
        n_updates += 1
        while (passed := time.perf_counter() - started) < seconds:
            yield True
            n_updates += 1
        take(n_updates / passed)


def _most(task: Task, options: dict[str, Any], device: torch.device) -> int:
    """As many lanes as a CPU's memory surely holds; elsewhere memory that runs out is an error that is caught."""
    if device.type != "cpu":
        return MOST_LANES
    layout = Layout(task.model(dict(options)))
    return min(MOST_LANES, MOST_BYTES // (_ROWS * layout.width * layout.dtype.itemsize))


def _holds_for(task: Task, options: dict[str, Any], device: torch.device) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return {
        "task": task.info.name,
        "options": options,
        "batch_size": batch_size(task, options),
        "device": name,
        "torch": torch.__version__,
    }
