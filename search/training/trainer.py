"""Whatever a trial does, it ends in a value: an outcome, the time it took, and whether the process survived it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from search.logs import listening
from search.protocol import Assignment, Failed, Outcome
from search.tasks import registry
from search.tasks.base import Task
from search.training.data import Datasets
from search.training.failures import failure, is_of_the_device, is_out_of_memory
from search.training.loop import Monitor, Weights, options_of, train
from search.training.weights import packed


@dataclass(frozen=True)
class Ended:
    """How an attempt ended here.

    Attributes:
        outcome: None when the monitor said to drop it.
        seconds: wall-clock time of the training, the data's loading included.
        process_broken: the device failed, and this process must not be used again.
        log: tail of what the training printed and logged; a failure's traceback is with the outcome.
        weights: writes the weights of a run that reached its horizon as a file, while they are wanted.
        data_sha256: of the data that it was trained on; None for a failure.
    """

    outcome: Outcome | None
    seconds: float
    process_broken: bool = False
    log: str = ""
    weights: Callable[[], bytes] | None = None
    data_sha256: str | None = None


class Trainer:
    """Trains one trial after the other on one device, and keeps tasks and their data in between.

    Args:
        datasets: data that is on the device already, shared with another trainer.
    """

    def __init__(
        self, device: torch.device, load: Callable[[str], Task] = registry.load, datasets: Datasets | None = None
    ) -> None:
        self._datasets = Datasets(device) if datasets is None else datasets
        self._load = load
        self._tasks: dict[str, Task] = {}

    def __call__(self, assignment: Assignment, monitor: Monitor) -> Ended:
        """Train a trial; whatever the task raises becomes a failure."""
        started = time.perf_counter()
        kept: list[Weights] = []
        broken = False
        data_sha256: str | None = None
        with listening() as said:
            try:
                task = self._task(assignment.task)
                outcome = train(task, assignment, monitor, self._datasets, keep=kept.append)
                data_sha256 = self._datasets.sha256(task, options_of(task, assignment))
            except (Exception, SystemExit) as error:  # noqa: BLE001  a task is a stranger's program: it may raise anything
                outcome, broken = self._explain(error, assignment, said.text()), is_of_the_device(error)
        weights = partial(_pack, kept[0], assignment) if kept else None
        return Ended(outcome, time.perf_counter() - started, broken, said.text(), weights, data_sha256)

    def _task(self, name: str) -> Task:
        if name not in self._tasks:
            self._tasks[name] = self._load(name)
        return self._tasks[name]

    def _explain(self, error: Exception | SystemExit, assignment: Assignment, said: str) -> Failed:
        if is_out_of_memory(error):
            self._datasets.clear()
            if self._datasets.device.type == "cuda":
                torch.cuda.empty_cache()
        return failure(error, assignment.task, said)


def _pack(weights: Weights, assignment: Assignment) -> bytes:
    return packed(weights(), assignment)
