"""One trial in its lane: how far it is, what comes next, and what has been seen of it."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from threading import Event

import torch
from torch import Tensor

from search.errors import Unsuitable
from search.protocol import Assignment, Diverged, Point
from search.seeds import derive_seed
from search.training.lanes.demands import Demands
from search.training.lanes.rules import Memory, Rule
from search.training.loop import LOOK_UPDATES, Monitor
from search.training.measure import finite


@dataclass(frozen=True)
class Place:
    """What the array says of itself to a lane.

    Attributes:
        updates_in_epoch: batches of one epoch.
        batch_size: examples of a batch.
        n_examples: of the training data.
    """

    updates_in_epoch: int
    batch_size: int
    n_examples: int


class Lane:
    """The books of one trial. Nothing here is as long as the model.

    A lane goes in stretches: from one look at its losses, evaluation or end of an epoch to the next all that it needs
    is known beforehand.

    Attributes:
        done: updates made.
        end: updates made when the stretch ends.
        begun: updates made when the stretch began.
        told: the update of the last point; 0 before the first.
        loss: the validation loss of the last point.
        verdict: set once the verdict on the last point is there; None when the lane does not wait for one.
    """

    def __init__(self, assignment: Assignment, monitor: Monitor, rule: Rule, place: Place) -> None:
        self.assignment = assignment
        self.monitor = monitor
        self.rule = rule
        self.demands = Demands(assignment.recipe, assignment.horizon)
        self.done = self.begun = self.end = self.told = 0
        self.loss = math.nan
        self.verdict: Event | None = None
        self._place = place
        self._memory: Memory = rule.begins
        self._rates: list[float] = []
        self._seen: list[float] = []
        self._points = sorted(assignment.report_points)
        self._order = torch.Generator().manual_seed(derive_seed(assignment.seed, "order"))

    @property
    def n_columns(self) -> int:
        """Columns of the lane's table, the share of the newest weights in their average included."""
        return self._n_columns

    def begin_stretch(self) -> Tensor:
        """Go on to the next stretch; its table, `(updates, columns)`, in float64."""
        self.begun, self.end = self.done, self._next_end()
        course = self.demands.course(self.begun, self.end)
        self._rates = course.rates.tolist()
        columns, self._memory = self.rule.columns(self.assignment.recipe.optimizer, course, self._memory)
        table = torch.empty(self.end - self.begun, 1 + len(columns), dtype=torch.float64)
        numbers = table.numpy()
        numbers[:, 0] = self.demands.shares(self.begun, self.end)
        for number, column in enumerate(columns, 1):
            numbers[:, number] = column
        self._n_columns = 1 + len(columns)
        return table

    def draw_epoch(self) -> Tensor | None:
        """Return the rows of the epoch that begins here, in their order; None inside an epoch."""
        place = self._place
        if self.done % place.updates_in_epoch:
            return None
        order = torch.randperm(place.n_examples, generator=self._order)
        return order[: place.updates_in_epoch * place.batch_size]

    def is_evaluated(self) -> bool:
        return self.is_regular() or self.done in self.assignment.report_points

    def is_regular(self) -> bool:
        """Say whether a schedule that reads a metric reads it here."""
        return self.done % self.assignment.evaluate_every == 0 or self.done == self.assignment.horizon

    def look(self, losses: list[float]) -> Diverged | None:
        """Take note of the losses of the stretch so far."""
        for number, loss in enumerate(losses):
            if not math.isfinite(loss):
                return Diverged(update=self.begun + number, rate=self._rates[number])
        self._seen.extend(losses)
        return None

    def point(self, measured: dict[str, float]) -> Point:
        """Return the evaluation at this place, the mean loss since the last one included."""
        metrics = {"train_loss": math.fsum(self._seen) / len(self._seen), **measured}
        self._seen.clear()
        self.told, self.loss = self.done, measured["val_loss"]
        epoch = self.done / self.assignment.updates_per_epoch
        return Point(update=self.done, epoch=epoch, rate=self.rate, metrics=finite(metrics))

    def observe(self, point: Point) -> None:
        """Let a schedule that reads a metric read the study's objective.

        Raises:
            Unsuitable: the task does not measure it.
        """
        name = self.assignment.metric
        if name not in point.metrics:
            raise Unsuitable(
                f"task {self.assignment.task} does not measure the study's objective {name!r}; "
                f"it measures {', '.join(point.metrics)}",
                where=("objective", "metric"),
                value=name,
            )
        value = point.metrics[name]
        self.demands.observe(math.nan if value is None else value, self.done)

    @property
    def rate(self) -> float:
        """The rate of the last update."""
        return self._rates[self.done - self.begun - 1]

    def _next_end(self) -> int:
        assignment, done, epoch = self.assignment, self.done, self._place.updates_in_epoch
        later = self._points[bisect_right(self._points, done) :][:1]
        regular = (done // assignment.evaluate_every + 1) * assignment.evaluate_every
        return min(regular, (done // epoch + 1) * epoch, done + LOOK_UPDATES, assignment.horizon, *later)
