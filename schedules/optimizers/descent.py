"""Rules that step along the gradient or its running mean, without a size for each weight of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schedules.base import NonNegativeNumber, OpenFraction, PositiveNumber, Range
from schedules.optimizers.base import Memory, Optimizer, given


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
    momentum_field: ClassVar[Literal["momentum", "beta1"] | None] = "momentum"

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
        momentum = given(momentum, "sgd")
        return cls(momentum=momentum, nesterov=momentum > 0, weight_decay=weight_decay)


class Lion(Optimizer):
    """The sign of a running mean of the gradient: every weight moves by the rate; the decay is decoupled.

    As ``lion_pytorch.Lion``. Since every step has full size, the rate is 3 to 10 times smaller than AdamW's and the
    decay as many times larger, so that their product stays the same.

    Attributes:
        beta1: the share of the mean in the direction of a step, against the newest gradient.
        beta2: how much of the mean is kept.

    Source: Chen et al. (2023), arXiv:2302.06675, section 5 for the rate and the decay; ranges: AdamW's by these
    factors, the rate up to 0.01 for small networks.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "peak_lr": Range(1e-5, 1e-2, "log", 3e-4),
        "weight_decay": Range(1e-2, 10.0, "log", 0.1),
        "momentum": Range(0.5, 0.98, "one_minus_log", 0.9),
    }
    momentum_field: ClassVar[Literal["momentum", "beta1"] | None] = "beta1"

    kind: Literal["lion"] = "lion"
    beta1: Memory = 0.9
    beta2: Memory = 0.99
    weight_decay: NonNegativeNumber = 0.0

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        return cls(beta1=given(momentum, "lion"), weight_decay=weight_decay)


class Muon(Optimizer):
    """Momentum made orthogonal for the hidden matrices; AdamW at the same rate and decay for everything else.

    As ``torch.optim.Muon`` with ``adjust_lr_fn="match_rms_adamw"``, which scales the step of an A × B matrix by
    0.2 sqrt(max(A, B)), the size of AdamW's steps, so that one rate serves both. Keller Jordan's own scale, torch's
    ``original``, needs a rate of its own for the rest and is not offered. The hidden matrices are the two-dimensional
    weights but for embeddings and for the first and the last layer; a task may name others. Convolutions, biases
    and norms are AdamW's. The decay of both is decoupled.

    Attributes:
        momentum: of the matrices; a momentum curve drives this one.
        nesterov: whether the matrices take Nesterov's form of it.
        n_iterations: Newton-Schulz iterations of each step; torch's ``ns_steps``.
        beta1: of AdamW.
        beta2: of AdamW.
        eps: of AdamW.

    Source: Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/; Liu et al. (2025), arXiv:2502.16982,
    for the scale of the steps; ranges: AdamW's.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "peak_lr": Range(1e-4, 1e-1, "log", 1e-3),
        "weight_decay": Range(5e-3, 1.0, "log", 0.1),
        "momentum": Range(0.8, 0.99, "one_minus_log", 0.95),
    }
    momentum_field: ClassVar[Literal["momentum", "beta1"] | None] = "momentum"

    kind: Literal["muon"] = "muon"
    momentum: Memory = 0.95
    nesterov: Annotated[bool, Field(strict=True)] = True
    n_iterations: Annotated[int, Field(strict=True, ge=1, le=20)] = 5
    beta1: Memory = 0.9
    beta2: Memory = 0.95
    eps: PositiveNumber = 1e-8
    weight_decay: NonNegativeNumber = 0.1

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        return cls(momentum=given(momentum, "muon"), weight_decay=weight_decay)


class ScheduleFreeSgd(Optimizer):
    """Gradient descent that averages its weights as it goes, in place of a decay of the rate.

    As ``schedulefree.SGDScheduleFree``. Gradients are taken between the newest weights and their average; evaluated
    is the average. The rate is 10 to 50 times that of SGD with momentum, and wants a warm-up.

    Attributes:
        momentum: where gradients are taken, from the newest weights (0) to the average (1).

    Source: Defazio et al. (2024), arXiv:2405.15682; ranges: https://github.com/facebookresearch/schedule_free and
    its entry to the AlgoPerf benchmark, the rate down to 0.1 for small networks.
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "peak_lr": Range(0.1, 10.0, "log", 1.0),
        "weight_decay": Range(1e-7, 1e-2, "log", 1e-4),
        "momentum": Range(0.9, 0.98, "one_minus_log", 0.9),
    }
    momentum_field: ClassVar[Literal["momentum", "beta1"] | None] = "momentum"
    is_schedule_free: ClassVar[bool] = True

    kind: Literal["schedule_free_sgd"] = "schedule_free_sgd"
    momentum: OpenFraction = 0.9
    weight_decay: NonNegativeNumber = 0.0

    @classmethod
    def build(cls, *, weight_decay: float, momentum: float | None) -> Self:
        return cls(momentum=given(momentum, "schedule_free_sgd"), weight_decay=weight_decay)
