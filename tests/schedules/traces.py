"""What a recipe sets at every update, by the recipe itself and by a program written from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from schedules import Muon, Recipe

Setting = tuple[float, float | None, float | None]
"""Learning rate, momentum or beta1, weight decay; ``None`` where the recipe has no curve of its own for it."""


def runs(recipe: Recipe, horizon: int) -> bool:
    try:
        recipe.check(horizon)
    except ValueError:
        return False
    return True


def ours(recipe: Recipe, horizon: int, readings: Sequence[float], n_updates: int) -> list[Setting]:
    """Return the settings of each update; one reading comes after each of the first updates."""
    state, settings = recipe.schedule.start(), []
    for t in range(n_updates):
        momentum = None if recipe.momentum is None else recipe.momentum_at(t, horizon)
        decay = None if recipe.weight_decay is None else recipe.weight_decay_at(t, horizon)
        settings.append((recipe.rate(t, horizon, state), momentum, decay))
        if t < len(readings) and state is not None:
            state = recipe.schedule.observe(state, readings[t], t + 1, horizon)
    return settings


def executed(code: str) -> dict[str, Any]:
    module: dict[str, Any] = {}
    exec(code, module)  # noqa: S102  our own text, and only in tests
    return module


def built(module: dict[str, Any], recipe: Recipe) -> tuple[torch.optim.Optimizer, Any]:
    """Return optimizer and scheduler of an executed program; of Muon's two, that of the matrices."""
    weights = [torch.nn.Parameter(torch.zeros(2, 2)) for _ in range(2)]
    if isinstance(recipe.optimizer, Muon):
        optimizers, schedulers = module["build"](weights[:1], weights[1:])
        return optimizers[0], schedulers[0]
    optimizer, scheduler = module["build"](weights)
    return optimizer, scheduler


def stepped(
    recipe: Recipe, optimizer: torch.optim.Optimizer, scheduler: Any, readings: Sequence[float], n_updates: int
) -> list[Setting]:
    """Step a scheduler and return the settings of each update."""
    settings: list[Setting] = []
    group = optimizer.param_groups[0]
    # an optimizer asks for a step before its scheduler's; what the step does is not compared here
    optimizer._opt_called = True  # type: ignore[attr-defined]  # torch's own mark, set by its own wrapper
    for t in range(n_updates):
        own = group.get("momentum") if recipe.optimizer.momentum_field == "momentum" else group.get("betas", [None])[0]
        momentum = None if recipe.momentum is None else own
        settings.append((group["lr"], momentum, None if recipe.weight_decay is None else group["weight_decay"]))
        scheduler.step()
        if t < len(readings) and hasattr(scheduler, "observe"):
            scheduler.observe(readings[t])
    return settings


def assert_same(found: Sequence[Setting], expected: Sequence[Setting], recipe: Recipe) -> None:
    """Assert that settings are equal to 1e-12, of the peak rate for rates."""
    scales = (recipe.peak_lr, 1.0, recipe.optimizer.weight_decay)
    for number, scale in enumerate(scales):
        theirs, own = [each[number] for each in found], [each[number] for each in expected]
        assert (theirs[0] is None) == (own[0] is None)
        if own[0] is not None:
            assert theirs == pytest.approx(own, rel=1e-12, abs=1e-12 * scale)


def largest_difference(found: Sequence[Setting], expected: Sequence[Setting], recipe: Recipe) -> float:
    """Return the largest difference of the rates, as a share of the peak rate."""
    return max(abs(theirs[0] - own[0]) for theirs, own in zip(found, expected, strict=True)) / recipe.peak_lr
