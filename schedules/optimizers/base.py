"""What every optimizer value has: constants, and where a search looks for them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from schedules.base import Number, Range

Memory = Annotated[Number, Field(ge=0, lt=1)]
"""How much of a running mean is kept at each update."""


class Optimizer(BaseModel):
    """An update rule and its constants, without the learning rate.

    Attributes:
        ranges: what a search varies: ``peak_lr``, ``weight_decay``, and ``momentum`` where there is one.
        momentum_field: the field that ``momentum`` stands for, and that a recipe's momentum curve drives; None for
            a rule without any.
        is_schedule_free: the rule averages its weights itself in place of a decay: its schedule is constant, under a
            warm-up or not, its momentum stays what it is, and no other averaging goes with it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ranges: ClassVar[Mapping[str, Range]] = {}
    momentum_field: ClassVar[Literal["momentum", "beta1"] | None] = None
    is_schedule_free: ClassVar[bool] = False

    kind: str

    @property
    def memory(self) -> float | None:
        """The constant that ``momentum_field`` names, 0 to 1; None for a rule without any."""
        return None if self.momentum_field is None else getattr(self, self.momentum_field)

    @classmethod
    @abstractmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        """Make one from searched values.

        Raises:
            ValueError: a value is out of bounds, or ``momentum`` is given to a rule that searches none, or missing.
        """


def given(momentum: float | None, kind: str) -> float:
    """Return the momentum that a rule with one was given.

    Raises:
        ValueError: there is none.
    """
    if momentum is None:
        raise ValueError(f"the optimizer {kind!r} needs a momentum, got none")
    return momentum


def refuse(momentum: float | None, kind: str) -> None:
    """Refuse a momentum where none is searched.

    Raises:
        ValueError: there is one.
    """
    if momentum is not None:
        raise ValueError(f"the optimizer {kind!r} is searched without momentum, got {momentum}")
