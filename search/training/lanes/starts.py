"""Where trials begin: the initial weights that follow from their seeds."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

import torch
from torch import Tensor, nn

from search.seeds import derive_seed
from search.tasks.base import Task
from search.training.lanes.layout import Layout

KEPT_STARTS: Final = 4
"""Initial weights kept, by seed: the trials of a study mostly begin alike."""


class Starts:
    """Initial weights and buffers of a task's models, those of the last few seeds kept."""

    def __init__(self, task: Task, options: dict[str, Any], device: torch.device) -> None:
        self._task = task
        self._options = options
        self._device = device
        self._known: OrderedDict[int, tuple[Tensor, dict[str, Tensor]]] = OrderedDict()

    def get(self, seed: int, layout: Layout) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the row of weights, and the buffers by name, that a trial with this seed begins with."""
        if seed not in self._known:
            while len(self._known) >= KEPT_STARTS:
                self._known.popitem(last=False)
            model = self.model(seed)
            self._known[seed] = layout.row(model), dict(model.named_buffers())
        return self._known[seed]

    def model(self, seed: int) -> nn.Module:
        """Build a model as a trial with this seed does; torch's own random state is left as it was."""
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            torch.manual_seed(derive_seed(seed, "weights"))
            return self._task.model(dict(self._options)).to(self._device)
