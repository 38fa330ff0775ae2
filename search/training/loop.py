"""One trial on one device, from its first update to its last: one run, or several of growing length."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from threading import Event
from typing import Any, Final, Literal, Protocol, assert_never

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from schedules import Recipe
from schedules.torch import build_optimizer, hidden_matrices
from search.errors import OtherData, Unsuitable
from search.protocol import Assignment, Cancelled, Completed, Diverged, Outcome, Point, Pruned
from search.seeds import derive_seed
from search.tasks.base import BringsBatches, NamesHiddenMatrices, Split, Task
from search.training.averaging import Statistics, judged
from search.training.data import Datasets, batch_size, source
from search.training.measure import Losses, finite, measure
from search.training.precision import forward
from search.training.rate import Pilot

LOOK_UPDATES: Final = 256
"""A diverged run is noticed after at most this many updates: each look at the losses waits for the device."""

Stop = Literal["prune", "cancel", "drop"]

Weights = Callable[[], dict[str, Tensor]]
"""Copies the weights of a run that were judged, with the model's buffers, to the CPU."""


def _not_kept(weights: Weights) -> None:
    pass


class Monitor(Protocol):
    """Who watches a run, and may end it.

    ``drop`` ends it without an outcome: the attempt is somebody else's now, or is given back.
    """

    def tick(self, update: int) -> Stop | None:
        """Called after every update with the number of updates done; must cost next to nothing."""

    def evaluated(self, point: Point) -> Stop | Event | None:
        """Called after every evaluation. An event says that the verdict comes later: once it is set, ``tick`` knows."""


def train(
    task: Task,
    assignment: Assignment,
    monitor: Monitor,
    datasets: Datasets,
    *,
    keep: Callable[[Weights], object] = _not_kept,
) -> Outcome | None:
    """Train one trial on the data sets' device; None when the monitor said to drop it.

    Initial weights, order of data and everything that torch draws in between are pure functions of
    the assignment's seed, the same in each run of the trial; torch's own random state is left as it was found. A run
    is diverged when a training loss, or the loss of a whole evaluation, is not finite.

    Args:
        keep: told where the weights of a run are that reached its horizon.

    Raises:
        Unsuitable: the assignment does not fit the task.
        RateChanged: something wrote the optimizer's learning rate.
        Exception: whatever the task raises.
    """
    device = datasets.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        *short, last = _runs(task, assignment, datasets)
        for begin in short:
            ended, outcome = begin().train(monitor)
            if ended:
                return outcome
        run = last()
        outcome = run.train_and_test(monitor)
    if isinstance(outcome, Completed):
        keep(run.weights)
    return outcome


def _runs(task: Task, assignment: Assignment, datasets: Datasets) -> list[Callable[[], _Run]]:
    """The runs of a trial in their order; each is made when it begins, once the one before is forgotten."""
    lengths = assignment.runs or (assignment.horizon,)
    begins = accumulate(lengths[:-1], initial=0)
    return [
        partial(_Run, task, assignment, datasets, horizon=length, before=before)
        for length, before in zip(lengths, begins, strict=True)
    ]


class _Run:
    """One run under way: weights, rate, and the losses not looked at yet.

    Args:
        horizon: updates of this run.
        before: updates done in the trial's runs before it.
    """

    def __init__(self, task: Task, assignment: Assignment, datasets: Datasets, *, horizon: int, before: int) -> None:
        options = options_of(task, assignment)
        self._task = task
        self._assignment = assignment
        self._data = datasets.get(task, options)
        check_data(task, assignment, datasets.sha256(task, options))
        check_fit(task, assignment, options, len(self._data.train), horizon=horizon)
        self._dtype: str = options.get("dtype", "float32")
        self._batches = source(task, self._data, options, datasets.device)
        self._horizon = horizon
        self._before = before
        torch.manual_seed(derive_seed(assignment.seed, "weights"))
        self._model = task.model(dict(options)).to(datasets.device)
        recipe = assignment.recipe
        optimizer = _optimizer(recipe, task, self._model)
        n_batches = assignment.updates_per_epoch
        statistics = Statistics(self._batches, n_batches, assignment.seed, datasets.device, self._dtype)
        self._pilot = Pilot(optimizer, recipe, horizon)
        self._judged = judged(recipe, self._model, optimizer, horizon, statistics)
        self._losses = Losses()

    def train_and_test(self, monitor: Monitor) -> Outcome | None:
        ended, outcome = self.train(monitor)
        if ended:
            return outcome
        return Completed(test_metrics=finite(self._measure(self._horizon, self._data.test, "test")))

    def train(self, monitor: Monitor) -> tuple[bool, Outcome | None]:
        """Train to the horizon; whether the trial ends here or before, and with what."""
        model, loss_of, losses, pilot = self._model, self._task.loss, self._losses, self._pilot
        horizon, before, seed, updated = self._horizon, self._before, self._assignment.seed, self._judged.updated
        order, compute = self._batches(derive_seed(seed, "order")), forward(model, self._dtype)
        torch.manual_seed(derive_seed(seed, "noise"))
        model.train()
        for update, (inputs, targets) in zip(range(horizon), order, strict=False):
            loss = loss_of(compute(inputs), targets)
            torch.autograd.backward(loss)
            losses.add(loss.detach(), update, pilot.step(update))
            updated(update + 1)
            stop = monitor.tick(before + update + 1)
            if stop is not None:
                return True, ending(stop)
            if self._is_due(update + 1):
                ended, outcome = self._look(update + 1, monitor)
                if ended:
                    return True, outcome
        return False, None

    def weights(self) -> dict[str, Tensor]:
        with self._judged.weights(self._horizon) as model:
            # Copies, since weights that a model uses twice must not be one tensor in the file.
            return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}

    def _measure(self, done: int, split: Split, prefix: str) -> dict[str, float]:
        with self._judged.weights(done) as model:
            return measure(self._task, model, split, prefix, dtype=self._dtype)

    def _is_due(self, done: int) -> bool:
        return self._is_evaluated(done) or self._losses.n_unseen >= LOOK_UPDATES

    def _is_evaluated(self, done: int) -> bool:
        return self._is_regular(done) or self._before + done in self._assignment.report_points

    def _is_regular(self, done: int) -> bool:
        return done % self._assignment.evaluate_every == 0 or done == self._horizon

    def _look(self, done: int, monitor: Monitor) -> tuple[bool, Outcome | None]:
        """Look at the losses and, where it is due, evaluate; whether the run ends here, and with what."""
        bad = self._losses.look()
        if bad is not None:
            return True, Diverged(update=self._before + bad.update, rate=bad.rate)
        if not self._is_evaluated(done):
            return False, None
        metrics = {
            "train_loss": self._losses.take_mean(),
            **self._measure(done, self._data.validation, "val"),
        }
        if self._is_regular(done):
            self._pilot.observe(self._objective(metrics), done)
        rate = self._pilot.rate
        update = self._before + done
        epoch = update / self._assignment.updates_per_epoch
        stop = monitor.evaluated(Point(update=update, epoch=epoch, rate=rate, metrics=finite(metrics)))
        if isinstance(stop, Event):
            stop.wait()
            stop = monitor.tick(update)
        if stop is not None:
            return True, ending(stop)
        if not math.isfinite(metrics["val_loss"]):
            return True, Diverged(update=update - 1, rate=rate)
        return False, None

    def _objective(self, metrics: dict[str, float]) -> float:
        name = self._assignment.metric
        if name not in metrics:
            raise Unsuitable(
                f"task {self._task.info.name} does not measure the study's objective {name!r}; "
                f"it measures {', '.join(metrics)}",
                where=("objective", "metric"),
                value=name,
            )
        return metrics[name]


def ending(stop: Stop) -> Outcome | None:
    """The outcome of a run that its monitor stopped."""
    match stop:
        case "prune":
            return Pruned()
        case "cancel":
            return Cancelled()
        case "drop":
            return None
        case _:
            assert_never(stop)


def _optimizer(recipe: Recipe, task: Task, model: nn.Module) -> Optimizer:
    """The recipe's optimizer, in one fused operation where torch has one: a fifth to a third of a small update."""
    weights = list(model.parameters())
    fused = all(weight.is_floating_point() for weight in weights) and (
        recipe.optimizer.kind != "adagrad" or all(weight.device.type == "cpu" for weight in weights)
    )
    hidden = hidden_of(task, model) if recipe.optimizer.kind == "muon" else None
    try:
        return build_optimizer(recipe.optimizer, weights, recipe.peak_lr, fused=fused or None, hidden=hidden)
    except (ValueError, ModuleNotFoundError) as error:
        kind = recipe.optimizer.kind
        message = f"task {task.info.name} cannot be trained with {kind}: {error}"
        raise Unsuitable(message, where=("recipe", "optimizer"), value=kind) from error


def hidden_of(task: Task, model: nn.Module) -> list[Tensor]:
    """The matrices that Muon takes: those that the task names, or those that the model's layers suggest."""
    return list(task.hidden_matrices(model)) if isinstance(task, NamesHiddenMatrices) else hidden_matrices(model)


def options_of(task: Task, assignment: Assignment) -> dict[str, Any]:
    """The options that an assignment is trained with, each default filled in.

    Raises:
        Unsuitable: the task does not have or take one of them.
    """
    try:
        return dict(task.info.complete(assignment.task_options))
    except ValueError as error:
        raise Unsuitable(str(error), where=("task_options",)) from error


def check_data(task: Task, assignment: Assignment, found: str) -> None:
    """Refuse other data than the study's.

    Raises:
        OtherData: its SHA-256 is another.
    """
    recorded = assignment.data_sha256
    if recorded is not None and recorded != found:
        raise OtherData(task.info.name, recorded=recorded, found=found)


def check_fit(task: Task, assignment: Assignment, options: dict[str, Any], n_train: int, *, horizon: int) -> None:
    """Refuse a recipe that cannot be followed, and an epoch of another length than was said.

    Raises:
        Unsuitable: one of the two.
    """
    try:
        assignment.recipe.check(horizon)
    except ValueError as error:
        raise Unsuitable(str(error), where=("recipe",)) from error
    if isinstance(task, BringsBatches):
        return
    size = batch_size(task, options)
    updates = n_train // size
    if updates != assignment.updates_per_epoch:
        raise Unsuitable(
            f"an epoch of task {task.info.name} is {updates} updates ({n_train} examples in batches of "
            f"{size}), not {assignment.updates_per_epoch} as its TaskInfo says",
            where=("task",),
            value=assignment.updates_per_epoch,
        )
