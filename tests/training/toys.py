"""A task small enough to work out by hand, an assignment of it, and somebody who watches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from schedules import Constant, Recipe, Schedule, Sgd
from search.protocol import Assignment, Fence, Point
from search.tasks.base import Data, Split
from search.training.data import Datasets
from search.training.loop import Stop
from tests.training.line import LINE

CPU = torch.device("cpu")


class Line:
    """A line through noisy points in double precision: 40 examples, 10 updates of 4 in an epoch."""

    info = LINE
    batch_size = 4

    def __init__(self) -> None:
        self.n_loads = 0

    def data(self, options: dict[str, Any]) -> Data:
        self.n_loads += 1
        generator = torch.Generator().manual_seed(7)
        inputs = torch.randn(59, 3, generator=generator, dtype=torch.float64)
        noise = torch.randn(59, 1, generator=generator, dtype=torch.float64)
        targets = options["slope"] * inputs.sum(dim=1, keepdim=True) + 0.1 * noise
        parts = (slice(0, 43), slice(43, 51), slice(51, 59))
        return Data(*(Split(inputs[part], targets[part]) for part in parts))

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Linear(3, 1, dtype=torch.float64)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"worst": (outputs - targets).abs().max()}


class Watcher:
    """Keeps what it sees, and says ``stop`` once so many updates are done."""

    def __init__(self, stop: Stop | None = None, *, after: int = 0) -> None:
        self.points: list[Point] = []
        self.update = 0
        self._stop = stop
        self._after = after

    def tick(self, update: int) -> Stop | None:
        self.update = update
        return self._stop if update >= self._after else None

    def evaluated(self, point: Point) -> Stop | None:
        self.points.append(point)
        return None

    def curve(self, metric: str) -> list[float | None]:
        return [point.metrics[metric] for point in self.points]


def a_recipe(schedule: Schedule | None = None, *, peak_lr: float = 0.05, **optimizer: Any) -> Recipe:
    chosen = {"kind": "sgd", **optimizer} if optimizer else Sgd()
    return Recipe.model_validate({"optimizer": chosen, "peak_lr": peak_lr, "schedule": schedule or Constant()})


def an_assignment(recipe: Recipe | None = None, **fields: Any) -> Assignment:
    """Build an assignment of the line, 3 epochs long."""
    return Assignment.model_validate(
        {
            "fence": Fence(study="first", trial=0, attempt=1, lease="token"),
            "task": "line",
            "recipe": recipe or a_recipe(),
            "horizon": 30,
            "updates_per_epoch": 10,
            "evaluate_every": 10,
            "metric": "val_loss",
            "seed": 11,
            "lease_seconds": 60,
            **fields,
        }
    )


def datasets(device: torch.device = CPU) -> Datasets:
    return Datasets(device)
