"""A quadratic whose optimum is known, under noise that comes from the order of the data alone.

With curvatures ``h_j``, weights ``w`` and rows ``x`` of the training data, whose mean is 0::

    loss(w; x) = 1/2 sum_j h_j (w_j - x_j)²

so the gradient of a batch is ``h (w - mean of its rows)``. Validation and test hold one row, 0: their loss is
``1/2 sum_j h_j w_j²``, exactly what ``w`` loses against the optimum.

Source: L. Bottou, F. Curtis and J. Nocedal (2018), section 4, arXiv:1606.04838, on what constant and decaying rates
reach under gradient noise.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import torch
from torch import Tensor, nn

from search.tasks.base import Data, Split
from search.tasks.builtin import NOISY_QUADRATIC, QUADRATIC_BATCH, QUADRATIC_TRAIN
from search.tasks.info import TaskInfo

_SEED: Final = 20_106


class NoisyQuadratic:
    """Weights that start at 1, curvatures from 1 down to 1 / ``condition``, evenly in their logarithm.

    With SGD without momentum at a constant rate ``r``, the weight of curvature h is multiplied by ``a = 1 - r h`` in
    each update, and by ``a^t`` in t of them. Over many epochs of n updates its variance at the end of an epoch tends to

        (rh)² (c2 (v - k) + c1² k) / (1 - a^2n),   c1 = sum a^i,  c2 = sum a^2i,  i = 0 … n-1

    where a batch's mean has variance ``v = s² (N - b) / (b (N - 1))`` and two of one epoch have covariance
    ``k = -s² / (N - 1)``, for N rows of deviation s in batches of b. For an epoch long against 1 / (r h), and N large,
    this is the textbook's ``r h / (2 - r h) s² / b``.
    """

    info: ClassVar[TaskInfo] = NOISY_QUADRATIC
    batch_size: ClassVar[int] = QUADRATIC_BATCH

    def data(self, options: dict[str, Any]) -> Data:
        generator = torch.Generator().manual_seed(_SEED)
        rows = torch.randn(QUADRATIC_TRAIN, options["dimension"], generator=generator, dtype=torch.float64)
        rows = rows - rows.mean(dim=0)
        rows = options["noise"] * rows / rows.std(dim=0, correction=0)
        optimum = Split(torch.zeros(1, options["dimension"]), torch.zeros(1, 1))
        return Data(Split(rows.float(), torch.zeros(len(rows), 1)), optimum, optimum)

    def model(self, options: dict[str, Any]) -> nn.Module:
        return Quadratic(curvatures(options["dimension"], options["condition"]))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs - targets) ** 2).sum(dim=1).mean() / 2

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {}


class Quadratic(nn.Module):
    """What is left of weights after a row is taken away, each times the root of its curvature."""

    roots: Tensor

    def __init__(self, curvature: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(len(curvature)))
        self.register_buffer("roots", curvature.sqrt(), persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        return self.roots * (self.weight - rows)


def curvatures(dimension: int, condition: float) -> Tensor:
    """Curvatures from 1 down to 1 / ``condition``, evenly in their logarithm, shape `(dimension,)`."""
    return condition ** -torch.linspace(0, 1, dimension)
