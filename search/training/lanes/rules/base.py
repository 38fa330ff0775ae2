"""What an update rule is when many lanes are updated at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Vector = NDArray[np.float64]
Column = Vector | float
Memory = tuple[float, ...]


@dataclass(frozen=True)
class Course:
    """What a recipe asks of several updates in a row.

    Attributes:
        first: index of the first of them.
        rates: the learning rate of each.
        decays: the weight decay of each.
        momenta: the momentum, or beta1, of each; 0 for an optimizer without any.
    """

    first: int
    rates: Vector
    decays: Vector
    momenta: Vector

    @property
    def steps(self) -> Vector:
        """The number of each update, the first of a run being 1."""
        return np.arange(self.first + 1, self.first + 1 + len(self.rates), dtype=np.float64)


@dataclass(frozen=True)
class Rule(ABC):
    """One update of all lanes that share an optimizer, in place.

    What differs between lanes or from update to update is computed beforehand in float64, as columns of a table;
    equal rules are rules whose operations are the same, so that their lanes can be updated together. Each rule is its
    library's, up to the order of a few roundings.

    Attributes:
        n_slots: rows of numbers kept for each lane, the moments.
        begins: the scalars that a lane carries from one course to the next.
    """

    n_slots: ClassVar[int] = 1
    begins: ClassVar[Memory] = ()

    def start(self, optimizer: Any, weights: Tensor, slots: Sequence[Tensor]) -> None:
        """Fill in a fresh lane's slots; all are single rows."""
        for slot in slots[: self.n_slots]:
            slot.zero_()

    @abstractmethod
    def columns(self, optimizer: Any, course: Course, memory: Memory) -> tuple[list[Column], Memory]:
        """Return the columns of the table for a course, and what the next course begins with."""

    @abstractmethod
    def update(
        self, weights: Tensor, gradients: Tensor, slots: Sequence[Tensor], scratch: Tensor, at: Sequence[Tensor]
    ) -> None:
        """Make one update of several lanes.

        Args:
            weights: `(lanes, width)`, as are gradients, slots and scratch.
            gradients: spoilt by the update.
            scratch: numbers that nobody needs.
            at: the columns of the table at each lane's own update, each `(lanes, 1)`.
        """

    def judged(self, optimizer: Any, weights: Tensor, slots: Sequence[Tensor]) -> Tensor:
        """Return the row that is evaluated, from a lane's own."""
        return weights
