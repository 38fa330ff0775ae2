"""The numbers of all lanes: one row of each tensor belongs to each lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from search.training.lanes.layout import Layout
from search.training.loop import LOOK_UPDATES

N_COLUMNS = 9
"""The widest table: the share of the average, and Muon's eight columns."""


class Storage:
    """What the lanes have on the device, by row.

    Attributes:
        weights: `(lanes, width)`.
        gradients: `(lanes, width)`; spoilt by an update.
        scratch: `(lanes, width)`, anybody's.
        slots: the optimizers' moments, each `(lanes, width)`; as many as any rule so far needed.
        average: the averaged weights; None while no lane has averaged any.
        buffers: of the model, by name.
        orders: rows of the training data in each lane's epoch, `(lanes, examples)`.
        table: each lane's constants, `(lanes, LOOK_UPDATES, columns)`.
        losses: of each lane's stretch, `(lanes, LOOK_UPDATES)`.
    """

    def __init__(
        self, n_lanes: int, layout: Layout, buffers: Mapping[str, Tensor], n_ordered: int, device: torch.device
    ) -> None:
        self._layout = layout
        self._device = device
        self._n_lanes = n_lanes
        self.weights, self.gradients, self.scratch = (layout.rows(n_lanes, device) for _ in range(3))
        self.slots: list[Tensor] = []
        self.average: Tensor | None = None
        self.buffers = {name: buffer.expand(n_lanes, *buffer.shape).clone() for name, buffer in buffers.items()}
        self.orders = torch.zeros(n_lanes, n_ordered, dtype=torch.int64, device=device)
        self.table = torch.zeros(n_lanes, LOOK_UPDATES, N_COLUMNS, dtype=layout.dtype, device=device)
        kept = torch.promote_types(layout.dtype, torch.float32)
        self.losses = torch.zeros(n_lanes, LOOK_UPDATES, dtype=kept, device=device)

    def provide(self, n_slots: int, *, average: bool) -> None:
        """Make room for a rule's moments and for an average, where there is none yet."""
        while len(self.slots) < n_slots:
            self.slots.append(self._layout.rows(self._n_lanes, self._device))
        if average and self.average is None:
            self.average = self._layout.rows(self._n_lanes, self._device)

    def clear(self, row: int) -> None:
        """Leave nothing of an earlier trial in a row."""
        for tensor in self._all():
            tensor[row] = 0

    def move(self, to: Sequence[int], rows: Sequence[int]) -> None:
        """Put what was in some rows into others."""
        targets, sources = (torch.tensor(each, device=self._device) for each in (to, rows))
        for tensor in self._all():
            tensor[targets] = tensor[sources]

    def _all(self) -> list[Tensor]:
        kept = [self.weights, *self.slots, *self.buffers.values(), self.orders, self.table, self.losses]
        return kept if self.average is None else [*kept, self.average]
