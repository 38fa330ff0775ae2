"""The constants of one run that a recipe drives: computed by it, set by us at every update, checked after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from torch.optim import Optimizer

from schedules import Recipe
from schedules.torch import RateChanged

Group = dict[str, Any]


class Pilot:
    """Sets the rate of a recipe at every update, and remembers what a plateau schedule has read.

    Where the recipe has curves for them, weight decay and momentum are set and checked like the rate.

    Attributes:
        rate: the rate of the last update; the peak rate before the first.
    """

    def __init__(self, optimizer: Optimizer, recipe: Recipe, horizon: int) -> None:
        self.rate = recipe.peak_lr
        self._optimizer = optimizer
        self._recipe = recipe
        self._horizon = horizon
        self._state = recipe.schedule.start()
        self._curves = _curves(recipe)

    def step(self, update: int) -> float:
        """Make one update with the recipe's rate, clear the gradients, and return the rate.

        Raises:
            RateChanged: something else has written a rate, or what a curve drives, since it was last set.
        """
        rate = self._recipe.rate(update, self._horizon, self._state)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        wanted = self._set_curves(update) if self._curves else ()
        self._optimizer.step()
        for group in self._optimizer.param_groups:
            if group["lr"] != rate:
                raise RateChanged(update, "lr", rate, float(group["lr"]))
        if wanted:
            self._check_curves(update, wanted)
        self._optimizer.zero_grad(set_to_none=True)
        self.rate = rate
        return rate

    def observe(self, metric: float, done: int) -> None:
        """Let a schedule that reads a metric read it, ``done`` updates into the run."""
        if self._state is not None:
            self._state = self._recipe.schedule.observe(self._state, metric, done, self._horizon)

    def _set_curves(self, update: int) -> tuple[float, ...]:
        wanted = tuple(curve.at(update, self._horizon) for curve in self._curves)
        for curve, value in zip(self._curves, wanted, strict=True):
            for group in curve.groups(self._optimizer):
                curve.write(group, value)
        return wanted

    def _check_curves(self, update: int, wanted: tuple[float, ...]) -> None:
        for curve, value in zip(self._curves, wanted, strict=True):
            for group in curve.groups(self._optimizer):
                if curve.read(group) != value:
                    raise RateChanged(update, curve.key, value, curve.read(group))


@dataclass(frozen=True)
class _Curve:
    """A constant beside the rate, and where the optimizer's groups keep it.

    A group without the key has no such constant: of Muon's two, only that of the matrices has a momentum.

    Attributes:
        at: its value at an update of a run of so many.
    """

    key: Literal["weight_decay", "momentum", "betas"]
    at: Callable[[int, int], float]

    def groups(self, optimizer: Optimizer) -> list[Group]:
        return [group for group in optimizer.param_groups if self.key in group]

    def read(self, group: Group) -> float:
        value = group[self.key]
        return float(value[0] if self.key == "betas" else value)

    def write(self, group: Group, value: float) -> None:
        group[self.key] = (value, *group["betas"][1:]) if self.key == "betas" else value


def _curves(recipe: Recipe) -> tuple[_Curve, ...]:
    curves, momentum = [], recipe.optimizer.memory
    if recipe.weight_decay is not None:
        curves.append(_Curve("weight_decay", recipe.weight_decay_at))
    if recipe.momentum is not None and momentum is not None:
        key: Literal["momentum", "betas"] = "betas" if recipe.optimizer.momentum_field == "beta1" else "momentum"
        curves.append(_Curve(key, partial(recipe.momentum.at, momentum)))
    return tuple(curves)
