"""What is measured of a run: losses as they come, and metrics of a whole split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from search.protocol import Metrics
from search.tasks.base import BoundsEvaluation, Split, Task
from search.training.precision import forward

EVALUATION_EXAMPLES: Final = 8192
"""Examples of one forward pass of an evaluation, unless the task says fewer."""


@dataclass(frozen=True)
class BadLoss:
    """The first update whose loss is not finite, and the learning rate applied there."""

    update: int
    rate: float


class Losses:
    """The training losses since the last evaluation, left on the device until somebody looks."""

    def __init__(self) -> None:
        self._unseen: list[Tensor] = []
        self._made: list[tuple[int, float]] = []
        self._seen: list[float] = []

    def add(self, loss: Tensor, update: int, rate: float) -> None:
        """Keep the loss of one update, a scalar without its graph, with the rate of that update."""
        self._unseen.append(loss)
        self._made.append((update, rate))

    @property
    def n_unseen(self) -> int:
        return len(self._unseen)

    def look(self) -> BadLoss | None:
        """Fetch the unseen losses, in one transfer; the first that is not finite, if there is one."""
        fetched: list[float] = torch.stack(self._unseen).tolist() if self._unseen else []
        for loss, (update, rate) in zip(fetched, self._made, strict=True):
            if not math.isfinite(loss):
                return BadLoss(update, rate)
        self._seen.extend(fetched)
        self._unseen.clear()
        self._made.clear()
        return None

    def take_mean(self) -> float:
        """The mean of all losses looked at since this was last asked; NaN when there was none."""
        mean = math.fsum(self._seen) / len(self._seen) if self._seen else math.nan
        self._seen.clear()
        return mean


@torch.no_grad()
def measure(task: Task, model: nn.Module, split: Split, prefix: str, *, dtype: str = "float32") -> dict[str, float]:
    """Loss and metrics over a whole split, named ``prefix_loss`` and so on; leaves the model in training mode."""
    n_examples = task.evaluation_examples if isinstance(task, BoundsEvaluation) else EVALUATION_EXAMPLES
    model.eval()
    compute = forward(model, dtype)
    outputs = torch.cat([compute(inputs) for inputs in torch.split(split.inputs, n_examples)])
    measured = {"loss": task.loss(outputs, split.targets), **task.metrics(outputs, split.targets)}
    model.train()
    return {f"{prefix}_{name}": float(value) for name, value in measured.items()}


def finite(values: Mapping[str, float]) -> Metrics:
    """The values as they travel: None where one is not finite."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
