"""What lanes gain over one trial at a time on this machine: ``python -m tests.benchmarks.lanes [SECONDS]``.

One process, one thread. Times are those that the process itself spent, so that other processes take as
little part in them as they can; the arms are measured in turns, and each has its fastest turn.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from schedules import AdamW, Cosine, Recipe, Sgd
from search.protocol import Assignment, Fence, Point
from search.tasks import registry
from search.tasks.base import Task
from search.tasks.digits import MLP
from search.tasks.info import TaskInfo
from search.training.data import Datasets
from search.training.lanes.array import LaneArray
from search.training.loop import Stop, train

CPU = torch.device("cpu")
N_LANES = (1, 2, 4, 8, 16, 32, 64, 128)
N_TURNS = 5
MOST_PARAMETERS_IN_LANES = 40_000_000


class Large(MLP):
    """The negative control: 301,066 weights in batches of 256, which fill the processor by themselves."""

    batch_size = 256
    info = TaskInfo(name="large-mlp", metrics={"val_loss": "minimize"}, updates_per_epoch=1200 // 256)

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


RECIPES = {
    "sgd": Recipe(optimizer=Sgd(nesterov=True), peak_lr=0.01, schedule=Cosine()),
    "adamw": Recipe(optimizer=AdamW(), peak_lr=0.001, schedule=Cosine()),
}


class Timer:
    """Ends a run after so many seconds of this process; the updates per second."""

    def __init__(self, seconds: float) -> None:
        self.end_after(seconds)
        self._started: float | None = None
        self._first = 0
        self.rate = 0.0
        self.is_over = False

    def end_after(self, seconds: float) -> None:
        """End the run so many seconds from now."""
        self._until = time.process_time() + seconds

    def tick(self, update: int) -> Stop | None:
        now = time.process_time()
        if self._started is None:
            self._started, self._first = now, update
            return None
        if now < self._until:
            return None
        self.rate = (update - self._first) / (now - self._started)
        self.is_over = True
        return "drop"

    def evaluated(self, point: Point) -> Stop | None:
        return None


def main() -> None:
    """Print lane-updates per second against the number of lanes, for each task and optimizer."""
    torch.set_num_threads(1)
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.3
    peak = _peak()
    print(f"torch {torch.__version__}, 1 thread, peak of a product of 1024 × 1024: {peak / 1e9:.0f} GFLOP/s\n")
    large: Any = Large()
    tasks: list[Task] = [registry.load("digits-mlp"), registry.load("digits-cnn"), large]
    for task in tasks:
        for name, recipe in RECIPES.items():
            _measure(task, name, recipe, seconds, peak)
    _print_profile(tasks[0], RECIPES["adamw"])


def _measure(task: Task, name: str, recipe: Recipe, seconds: float, peak: float) -> None:
    datasets, flops = Datasets(CPU), _flops(task)
    n_weights = sum(weight.numel() for weight in task.model(_options(task)).parameters())
    counts = [n for n in N_LANES if n * n_weights <= MOST_PARAMETERS_IN_LANES]
    alone, lanes = 0.0, dict.fromkeys(counts, 0.0)
    for _ in range(N_TURNS):
        alone = max(alone, _alone(task, recipe, datasets, seconds))
        for n in counts:
            lanes[n] = max(lanes[n], _in_lanes(task, recipe, datasets, n, seconds))
    print(f"{task.info.name}, {name}: {n_weights:,} weights, {flops / 1e6:.2f} MFLOP in an update")
    print(f"  {'lanes':>6} {'updates/s':>10} {'of alone':>9} {'of peak':>8}")
    for n, rate in ((0, alone), *lanes.items()):
        print(f"  {n or 'alone':>6} {rate:10.0f} {rate / alone:9.2f} {rate * flops / peak:8.1%}")
    print()


def _alone(task: Task, recipe: Recipe, datasets: Datasets, seconds: float) -> float:
    timer = Timer(seconds)
    train(task, _trial(task, recipe, 0), timer, datasets)
    return timer.rate


def _in_lanes(task: Task, recipe: Recipe, datasets: Datasets, n_lanes: int, seconds: float) -> float:
    array, timer = LaneArray(task, _options(task), datasets, n_lanes), Timer(1e9)
    for number in range(n_lanes):
        array.admit(_trial(task, recipe, number), timer if number == 0 else Timer(1e9))
    timer.end_after(seconds)
    while not timer.is_over:
        array.step()
    return n_lanes * timer.rate


def _trial(task: Task, recipe: Recipe, number: int) -> Assignment:
    updates = task.info.updates_per_epoch
    return Assignment(
        fence=Fence(study="benchmark", trial=number, attempt=1, lease="none"),
        task=task.info.name,
        task_options=_options(task),
        recipe=recipe,
        horizon=20_000,
        updates_per_epoch=updates,
        evaluate_every=updates,
        metric="val_loss",
        seed=7,
        lease_seconds=60,
    )


def _options(task: Task) -> dict[str, Any]:
    return dict(task.info.complete({}))


def _peak() -> float:
    matrix, best = torch.randn(1024, 1024), 0.0
    for _ in range(20):
        started = time.process_time()
        matrix @ matrix
        best = max(best, 2 * 1024**3 / (time.process_time() - started))
    return best


def _flops(task: Task) -> float:
    """Multiplications and additions of the layers with weights, forward and back, in one update."""
    model, data = task.model(_options(task)), task.data(_options(task))
    counted, is_first = 0.0, True

    def count(layer: nn.Module, _: tuple[Tensor, ...], outputs: Tensor) -> None:
        nonlocal counted, is_first
        (weight, *_rest) = layer.parameters()
        places = outputs.numel() if isinstance(layer, nn.Conv2d) else len(outputs)
        each = weight[0].numel() if isinstance(layer, nn.Conv2d) else weight.numel()
        # forward, and back to the weights and, but for the first layer, to the inputs
        counted += 2.0 * places * each * (2 if is_first else 3)
        is_first = False

    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            layer.register_forward_hook(count)
    model(data.train.inputs[: task.batch_size])
    return counted


def _print_profile(task: Task, recipe: Recipe) -> None:
    """Print where the time of many lanes goes, by operation."""
    array = LaneArray(task, _options(task), Datasets(CPU), 64)
    for number in range(64):
        array.admit(_trial(task, recipe, number), Timer(1e9))
    for _ in range(40):
        array.step()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(111):
            array.step()
    print(f"{task.info.name} in 64 lanes, 111 updates")
    print(seen.key_averages().table(sort_by="self_cpu_time_total", row_limit=16, max_name_column_width=40))


if __name__ == "__main__":
    main()
