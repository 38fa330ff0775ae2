"""What tasks on a table of numbers have in common: standardised columns, and a multilayer perceptron."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def standardised(columns: NDArray[Any], train: NDArray[np.int64]) -> Tensor:
    """Columns of mean 0 and deviation 1 over the training rows, shape `(rows, columns)`."""
    known = columns[train]
    return torch.tensor((columns - known.mean(axis=0)) / known.std(axis=0), dtype=torch.float32)


def perceptron(n_in: int, n_hidden: int, n_out: int) -> nn.Module:
    """Two hidden layers with ReLU."""
    return nn.Sequential(
        nn.Linear(n_in, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_out)
    )
