"""Rules that scale the step of every weight by the size of its gradients so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from schedules.base import NonNegativeNumber, OpenFraction, PositiveNumber, Range
from schedules.optimizers.base import Memory, Optimizer, given, refuse


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
        refuse(momentum, "adagrad")
        return cls(weight_decay=weight_decay)


class Rmsprop(Optimizer):
    """RMSprop; ``weight_decay`` is added to the gradient. A search leaves it without momentum.

    As ``torch.optim.RMSprop``.

    Attributes:
        alpha: how much of the mean square of the gradient is kept.
        centered: whether the square of the mean is taken off it.
        momentum: of the scaled steps.

    Source: Tieleman and Hinton (2012), lecture 6.5 of "Neural Networks for Machine Learning"; ranges: judgement;
    the rate as far up as the best one of the digits network lies well inside, which is 0.01.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "peak_lr": Range(1e-5, 3e-2, "log", 1e-3),
        "weight_decay": Range(1e-6, 1e-2, "log", 1e-5),
    }
    momentum_field: ClassVar[Literal["momentum", "beta1"] | None] = "momentum"

    kind: Literal["rmsprop"] = "rmsprop"
    alpha: Memory = 0.99
    eps: PositiveNumber = 1e-8
    centered: Annotated[bool, Field(strict=True)] = False
    momentum: Memory = 0.0
    weight_decay: NonNegativeNumber = 0.0

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        refuse(momentum, "rmsprop")
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
    momentum_field: ClassVar[Literal["momentum", "beta1"] | None] = "beta1"

    kind: Literal["adam"] = "adam"
    beta1: Memory = 0.9
    beta2: Memory = 0.999
    eps: PositiveNumber = 1e-8
    weight_decay: NonNegativeNumber = 0.0

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        return cls(beta1=given(momentum, "adam"), weight_decay=weight_decay)


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
    momentum_field: ClassVar[Literal["momentum", "beta1"] | None] = "beta1"

    kind: Literal["adamw"] = "adamw"
    beta1: Memory = 0.9
    beta2: Memory = 0.999
    eps: PositiveNumber = 1e-8
    weight_decay: NonNegativeNumber = 0.01

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        return cls(beta1=given(momentum, "adamw"), weight_decay=weight_decay)


class Nadam(Optimizer):
    """Adam with Nesterov's momentum; ``weight_decay`` is added to the gradient, or decoupled as AdamW's.

    As ``torch.optim.NAdam``, whose beta1 starts at half its value and rises to it at a pace set by
    ``momentum_decay``. A search uses the decoupled decay.

    Source: Dozat (2016), "Incorporating Nesterov Momentum into Adam"; ranges: the AlgoPerf benchmark's search space
    of NAdamW, widened to small networks: the rate up to 0.1, beta1 down to 0.8.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "peak_lr": Range(1e-4, 1e-1, "log", 1e-3),
        "weight_decay": Range(5e-3, 1.0, "log", 1e-2),
        "momentum": Range(0.8, 0.996, "one_minus_log", 0.9),
    }
    momentum_field: ClassVar[Literal["momentum", "beta1"] | None] = "beta1"

    kind: Literal["nadam"] = "nadam"
    beta1: Memory = 0.9
    beta2: Memory = 0.999
    eps: PositiveNumber = 1e-8
    momentum_decay: NonNegativeNumber = 4e-3
    decoupled: Annotated[bool, Field(strict=True)] = False
    weight_decay: NonNegativeNumber = 0.0

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        return cls(beta1=given(momentum, "nadam"), decoupled=True, weight_decay=weight_decay)


class Adamax(Optimizer):
    """Adam scaled by the largest gradient so far, forgotten slowly, instead of the mean square.

    As ``torch.optim.Adamax``; ``weight_decay`` is added to the gradient.

    Source: Kingma and Ba (2015), section 7.1, arXiv:1412.6980; ranges: Adam's, the rate as far up as the
    best one of the digits network lies well inside, which is 0.1.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "peak_lr": Range(1e-4, 0.3, "log", 2e-3),
        "weight_decay": Range(1e-6, 1e-2, "log", 1e-5),
        "momentum": Range(0.5, 0.98, "one_minus_log", 0.9),
    }
    momentum_field: ClassVar[Literal["momentum", "beta1"] | None] = "beta1"

    kind: Literal["adamax"] = "adamax"
    beta1: Memory = 0.9
    beta2: Memory = 0.999
    eps: PositiveNumber = 1e-8
    weight_decay: NonNegativeNumber = 0.0

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        return cls(beta1=given(momentum, "adamax"), weight_decay=weight_decay)


class ScheduleFreeAdamW(Optimizer):
    """AdamW that averages its weights as it goes, in place of a decay of the rate.

    As ``schedulefree.AdamWScheduleFree``. Gradients are taken between the newest weights and their average;
    evaluated is the average. The rate is 1 to 10 times AdamW's, and wants a warm-up.

    Attributes:
        beta1: where gradients are taken, from the newest weights (0) to the average (1).

    Source: Defazio et al. (2024), arXiv:2405.15682; ranges: https://github.com/facebookresearch/schedule_free and
    its entry to the AlgoPerf benchmark, the rate up to 0.1 for small networks.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "peak_lr": Range(1e-3, 1e-1, "log", 2.5e-3),
        "weight_decay": Range(5e-3, 1.0, "log", 0.08),
        "momentum": Range(0.9, 0.98, "one_minus_log", 0.9),
    }
    momentum_field: ClassVar[Literal["momentum", "beta1"] | None] = "beta1"
    is_schedule_free: ClassVar[bool] = True

    kind: Literal["schedule_free_adamw"] = "schedule_free_adamw"
    beta1: OpenFraction = 0.9
    beta2: Memory = 0.999
    eps: PositiveNumber = 1e-8
    weight_decay: NonNegativeNumber = 0.0

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        return cls(beta1=given(momentum, "schedule_free_adamw"), weight_decay=weight_decay)
