"""Trials from a feed into lanes, and their ends out again, whatever happens on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

import torch

from search.protocol import Assignment, Point
from search.tasks import registry
from search.tasks.base import Task
from search.training.data import Datasets
from search.training.failures import failure, is_of_the_device, is_out_of_memory
from search.training.lanes.array import LaneArray
from search.training.loop import Monitor, Stop, options_of
from search.training.trainer import Ended, Trainer


@dataclass(frozen=True)
class Fed:
    """A trial to train, and who watches it."""

    assignment: Assignment
    monitor: Monitor


Feed = Callable[[int], Fed | None]
"""The next trial, when so many lanes are free; None when there is none now. It is asked before each update."""

Report = Callable[[Assignment, Ended], None]
"""Told how each attempt ended, at once; one that did not fit beside the others is given back without an outcome."""

HowMany = Callable[[Task, dict[str, Any], Datasets], int]
"""How many lanes a task has with these options; 1 has its trials trained alone, one after the other."""


class LaneTrainer:
    """Trains what a feed brings, in as many lanes as pay, on one device.

    A trial that does not fit the lanes under way is given back: the feed should bring it again when they are empty.
    When memory runs out there are half as many lanes, and the trials under way begin again; a failure that belongs to
    no single trial has each of them trained alone. In either case a trial starts from its beginning, and what its
    monitor has been told it is not told twice.
    """

    def __init__(self, device: torch.device, how_many: HowMany, load: Callable[[str], Task] = registry.load) -> None:
        self._datasets = Datasets(device)
        self._how_many = how_many
        self._tasks: dict[str, Task] = {}
        self._load = load
        self._alone = Trainer(device, self._task, self._datasets)
        self._waiting: deque[Fed] = deque()

    def train_lanes(self, feed: Feed, report: Report) -> None:
        """Train until the feed has nothing and every lane is empty."""
        while (fed := self._next(feed)) is not None:
            n_lanes = self._lanes_for(fed, report)
            if n_lanes > 1:
                self._waiting.appendleft(fed)
                self._train_array(fed, n_lanes, feed, report)
            elif n_lanes == 1:
                report(fed.assignment, self._alone(fed.assignment, fed.monitor))

    def _next(self, feed: Feed, n_free: int = 1) -> Fed | None:
        return self._waiting.popleft() if self._waiting else feed(n_free)

    def _lanes_for(self, fed: Fed, report: Report) -> int:
        """How many lanes a trial's task has; 0 when the trial has already failed."""
        try:
            task, options = self._understood(fed.assignment)
            return 1 if fed.assignment.runs else self._how_many(task, options, self._datasets)
        except (Exception, SystemExit) as error:  # noqa: BLE001  a task is a stranger's program: it may raise anything
            report(fed.assignment, _failed(error, fed.assignment))
            return 0

    def _train_array(self, first: Fed, n_lanes: int, feed: Feed, report: Report) -> None:
        """Train in one array, until it is empty and what comes next does not fit."""
        task, options = self._understood(first.assignment)
        array = None
        try:
            array = LaneArray(task, options, self._datasets, n_lanes)
            while self._fill(array, feed, report):
                for finished in array.step():
                    report(finished.assignment, finished.ended)
        except (Exception, SystemExit) as error:  # noqa: BLE001  a task is a stranger's program: it may raise anything
            for finished in [] if array is None else array.take_finished():
                report(finished.assignment, finished.ended)
            self._recover(error, [] if array is None else _again(array), n_lanes, (first, feed, report))

    def _fill(self, array: LaneArray, feed: Feed, report: Report) -> bool:
        """Give the free lanes to those that fit; whether any lane is live."""
        while array.n_free and (fed := self._next(feed, array.n_free)) is not None:
            if not array.fits(fed.assignment):
                report(fed.assignment, Ended(None, 0.0))
                continue
            try:
                array.admit(fed.assignment, fed.monitor)
            except Exception as error:
                if is_out_of_memory(error) or is_of_the_device(error):
                    self._waiting.appendleft(fed)
                    raise
                report(fed.assignment, _failed(error, fed.assignment))
        return array.n_live > 0

    def _recover(self, error: BaseException, again: list[Fed], n_lanes: int, whole: tuple[Fed, Feed, Report]) -> None:
        first, feed, report = whole
        again = again or [self._waiting.popleft()]  # what failed was to get the first of them a lane
        if is_of_the_device(error):
            for fed in again:
                report(fed.assignment, _failed(error, fed.assignment, process_broken=True))
            return
        if is_out_of_memory(error) and n_lanes > 2:
            if self._datasets.device.type == "cuda":
                torch.cuda.empty_cache()
            self._waiting.extendleft(reversed(again))
            self._train_array(first, n_lanes // 2, feed, report)
            return
        for fed in again:
            report(fed.assignment, self._alone(fed.assignment, fed.monitor))

    def _understood(self, assignment: Assignment) -> tuple[Task, dict[str, Any]]:
        task = self._task(assignment.task)
        return task, options_of(task, assignment)

    def _task(self, name: str) -> Task:
        if name not in self._tasks:
            self._tasks[name] = self._load(name)
        return self._tasks[name]


class _Retold:
    """Watches a run that begins again: points that its monitor has been told already are kept from it."""

    def __init__(self, monitor: Monitor, told: int) -> None:
        self._monitor = monitor
        self._told = told

    def tick(self, update: int) -> Stop | None:
        return self._monitor.tick(max(update, self._told))

    def evaluated(self, point: Point) -> Stop | Event | None:
        return self._monitor.evaluated(point) if point.update > self._told else self.tick(point.update)


def _again(array: LaneArray) -> list[Fed]:
    return [Fed(assignment, _Retold(monitor, told)) for assignment, monitor, told in array.live()]


def _failed(error: BaseException, assignment: Assignment, *, process_broken: bool = False) -> Ended:
    return Ended(failure(error, assignment.task), 0.0, process_broken)
