"""The optimizers that a recipe can name: their constants, and where a search looks for them.

The ranges are for small and medium networks trained from scratch with batches of up to a few hundred
examples; a study can give its own. ``peak_lr`` is the peak learning rate, ``weight_decay`` the decay
as the optimizer itself defines it, ``momentum`` its (first) moment's memory.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schedules.base import NonNegativeNumber, Number, PositiveNumber, Range

Memory = Annotated[Number, Field(ge=0, lt=1)]


class Optimizer(BaseModel):
    """An update rule and its constants, without the learning rate.

    Attributes:
        ranges: what a search varies: ``peak_lr``, ``weight_decay``, and ``momentum`` where there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ranges: ClassVar[Mapping[str, Range]] = {}

    kind: str

    @classmethod
    @abstractmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        """Make one from searched values.

        Raises:
            ValueError: a value is out of bounds, or ``momentum`` is given to a rule without one, or missing.
        """


def _given(momentum: float | None, kind: str) -> float:
    if momentum is None:
        raise ValueError(f"the optimizer {kind!r} needs a momentum, got none")
    return momentum


class Sgd(Optimizer):
    """Stochastic gradient descent with momentum; ``weight_decay`` is added to the gradient.

    As ``torch.optim.SGD`` with no dampening. A search uses Nesterov's form wherever there is momentum.

    Source: Sutskever et al. (2013); ranges: Bengio (2012), arXiv:1206.5533, and the AlgoPerf benchmark's search
    space, widened to small data sets.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "peak_lr": Range(1e-3, 1.0, "log", 0.05),
        "weight_decay": Range(1e-7, 1e-2, "log", 1e-4),
        "momentum": Range(0.7, 0.995, "one_minus_log", 0.9),
    }

    kind: Literal["sgd"] = "sgd"
    momentum: Memory = 0.9
    nesterov: Annotated[bool, Field(strict=True)] = False
    weight_decay: NonNegativeNumber = 0.0

    @model_validator(mode="after")
    def _refuse_nesterov_without_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0, got 0")
        return self

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        momentum = _given(momentum, "sgd")
        return cls(momentum=momentum, nesterov=momentum > 0, weight_decay=weight_decay)


class Adagrad(Optimizer):
    """Adagrad; ``weight_decay`` is added to the gradient.

    As ``torch.optim.Adagrad`` without its ``lr_decay``, which is a schedule of its own.

    Source: Duchi et al. (2011); ranges: judgement.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "peak_lr": Range(1e-3, 1.0, "log", 1e-2),
        "weight_decay": Range(1e-6, 1e-2, "log", 1e-5),
    }

    kind: Literal["adagrad"] = "adagrad"
    initial_accumulator: NonNegativeNumber = 0.0
    eps: PositiveNumber = 1e-10
    weight_decay: NonNegativeNumber = 0.0

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        if momentum is not None:
            raise ValueError(f"the optimizer 'adagrad' has no momentum, got {momentum}")
        return cls(weight_decay=weight_decay)


class Adam(Optimizer):
    """Adam; ``weight_decay`` is added to the gradient, so it is scaled like one.

    Source: Kingma and Ba (2015), arXiv:1412.6980; ranges: the AlgoPerf benchmark's search space, the rate
    up to 0.1 for small networks; the decay by judgement.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "peak_lr": Range(1e-4, 1e-1, "log", 1e-3),
        "weight_decay": Range(1e-6, 1e-2, "log", 1e-5),
        "momentum": Range(0.5, 0.98, "one_minus_log", 0.9),
    }

    kind: Literal["adam"] = "adam"
    beta1: Memory = 0.9
    beta2: Memory = 0.999
    eps: PositiveNumber = 1e-8
    weight_decay: NonNegativeNumber = 0.0

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        return cls(beta1=_given(momentum, "adam"), weight_decay=weight_decay)


class AdamW(Optimizer):
    """Adam with decoupled weight decay: each update also shrinks the weights by rate times ``weight_decay``.

    As in torch, the schedule therefore schedules the decay too.

    Source: Loshchilov and Hutter (2019), arXiv:1711.05101; ranges: the AlgoPerf benchmark's search space, the
    rate up to 0.1 for small networks.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "peak_lr": Range(1e-4, 1e-1, "log", 1e-3),
        "weight_decay": Range(5e-3, 1.0, "log", 1e-2),
        "momentum": Range(0.5, 0.98, "one_minus_log", 0.9),
    }

    kind: Literal["adamw"] = "adamw"
    beta1: Memory = 0.9
    beta2: Memory = 0.999
    eps: PositiveNumber = 1e-8
    weight_decay: NonNegativeNumber = 0.01

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        return cls(beta1=_given(momentum, "adamw"), weight_decay=weight_decay)


KnownOptimizer = Sgd | Adagrad | Adam | AdamW
AnyOptimizer = Annotated[KnownOptimizer, Field(discriminator="kind")]

OPTIMIZERS: Mapping[str, type[Optimizer]] = MappingProxyType(
    {optimizer.model_fields["kind"].default: optimizer for optimizer in get_args(KnownOptimizer)}
)
"""Each optimizer's class by its kind."""
