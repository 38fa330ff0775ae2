"""What of a lane is evaluated, measured by a model of its own that borrows the lane's weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from search.tasks.base import Split, Task
from search.training.averaging import Statistics
from search.training.data import Datasets, batch_size, source
from search.training.lanes.layout import Layout
from search.training.measure import EVALUATION_EXAMPLES


class Bench:
    """One model on which the lanes are evaluated in turn, as a trial alone evaluates its own.

    Args:
        model: a model of the task, which nobody else uses.
    """

    def __init__(
        self, task: Task, model: nn.Module, layout: Layout, datasets: Datasets, options: dict[str, Any]
    ) -> None:
        self._task = task
        # to change the mode of a model before and after each evaluation would take as long as to evaluate a small one
        self._model = model.eval()
        self._row = layout.lend(model)
        self._buffers = dict(model.named_buffers())
        data, self._device = datasets.get(task, options), datasets.device
        self._batches = source(task, data, options, datasets.device)
        self._n_batches = len(data.train) // batch_size(task, options)

    def load(self, row: Tensor, buffers: Mapping[str, Tensor]) -> None:
        """Take the weights and buffers to evaluate."""
        with torch.no_grad():
            self._row.copy_(row)
            for name, buffer in self._buffers.items():
                buffer.copy_(buffers[name])

    def refresh(self, seed: int) -> None:
        """Measure the statistics of BatchNorm anew, for the weights as they are loaded."""
        Statistics(self._batches, self._n_batches, seed, self._device, "float32").refresh(self._model)

    @torch.no_grad()
    def measure(self, split: Split, prefix: str) -> dict[str, float]:
        """Return loss and metrics over a whole split, as a trial alone measures them."""
        outputs = torch.cat([self._model(inputs) for inputs in torch.split(split.inputs, EVALUATION_EXAMPLES)])
        measured = {"loss": self._task.loss(outputs, split.targets), **self._task.metrics(outputs, split.targets)}
        return {f"{prefix}_{name}": float(value) for name, value in measured.items()}

    def weights(self) -> dict[str, Tensor]:
        """Copy the weights that were judged last, with the model's buffers, to the CPU."""
        kept = self._model.state_dict().items()
        return {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in kept}
