"""K lanes on one device: every live trial makes its next update, all in the same operations."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from threading import Event
from typing import Any, Final

import torch
from torch import Tensor

from search.errors import Unsuitable
from search.protocol import Assignment, Completed, Diverged, Failed, Outcome
from search.tasks.base import Task
from search.training.data import Datasets, batch_size
from search.training.failures import failure, is_of_the_device, is_out_of_memory
from search.training.lanes.choice import gradients_of, hidden_places, judge_for
from search.training.lanes.gradients import Gradients, Stack
from search.training.lanes.group import Group
from search.training.lanes.judging import Bench
from search.training.lanes.lane import Lane, Place
from search.training.lanes.layout import Layout
from search.training.lanes.modules import prepare, seed_keys
from search.training.lanes.rules import Rule, rule_of
from search.training.lanes.starts import Starts
from search.training.lanes.storage import Storage
from search.training.lanes.why import said_alone
from search.training.loop import Monitor, Stop, check_data, check_fit, ending, options_of
from search.training.measure import finite
from search.training.trainer import Ended
from search.training.weights import packed

LISTEN_SECONDS: Final = 0.02
"""When every lane waits for a verdict, new trials and other verdicts wait for at most so long."""


@dataclass(frozen=True)
class Finished:
    """A trial that has left its lane."""

    assignment: Assignment
    ended: Ended


class LaneArray:
    """Lanes for trials of one task with one set of options.

    A trial in a lane is the same computation as the trial alone: the same initial weights, batches, rates and
    evaluations. While it waits for a verdict it stands still, and the others train on. Its numbers depend on how many
    lanes there are, since the products of a batch may round otherwise than single ones, but on none of its neighbours.

    Args:
        options: of the task, complete with defaults.

    Raises:
        Unsuitable: the task's trials are trained one at a time.
    """

    def __init__(self, task: Task, options: dict[str, Any], datasets: Datasets, n_lanes: int) -> None:
        alone = said_alone(task, options)
        if alone is not None:
            raise Unsuitable(f"task {task.info.name} has no lanes: {alone}", where=("task",), value=task.info.name)
        self._task = task
        self._options = dict(options)
        self._device = datasets.device
        self._data = datasets.get(task, self._options)
        self._sha256 = datasets.sha256(task, self._options)
        train, batch = self._data.train, batch_size(task, self._options)
        self._place = Place(len(train) // batch, batch, len(train))
        self._starts = Starts(task, self._options, self._device)
        self._template = self._starts.model(0)
        self._layout = Layout(self._template)
        self._buffers = {name: buffer.clone() for name, buffer in self._template.named_buffers()}
        self._bench = Bench(task, self._starts.model(0), self._layout, datasets, self._options)
        self._judge = judge_for(task, self._template, self._data.train, batch)
        prepare(self._template)
        n_ordered = self._place.updates_in_epoch * batch
        all_buffers = dict(self._template.named_buffers())
        self._all = Storage(n_lanes, self._layout, all_buffers, n_ordered, self._device)
        self._lanes: list[Lane | None] = [None] * n_lanes
        self._spent: dict[int, float] = {}
        self._clock = 0.0
        self._finished: list[Finished] = []
        self._within = torch.arange(batch, device=self._device)
        self._n_waiting = 0
        self._is_settled = False

    @property
    def n_free(self) -> int:
        """Lanes without a trial."""
        return self._lanes.count(None)

    @property
    def n_live(self) -> int:
        """Lanes with a trial."""
        return len(self._lanes) - self.n_free

    def live(self) -> list[tuple[Assignment, Monitor, int]]:
        """Return the trials under way, each with its monitor and the update that this was last told a point of."""
        return [(lane.assignment, lane.monitor, lane.told) for lane in self._lanes if lane is not None]

    def fits(self, assignment: Assignment) -> bool:
        """Say whether a trial can have a lane here: a single run, and task and options must be the array's."""
        if assignment.runs or assignment.task != self._task.info.name:
            return False
        try:
            return options_of(self._task, assignment) == self._options
        except Unsuitable:
            return False

    def admit(self, assignment: Assignment, monitor: Monitor) -> None:
        """Give a trial a free lane; it begins with the next step.

        Raises:
            Unsuitable: the assignment does not fit the task.
            ValueError: there is no free lane.
        """
        check_data(self._task, assignment, self._sha256)
        check_fit(self._task, assignment, self._options, self._place.n_examples, horizon=assignment.horizon)
        recipe = assignment.recipe
        rule = rule_of(recipe.optimizer, hidden_places(self._task, self._template, self._layout, recipe.optimizer.kind))
        row = self._lanes.index(None)
        self._all.provide(rule.n_slots, average=recipe.averaging is not None)
        self._all.clear(row)
        weights, buffers = self._starts.get(assignment.seed, self._layout)
        self._all.weights[row] = weights
        for name, buffer in buffers.items():
            self._all.buffers[name][row] = buffer
        seed_keys(self._all.buffers, row, assignment.seed)
        rule.start(recipe.optimizer, self._all.weights[row], [slot[row] for slot in self._all.slots])
        lane = Lane(assignment, monitor, rule, self._place)
        self._lanes[row] = lane
        self._begin_stretch(row, lane)
        self._spent[id(lane)] = self._clock
        self._is_settled = False

    @torch.no_grad()
    def step(self) -> list[Finished]:
        """Make one update of every live lane that waits for no verdict; return the trials that ended.

        Raises:
            Exception: what the task raises for all lanes together, and what the device raises. The live trials are
                then to be begun again elsewhere; those that had ended are still to be taken.
        """
        if self._n_waiting:
            self._hear()
        started = time.perf_counter()
        if not self._is_settled:
            self._settle()
        if not self._live:
            return self.take_finished()
        inputs, targets = self._batch()
        losses = self._gradients(inputs, targets)
        at = self._all.table.view(-1, self._all.table.shape[2]).index_select(0, self._here)
        self._all.losses.view(-1).index_copy_(0, self._here, losses.to(self._all.losses.dtype))
        for group in self._groups:
            group.update(at)
        self._here.add_(1)
        self._rows.add_(self._place.batch_size)
        self._after_update()
        self._clock += (time.perf_counter() - started) / len(self._live)
        return self.take_finished()

    def take_finished(self) -> list[Finished]:
        """Return the trials that ended and have not been returned yet."""
        finished, self._finished = self._finished, []
        return finished

    def _batch(self) -> tuple[Tensor, Tensor]:
        rows = self._all.orders.view(-1).take(self._rows.unsqueeze(1) + self._within)
        train, shape = self._data.train, (len(self._live), self._place.batch_size)
        inputs, targets = (part.index_select(0, rows.view(-1)) for part in (train.inputs, train.targets))
        return inputs.view(*shape, *inputs.shape[1:]), targets.view(*shape, *targets.shape[1:])

    def _after_update(self) -> None:
        has_moved = False
        for row, lane in enumerate(self._live):
            lane.done += 1
            stop = lane.monitor.tick(lane.done)
            if stop is not None:
                self._end(row, lane, ending(stop))
            elif lane.done == lane.end:
                has_moved = True
                self._look(row, lane, self._judged)
        if has_moved and self._is_settled:
            self._set_clocks()

    def _hear(self) -> None:
        """Let the lanes go on whose verdicts are there; where all wait, wait for the first of them a moment."""
        waiting = [(row, lane) for row, lane in enumerate(self._lanes) if lane is not None and lane.verdict is not None]
        if len(waiting) == self.n_live and waiting[0][1].verdict is not None:
            waiting[0][1].verdict.wait(LISTEN_SECONDS)
        for row, lane in waiting:
            if lane.verdict is not None and lane.verdict.is_set():
                self._wait(lane, None)
                self._look(row, lane, self._heard)

    def _wait(self, lane: Lane, verdict: Event | None) -> None:
        """Have a lane stand still until a verdict is there, or go on; the time between is not its own."""
        lane.verdict = verdict
        self._n_waiting += -1 if verdict is None else 1
        self._spent[id(lane)] = self._clock - self._spent[id(lane)]
        self._is_settled = False

    def _look(self, row: int, lane: Lane, judge: Callable[[int, Lane], tuple[bool, Outcome | None]]) -> None:
        """Judge a lane at the end of its stretch; what that raises is the lane's own failure."""
        try:
            is_over, outcome = judge(row, lane)
        except Exception as error:
            if is_out_of_memory(error) or is_of_the_device(error):
                raise
            is_over, outcome = True, failure(error, self._task.info.name)
        if is_over:
            self._end(row, lane, outcome)
        elif lane.verdict is None:
            self._begin_stretch(row, lane)

    def _heard(self, row: int, lane: Lane) -> tuple[bool, Outcome | None]:
        stop = lane.monitor.tick(lane.done)
        if lane.done == lane.assignment.horizon:
            self._load(row, lane)
        return self._concluded(lane, stop)

    def _judged(self, row: int, lane: Lane) -> tuple[bool, Outcome | None]:
        losses: list[float] = self._all.losses[row, : lane.done - lane.begun].tolist()
        diverged = lane.look(losses)
        if diverged is not None:
            return True, diverged
        if not lane.is_evaluated():
            return False, None
        self._load(row, lane)
        measured = self._bench.measure(self._data.validation, "val")
        point = lane.point(measured)
        if lane.is_regular():
            lane.observe(point)
        stop = lane.monitor.evaluated(point)
        if isinstance(stop, Event):
            self._wait(lane, stop)
            return False, None
        return self._concluded(lane, stop)

    def _concluded(self, lane: Lane, stop: Stop | None) -> tuple[bool, Outcome | None]:
        if stop is not None:
            return True, ending(stop)
        if not math.isfinite(lane.loss):
            return True, Diverged(update=lane.done - 1, rate=lane.rate)
        if lane.done < lane.assignment.horizon:
            return False, None
        return True, Completed(test_metrics=finite(self._bench.measure(self._data.test, "test")))

    def _load(self, row: int, lane: Lane) -> None:
        """Put what is judged of a lane on the bench."""
        optimizer, everything = lane.assignment.recipe.optimizer, self._all
        weights = everything.weights[row]
        is_another = optimizer.is_schedule_free
        if everything.average is not None and lane.demands.is_averaged(lane.done):
            weights, is_another = everything.average[row], True
        elif is_another:
            weights = lane.rule.judged(optimizer, weights, [slot[row] for slot in everything.slots])
        self._bench.load(weights, {name: everything.buffers[name][row] for name in self._buffers})
        if is_another:
            self._bench.refresh(lane.assignment.seed)

    def _end(self, row: int, lane: Lane, outcome: Outcome | None) -> None:
        self._lanes[row] = None
        self._is_settled = False
        seconds = self._clock - self._spent.pop(id(lane))
        # a run that reached its horizon has just been judged: its weights are still on the bench
        is_kept = isinstance(outcome, Completed)
        sha256 = None if isinstance(outcome, Failed) else self._sha256
        weights = partial(packed, self._bench.weights(), lane.assignment) if is_kept else None
        self._finished.append(Finished(lane.assignment, Ended(outcome, seconds, weights=weights, data_sha256=sha256)))

    def _begin_stretch(self, row: int, lane: Lane) -> None:
        order = lane.draw_epoch()
        if order is not None:
            self._all.orders[row] = order
        table = lane.begin_stretch()
        self._all.table[row, : table.shape[0], : table.shape[1]] = table

    def _settle(self) -> None:
        """Put the lanes that wait for nothing first, those of one rule side by side; bind the operations to them."""
        rules: dict[Rule, int] = {}
        for lane in self._lanes:
            if lane is not None:
                rules.setdefault(lane.rule, len(rules))
        here = [(row, lane) for row, lane in enumerate(self._lanes) if lane is not None]
        here.sort(key=lambda place: (place[1].verdict is not None, rules[place[1].rule]))
        rows = [row for row, _ in here]
        moved = [(to, row) for to, row in enumerate(rows) if to != row]
        if moved:
            self._all.move(*zip(*moved, strict=True))
        self._lanes = [*(lane for _, lane in here), *([None] * (len(self._lanes) - len(here)))]
        self._live = [lane for _, lane in here if lane.verdict is None]
        if self._live:
            self._bind()
            self._set_clocks()
        self._is_settled = True

    def _bind(self) -> None:
        n, everything = len(self._live), self._all
        buffers = {name: buffer[:n] for name, buffer in everything.buffers.items()}
        stack = Stack(self._layout, everything.weights[:n], everything.gradients[:n], buffers)
        self._gradients: Gradients = gradients_of(self._template, stack, self._judge, self._data.train)
        self._groups = []
        end = 0
        for rule, same in groupby(self._live, key=lambda lane: lane.rule):
            lanes = list(same)
            begin, end = end, end + len(lanes)
            self._groups.append(Group(rule, lanes, slice(begin, end), everything))

    def _set_clocks(self) -> None:
        stretch, n_ordered = self._all.losses.shape[1], self._all.orders.shape[1]
        epoch, batch = self._place.updates_in_epoch, self._place.batch_size
        here = [row * stretch + lane.done - lane.begun for row, lane in enumerate(self._live)]
        rows = [row * n_ordered + lane.done % epoch * batch for row, lane in enumerate(self._live)]
        self._here, self._rows = torch.tensor([here, rows], device=self._device).unbind(0)
