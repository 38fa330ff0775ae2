"""What torch's schedulers set at every update, and what is read of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import optim

from schedules.reading import Reading, read_torch

Make = Callable[[optim.Optimizer], Any]


def optimizer_at(lr: float, *, momentum: float = 0.9) -> optim.Optimizer:
    return optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=momentum)


def their_trace(optimizer: optim.Optimizer, scheduler: Any, n_updates: int) -> list[tuple[float, float]]:
    """Return rate and momentum of each update."""
    trace = []
    optimizer._opt_called = True  # type: ignore[attr-defined]  # torch's own mark, set by its own wrapper
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # SequentialLR calls what torch itself calls deprecated
        for _ in range(n_updates):
            group = optimizer.param_groups[0]
            trace.append((float(group["lr"]), float(group["momentum"])))
            scheduler.step()
    return trace


def our_trace(reading: Reading, n_updates: int, momentum: float) -> list[tuple[float, float]]:
    schedule, moved = reading.schedule, reading.momentum
    return [
        (
            reading.peak_lr * schedule(t, n_updates),
            momentum if moved is None else moved.curve.at(moved.high, t, n_updates),
        )
        for t in range(n_updates)
    ]


def constructed(make: Make, lr: float) -> tuple[optim.Optimizer, Any]:
    optimizer = optimizer_at(lr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return optimizer, make(optimizer)


def assert_read_as(make: Make, n_updates: int, lr: float = 0.5) -> Reading:
    optimizer, scheduler = constructed(make, lr)
    reading = read_torch(scheduler, n_updates)
    momentum = optimizer.param_groups[0]["momentum"]
    expected = their_trace(optimizer, scheduler, n_updates)
    for number in (0, 1):
        found = [each[number] for each in our_trace(reading, n_updates, momentum)]
        assert found == pytest.approx([each[number] for each in expected], rel=0, abs=1e-12)
    assert read_torch(scheduler, n_updates) == reading  # read at the end, it is the same as at the start
    return reading
