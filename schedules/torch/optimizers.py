"""Optimizer values as optimizers of torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from torch import Tensor, optim

from schedules.optimizers import (
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    KnownOptimizer,
    Lion,
    Muon,
    Nadam,
    Rmsprop,
    ScheduleFreeAdamW,
    ScheduleFreeSgd,
    Sgd,
)
from schedules.torch.muon import MuonWithAdamW, between_first_and_last


def build_optimizer(
    optimizer: KnownOptimizer,
    params: Iterable[Tensor],
    lr: float,
    *,
    fused: bool | None = None,
    hidden: Iterable[Tensor] | None = None,
) -> optim.Optimizer:
    """Build the library's optimizer with these constants: torch's, lion-pytorch's or schedulefree's.

    Args:
        params: the weights, in the order of layers.
        lr: the learning rate that it starts with.
        fused: torch's own flag: one operation for all weights, where device and rule have one.
        hidden: the matrices that Muon takes; without it those between the first and the last layer.

    Raises:
        ValueError: Muon finds no hidden matrix.
        ModuleNotFoundError: the library is not installed.
    """
    weights = list(params)
    match optimizer:
        case Sgd(momentum=momentum, nesterov=nesterov, weight_decay=decay):
            return optim.SGD(weights, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=decay, fused=fused)
        case Lion():
            return _lion(optimizer, weights, lr)
        case Muon():
            return _muon(optimizer, weights, lr, fused, between_first_and_last(weights) if hidden is None else hidden)
        case ScheduleFreeSgd() | ScheduleFreeAdamW():
            return _schedule_free(optimizer, weights, lr)
        case _:
            return _adaptive(optimizer, weights, lr, fused)


def _adaptive(
    optimizer: Adagrad | Rmsprop | Adam | AdamW | Nadam | Adamax, weights: list[Tensor], lr: float, fused: bool | None
) -> optim.Optimizer:
    eps, decay = optimizer.eps, optimizer.weight_decay
    match optimizer:
        case Adagrad(initial_accumulator=start):
            return optim.Adagrad(
                weights, lr=lr, initial_accumulator_value=start, eps=eps, weight_decay=decay, fused=fused
            )
        case Rmsprop(alpha=alpha, centered=centered, momentum=momentum):
            return optim.RMSprop(
                weights, lr=lr, alpha=alpha, eps=eps, weight_decay=decay, momentum=momentum, centered=centered
            )
        case Adam(beta1=beta1, beta2=beta2):
            return optim.Adam(weights, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=decay, fused=fused)
        case AdamW(beta1=beta1, beta2=beta2):
            return optim.AdamW(weights, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=decay, fused=fused)
        case Nadam(beta1=beta1, beta2=beta2, momentum_decay=momentum_decay, decoupled=decoupled):
            return optim.NAdam(
                weights,
                lr=lr,
                betas=(beta1, beta2),
                eps=eps,
                weight_decay=decay,
                momentum_decay=momentum_decay,
                decoupled_weight_decay=decoupled,
            )
        case Adamax(beta1=beta1, beta2=beta2):
            return optim.Adamax(weights, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=decay)
        case _:
            assert_never(optimizer)


def _muon(
    optimizer: Muon, weights: list[Tensor], lr: float, fused: bool | None, hidden: Iterable[Tensor]
) -> MuonWithAdamW:
    matrices = list(hidden)
    if not matrices:
        raise ValueError(
            "the optimizer 'muon' needs a hidden matrix, a weight of two dimensions between the first and the last "
            f"layer, but of these {len(weights)} weights none is one"
        )
    taken = {id(matrix) for matrix in matrices}
    rest = [weight for weight in weights if id(weight) not in taken]
    muon = optim.Muon(
        matrices,
        lr=lr,
        weight_decay=optimizer.weight_decay,
        momentum=optimizer.momentum,
        nesterov=optimizer.nesterov,
        ns_steps=optimizer.n_iterations,
        adjust_lr_fn="match_rms_adamw",
    )
    if not rest:
        return MuonWithAdamW(muon, None)
    betas = (optimizer.beta1, optimizer.beta2)
    adamw = optim.AdamW(rest, lr=lr, betas=betas, eps=optimizer.eps, weight_decay=optimizer.weight_decay, fused=fused)
    return MuonWithAdamW(muon, adamw)


def _lion(optimizer: Lion, weights: list[Tensor], lr: float) -> optim.Optimizer:
    try:
        from lion_pytorch.foreach import Lion as LionPytorch  # noqa: PLC0415  only who uses it needs it
    except ModuleNotFoundError as error:
        raise _missing(optimizer, "lion-pytorch") from error
    betas = (optimizer.beta1, optimizer.beta2)
    built: optim.Optimizer = LionPytorch(weights, lr=lr, betas=betas, weight_decay=optimizer.weight_decay)
    return built


def _schedule_free(optimizer: ScheduleFreeSgd | ScheduleFreeAdamW, weights: list[Tensor], lr: float) -> optim.Optimizer:
    try:
        import schedulefree  # noqa: PLC0415  only who uses it needs it
    except ModuleNotFoundError as error:
        raise _missing(optimizer, "schedulefree") from error
    decay = optimizer.weight_decay
    built: optim.Optimizer
    match optimizer:
        case ScheduleFreeSgd(momentum=momentum):
            built = schedulefree.SGDScheduleFree(weights, lr=lr, momentum=momentum, weight_decay=decay)
        case ScheduleFreeAdamW(beta1=beta1, beta2=beta2, eps=eps):
            built = schedulefree.AdamWScheduleFree(weights, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=decay)
        case _:
            assert_never(optimizer)
    return built


def _missing(optimizer: KnownOptimizer, package: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        f"the optimizer {optimizer.kind!r} needs the package {package}, which is not installed here: "
        f"install etude[train], or {package} by itself"
    )
