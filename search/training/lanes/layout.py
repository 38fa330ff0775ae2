"""Where each weight of a model lies when all weights of a lane are one row of numbers."""

from __future__ import annotations

from itertools import accumulate
from typing import Final

import torch
from torch import Tensor, nn

ALIGNED_NUMBERS: Final = 64
"""A row is as wide as a multiple of this: every lane then goes through the same vector instructions."""


class Layout:
    """The weights of one model side by side in a row, in the order in which the model names them.

    All lanes are then one tensor `(lanes, width)`, so that an update is a handful of operations whatever the number of
    weights, and what differs by lane is a column that is broadcast.

    Attributes:
        names: of the weights.
        shapes: of the weights.
        starts: the first column of each weight.
        width: columns of a row, the last few unused.
    """

    def __init__(self, model: nn.Module) -> None:
        weights = dict(model.named_parameters())
        self.names = tuple(weights)
        self.shapes = tuple(weight.shape for weight in weights.values())
        *self.starts, self.used = accumulate((weight.numel() for weight in weights.values()), initial=0)
        self.width = -(-self.used // ALIGNED_NUMBERS) * ALIGNED_NUMBERS
        self.dtype = next(iter(weights.values())).dtype

    def rows(self, n: int, device: torch.device) -> Tensor:
        """Return zeros for so many lanes."""
        return torch.zeros(n, self.width, dtype=self.dtype, device=device)

    def views(self, rows: Tensor) -> list[Tensor]:
        """Return each weight of all lanes, `(lanes, *shape)`, as a window on their rows."""
        ends = (start + shape.numel() for start, shape in zip(self.starts, self.shapes, strict=True))
        bounds = zip(self.starts, ends, self.shapes, strict=True)
        return [rows[:, start:end].view(len(rows), *shape) for start, end, shape in bounds]

    @torch.no_grad()
    def row(self, model: nn.Module) -> Tensor:
        """Return the weights of a model as one row."""
        row = self.rows(1, next(model.parameters()).device)
        for view, weight in zip(self.views(row), model.parameters(), strict=True):
            view[0].copy_(weight)
        return row[0]

    def lend(self, model: nn.Module) -> Tensor:
        """Make a model's weights windows on one row, and return the row: who writes it loads the model."""
        row = self.row(model)
        for view, weight in zip(self.views(row.unsqueeze(0)), model.parameters(), strict=True):
            weight.data = view[0]
        return row
