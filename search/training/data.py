"""Data on the device: loaded once per task and options, handed out as batches in a seeded order."""

from __future__ import annotations

import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor

from search.errors import Unsuitable
from search.seeds import derive_seed
from search.tasks.base import BringsBatches, Data, Split, Task

BLOCK_UPDATES: Final = 64
"""Batches gathered at once: one index operation instead of 64, at the price of their memory."""

Batches = Callable[[int], Iterator[tuple[Tensor, Tensor]]]
"""Batches without end, inputs and targets; the order is a pure function of the seed."""


@dataclass(frozen=True)
class _Loaded:
    """What is trained on, on the device, and the SHA-256 of what the task loaded for it."""

    data: Data
    sha256: str


class Datasets:
    """The data sets of the last few tasks, resident on one device."""

    def __init__(self, device: torch.device, *, kept: int = 2) -> None:
        self.device = device
        self._kept = kept
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()

    def get(self, task: Task, options: dict[str, Any]) -> Data:
        """The task's data on the device, less what the options leave out; loaded at the first call with them.

        Raises:
            Unsuitable: labels are to be noisy that are no classes.
        """
        return self._get(task, options).data

    def sha256(self, task: Task, options: dict[str, Any]) -> str:
        """The SHA-256 of all that the task loads with these options."""
        return self._get(task, options).sha256

    def clear(self) -> None:
        """Let go of all data, to free the device's memory."""
        self._loaded.clear()

    def _get(self, task: Task, options: dict[str, Any]) -> _Loaded:
        key = json.dumps([task.info.name, options], sort_keys=True)
        if key not in self._loaded:
            while len(self._loaded) >= self._kept:
                self._loaded.popitem(last=False)
            data = task.data(dict(options))
            digest = sha256_of(data)
            if not isinstance(task, BringsBatches):
                data = replace(data, train=_trained_on(data.train, task, options))
            self._loaded[key] = _Loaded(data.to(self.device), digest)
        self._loaded.move_to_end(key)
        return self._loaded[key]


def sha256_of(data: Data) -> str:
    """The SHA-256 of data: type, shape and bytes of each tensor, split by split."""
    digest = hashlib.sha256()
    for split in (data.train, data.validation, data.test):
        for tensor in (split.inputs, split.targets):
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().flatten().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def batch_size(task: Task, options: dict[str, Any]) -> int:
    """Examples of one update: the task's own number, unless an option says otherwise."""
    chosen: int = options.get("batch_size", task.batch_size)
    return chosen


def source(task: Task, data: Data, options: dict[str, Any], device: torch.device) -> Batches:
    """What a run is trained on: the rows of the data in batches, or what the task's own loader brings."""
    if isinstance(task, BringsBatches):
        return lambda seed: _unending(task.info.name, task.batches(dict(options), seed, device))
    return lambda seed: batches(data.train, batch_size(task, options), seed)


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


def _unending(name: str, brought: Iterator[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    yield from brought
    raise Unsuitable(f"the batches of task {name} must never end, and they did", where=("task",), value=name)


def _trained_on(train: Split, task: Task, options: dict[str, Any]) -> Split:
    """The rows and labels that are left to train on, the same for every trial of every study."""
    n_examples: int = options.get("train_examples", len(train))
    noise: float = options.get("label_noise", 0)
    classes = _classes(train.targets, task, noise) if noise else None
    if n_examples < len(train):
        rows = _shuffled(len(train), "subset")[:n_examples]
        train = Split(train.inputs[rows], train.targets[rows])
    return train if classes is None else _with_noise(train, classes, noise)


def _with_noise(train: Split, classes: Tensor, share: float) -> Split:
    """Replace the labels of a share of the examples, each by one of the other classes."""
    rows = _shuffled(len(train), "label noise")[: math.floor(share * len(train) + 0.5)]
    generator = torch.Generator().manual_seed(derive_seed("label noise", "classes"))
    steps = torch.randint(1, len(classes), (len(train),), generator=generator)[: len(rows)]
    own = torch.searchsorted(classes, train.targets[rows])
    targets = train.targets.clone()
    targets[rows] = classes[(own + steps) % len(classes)]
    return Split(train.inputs, targets)


def _shuffled(n: int, purpose: str) -> Tensor:
    """The numbers below n in an order fixed for ever: its beginning is a subset that larger ones contain."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(derive_seed(purpose)))


def _classes(targets: Tensor, task: Task, noise: float) -> Tensor:
    """The classes that the labels tell apart, in order."""
    classes: Tensor = torch.unique(targets)
    if targets.dtype is not torch.int64 or targets.dim() != 1 or len(classes) < 2:
        raise Unsuitable(
            f"only class labels can be noisy: the targets of task {task.info.name} must be whole numbers (int64), one "
            f"to an example and of at least two classes, not {targets.dtype} of shape {tuple(targets.shape)}",
            where=("task_options", "label_noise"),
            value=noise,
        )
    return classes
