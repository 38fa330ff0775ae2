"""Muon for the hidden matrices of many lanes at once, AdamW for the rest of their rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Final

import torch
from torch import Tensor

from schedules import Muon
from search.training.lanes.rules.adaptive import AdamRule
from search.training.lanes.rules.base import Column, Course, Memory, Rule

_COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
_SMALLEST_NORM: Final = 1e-7


@dataclass(frozen=True)
class Matrix:
    """A hidden matrix: its first column in a lane's row, and its shape."""

    start: int
    shape: tuple[int, int]

    @property
    def end(self) -> int:
        return self.start + math.prod(self.shape)

    def of(self, rows: Tensor) -> Tensor:
        """Return the matrix of each lane, a window on their rows."""
        return rows[:, self.start : self.end].view(len(rows), *self.shape)


@dataclass(frozen=True)
class MuonRule(Rule):
    """``torch.optim.Muon`` with the scale of AdamW's steps, beside ``torch.optim.AdamW``."""

    n_slots: ClassVar[int] = 2

    matrices: tuple[Matrix, ...]
    nesterov: bool
    n_iterations: int
    rest: AdamRule

    def columns(self, optimizer: Muon, course: Course, memory: Memory) -> tuple[list[Column], Memory]:
        columns, _ = self.rest.columns(optimizer, course, ())
        return [*columns, 1 - course.rates * course.decays, course.momenta, -course.rates], memory

    def update(
        self, weights: Tensor, gradients: Tensor, slots: Sequence[Tensor], scratch: Tensor, at: Sequence[Tensor]
    ) -> None:
        *of_rest, kept, momentum, step = at
        for matrix in self.matrices:
            parts = (matrix.of(rows) for rows in (weights, gradients, slots[0]))
            self._update_matrix(*parts, *(column.unsqueeze(2) for column in (kept, momentum, step)))
        for begin, end in self._gaps(weights.shape[1]):
            rows, spent, *moments, spare = (part[:, begin:end] for part in (weights, gradients, *slots, scratch))
            self.rest.update(rows, spent, moments, spare, of_rest)

    def _update_matrix(
        self, weights: Tensor, gradients: Tensor, buffer: Tensor, kept: Tensor, momentum: Tensor, step: Tensor
    ) -> None:
        buffer.lerp_(gradients, 1 - momentum)
        direction = torch.lerp(gradients, buffer, momentum) if self.nesterov else buffer
        size = 0.2 * math.sqrt(max(weights.shape[1:]))
        weights.mul_(kept).addcmul_(orthogonal(direction, self.n_iterations).to(weights.dtype), step * size)

    def _gaps(self, width: int) -> list[tuple[int, int]]:
        edges = [0, *(edge for matrix in self.matrices for edge in (matrix.start, matrix.end)), width]
        return [(begin, end) for begin, end in list(pairwise(edges))[::2] if begin < end]


def orthogonal(matrices: Tensor, n_iterations: int) -> Tensor:
    """Return the matrices, `(lanes, rows, columns)`, made nearly orthogonal in bfloat16 by Newton-Schulz iterations.

    What ``torch.optim.Muon`` makes of each by itself, but for a last bit of bfloat16 here and there: a batch of
    products may add up in another order.
    """
    n_rows, n_columns = matrices.shape[1:]
    wide = matrices.bfloat16()
    if n_rows > n_columns:
        wide = wide.mT
    wide = wide / torch.linalg.vector_norm(wide, dim=(1, 2), keepdim=True).clamp(min=_SMALLEST_NORM)
    a, b, c = _COEFFICIENTS
    for _ in range(n_iterations):
        gram = wide @ wide.mT
        change = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        wide = torch.baddbmm(wide, change, wide, beta=a)
    return wide.mT if n_rows > n_columns else wide
