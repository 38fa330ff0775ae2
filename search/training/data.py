"""Data on the device: loaded once per task and options, handed out as batches in a seeded order."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor

from search.tasks.base import Data, Split, Task

BLOCK_UPDATES: Final = 64
"""Batches gathered at once: one index operation instead of 64, at the price of their memory."""


class Datasets:
    """The data sets of the last few tasks, resident on one device."""

    def __init__(self, device: torch.device, *, kept: int = 2) -> None:
        self.device = device
        self._kept = kept
        self._loaded: OrderedDict[str, Data] = OrderedDict()

    def get(self, task: Task, options: dict[str, Any]) -> Data:
        """The task's data on the device; loaded at the first call with these options."""
        key = json.dumps([task.info.name, options], sort_keys=True)
        if key not in self._loaded:
            while len(self._loaded) >= self._kept:
                self._loaded.popitem(last=False)
            self._loaded[key] = task.data(dict(options)).to(self.device)
        self._loaded.move_to_end(key)
        return self._loaded[key]

    def clear(self) -> None:
        """Let go of all data, to free the device's memory."""
        self._loaded.clear()


def batches(train: Split, batch_size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches without end, each epoch in a new order; an epoch's last, partial batch is dropped.

    The order is drawn on the CPU, so that it is the same on every device.

    Args:
        seed: the order is a pure function of it and of the number of examples.
    """
    generator = torch.Generator().manual_seed(seed)
    whole = len(train) // batch_size
    while True:
        order = torch.randperm(len(train), generator=generator)[: whole * batch_size].to(train.inputs.device)
        for rows in torch.split(order, BLOCK_UPDATES * batch_size):
            inputs = torch.split(train.inputs[rows], batch_size)
            targets = torch.split(train.targets[rows], batch_size)
            yield from zip(inputs, targets, strict=True)
