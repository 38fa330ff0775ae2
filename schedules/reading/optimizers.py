"""Read an optimizer of torch with its scheduler as a whole recipe. torch itself is not needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from schedules.optimizers import Adagrad, Adam, Adamax, AdamW, KnownOptimizer, Lion, Nadam, Rmsprop, Sgd
from schedules.reading.base import Momentum, NotExact, Reading
from schedules.reading.torch import read_torch
from schedules.recipe import Recipe

Group = Mapping[str, Any]


def read_recipe(scheduler: Any, horizon: int) -> tuple[Recipe, Reading]:
    """Read a scheduler of torch, and the optimizer that it drives, as a recipe.

    Args:
        horizon: updates of the whole run.

    Returns:
        the recipe, and the reading with the conditions under which it is exact.

    Raises:
        NotExact: no recipe does the same; the message says why.
    """
    reading = read_torch(scheduler, horizon)
    optimizer = read_optimizer(scheduler.optimizer, reading.momentum)
    fields = {"optimizer": optimizer, "peak_lr": reading.peak_lr, "schedule": reading.schedule}
    curve = None if reading.momentum is None else reading.momentum.curve
    recipe = Recipe.model_validate({**fields, "momentum": curve})
    try:
        recipe.check(horizon)
    except ValueError as error:
        raise NotExact(f"no recipe does the same: {error}") from error
    return recipe, reading


def read_optimizer(optimizer: Any, momentum: Momentum | None = None) -> KnownOptimizer:
    """Read an optimizer of torch, or Lion of lion-pytorch.

    Args:
        momentum: how a scheduler moves the momentum; the optimizer's own is then the highest.

    Raises:
        NotExact: it is none of ours, or does something that ours does not.
    """
    name = type(optimizer).__name__
    if name not in _READERS:
        raise NotExact(f"{name} is none of the optimizers that are read: {', '.join(sorted(_READERS))}")
    groups = [{key: value for key, value in group.items() if key not in _OWN} for group in optimizer.param_groups]
    if any(group != groups[0] for group in groups):
        raise NotExact(f"a recipe has one set of constants, but the groups of this {name} differ")
    group = dict(groups[0])
    if momentum is not None:
        moved = {"betas": (momentum.high, *group["betas"][1:])} if "betas" in group else {"momentum": momentum.high}
        group |= moved
    for key in _NEVER:
        if group.get(key):
            raise NotExact(f"this {name} has {key} = {group[key]!r}, and no optimizer of ours has it")
    return _READERS[name](group)


_OWN = frozenset({"params", "lr", "initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum"})
"""What tells groups apart without being a constant of the rule."""

_NEVER = ("dampening", "maximize", "amsgrad", "lr_decay", "cautious_factor")


def _sgd(group: Group) -> Sgd:
    return Sgd(momentum=group["momentum"], nesterov=group["nesterov"], weight_decay=group["weight_decay"])


def _adagrad(group: Group) -> Adagrad:
    start = group["initial_accumulator_value"]
    return Adagrad(initial_accumulator=start, eps=group["eps"], weight_decay=group["weight_decay"])


def _rmsprop(group: Group) -> Rmsprop:
    keys = ("alpha", "eps", "centered", "momentum", "weight_decay")
    return Rmsprop.model_validate({key: group[key] for key in keys})


def _adam(group: Group) -> Adam | AdamW:
    if group.get("decoupled_weight_decay"):
        return AdamW.model_validate(_moments(group))
    return Adam.model_validate(_moments(group))


def _nadam(group: Group) -> Nadam:
    more = {"momentum_decay": group["momentum_decay"], "decoupled": group["decoupled_weight_decay"]}
    return Nadam.model_validate(_moments(group) | more)


def _adamax(group: Group) -> Adamax:
    return Adamax.model_validate(_moments(group))


def _lion(group: Group) -> Lion:
    beta1, beta2 = group["betas"]
    return Lion(beta1=beta1, beta2=beta2, weight_decay=group["weight_decay"])


def _moments(group: Group) -> dict[str, float]:
    beta1, beta2 = group["betas"]
    return {"beta1": beta1, "beta2": beta2, "eps": group["eps"], "weight_decay": group["weight_decay"]}


_READERS: Mapping[str, Callable[[Group], KnownOptimizer]] = MappingProxyType(
    {
        "SGD": _sgd,
        "Adagrad": _adagrad,
        "RMSprop": _rmsprop,
        "Adam": _adam,
        "AdamW": _adam,
        "NAdam": _nadam,
        "Adamax": _adamax,
        "Lion": _lion,
    }
)
