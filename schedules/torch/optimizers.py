"""Optimizer values as optimizers of torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from torch import Tensor, optim

from schedules.optimizers import Adagrad, Adam, AdamW, KnownOptimizer, Sgd


def build_optimizer(
    optimizer: KnownOptimizer, params: Iterable[Tensor], lr: float, *, fused: bool | None = None
) -> optim.Optimizer:
    """Build torch's optimizer with these constants.

    Args:
        lr: the learning rate that it starts with.
        fused: torch's own flag: one operation for all weights, where device and rule have one.
    """
    match optimizer:
        case Sgd(momentum=momentum, nesterov=nesterov, weight_decay=decay):
            return optim.SGD(params, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=decay, fused=fused)
        case Adagrad(initial_accumulator=start, eps=eps, weight_decay=decay):
            return optim.Adagrad(
                params, lr=lr, initial_accumulator_value=start, eps=eps, weight_decay=decay, fused=fused
            )
        case Adam(beta1=beta1, beta2=beta2, eps=eps, weight_decay=decay):
            return optim.Adam(params, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=decay, fused=fused)
        case AdamW(beta1=beta1, beta2=beta2, eps=eps, weight_decay=decay):
            return optim.AdamW(params, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=decay, fused=fused)
        case _:
            assert_never(optimizer)
