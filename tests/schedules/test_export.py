"""The torch code of a recipe, run and compared with the recipe."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import FAMILIES, OPTIMIZERS, Adagrad, Cosine, MultiFactor, Plateau, Recipe, Sgd, Warmup
from schedules.export import torch_snippet
from schedules.torch import build_optimizer
from tests.strategies import metrics, optimizers, plateaus, recipes, shapes, warmups


def their_rates(recipe: Recipe, horizon: int, readings: list[float]) -> list[float]:
    """Run the snippet, reading one metric after each update for as long as there are readings."""
    module: dict[str, Any] = {}
    exec(torch_snippet(recipe, horizon), module)  # noqa: S102  our own text, and only here
    optimizer, scheduler = module["build"]([torch.nn.Parameter(torch.zeros(1))])
    rates = []
    for t in range(horizon + 3):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
        if t < len(readings):
            scheduler.observe(readings[t])
    return rates


def our_rates(recipe: Recipe, horizon: int, readings: list[float]) -> list[float]:
    state, rates = recipe.schedule.start(), []
    for t in range(horizon + 3):
        rates.append(recipe.rate(t, horizon, state))
        if t < len(readings) and state is not None:
            state = recipe.schedule.observe(state, readings[t], t + 1, horizon)
    return rates


def runs(recipe: Recipe, horizon: int) -> bool:
    try:
        recipe.check(horizon)
    except ValueError:
        return False
    return True


@settings(max_examples=60)
@given(recipes(st.one_of(shapes(), warmups(shapes()))), st.integers(2, 60))
def test_the_code_of_a_shape_runs_at_the_rates_of_the_recipe(recipe: Recipe, horizon: int) -> None:
    if runs(recipe, horizon):
        expected = our_rates(recipe, horizon, [])
        assert their_rates(recipe, horizon, []) == pytest.approx(expected, rel=1e-12, abs=1e-12 * recipe.peak_lr)


@settings(max_examples=60)
@given(recipes(st.one_of(plateaus(), warmups(plateaus()))), st.lists(metrics(), max_size=40))
def test_the_code_of_a_plateau_runs_at_the_rates_of_the_recipe(recipe: Recipe, readings: list[float]) -> None:
    if runs(recipe, 40):
        expected = our_rates(recipe, 40, readings)
        assert their_rates(recipe, 40, readings) == pytest.approx(expected, rel=1e-12, abs=1e-12 * recipe.peak_lr)


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_is_written_under_a_warmup(kind: str) -> None:
    family = FAMILIES[kind].build({name: searched.default for name, searched in FAMILIES[kind].searched.items()})
    schedule = Warmup.model_validate({"fraction": 0.1, "then": family})
    recipe, stuck = Recipe(optimizer=Sgd(), peak_lr=0.5, schedule=schedule), [1.0] * 30
    readings = stuck if schedule.start() else []
    assert their_rates(recipe, 50, readings) == pytest.approx(our_rates(recipe, 50, readings), abs=1e-12)


@settings(max_examples=40)
@given(optimizers())
def test_the_code_builds_the_optimizer_of_the_recipe(optimizer: Any) -> None:
    recipe = Recipe(optimizer=optimizer, peak_lr=0.5, schedule=Cosine())
    module: dict[str, Any] = {}
    exec(torch_snippet(recipe, 10), module)  # noqa: S102  our own text, and only here
    written, _ = module["build"]([torch.nn.Parameter(torch.zeros(1))])
    built = build_optimizer(optimizer, [torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    assert type(written) is type(built)
    assert written.defaults == built.defaults


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_code_needs_torch_and_nothing_else(kind: str) -> None:
    optimizer = OPTIMIZERS[kind].model_validate({"kind": kind})
    recipe = Recipe.model_validate({"optimizer": optimizer, "peak_lr": 0.1, "schedule": Warmup(then=Plateau())})
    tree = ast.parse(torch_snippet(recipe, 740))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"math", "torch"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def test_the_code_of_a_recipe_reads_like_this() -> None:
    recipe = Recipe(optimizer=Adagrad(), peak_lr=0.25, schedule=Warmup(fraction=0.1, then=MultiFactor()))
    assert torch_snippet(recipe, 100) == (
        f'''"""adagrad 2.5e-01 · warmup 10% · multi factor × 0.1 at 0.5, 0.75

Etude recipe {recipe.digest[:12]} for a run of 100 updates.

    optimizer, scheduler = build(model.parameters())
    for every batch:
        loss.backward(); optimizer.step(); scheduler.step(); optimizer.zero_grad()
"""

import torch


def multiplier(t):
    """The share of the peak learning rate at which update t runs; the first update is t = 0."""
    if t < 10:
        return (t + 1) / 10
    t = min(t - 10, 90)
    return 0.1 ** sum(milestone <= t for milestone in [45, 68])


def build(parameters):
    optimizer = torch.optim.Adagrad(
        parameters, lr=0.25, initial_accumulator_value=0.0, eps=1e-10, weight_decay=0.0
    )
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, multiplier)
'''
    )


def test_a_plateau_in_code_ignores_what_it_hears_during_the_warmup() -> None:
    plateau = Plateau(factor=0.5, patience=0)
    recipe = Recipe(optimizer=Sgd(), peak_lr=1.0, schedule=Warmup(fraction=0.1, then=plateau))
    assert their_rates(recipe, 20, [math.nan, 5.0, 5.0, 4.0])[:5] == [0.5, 1.0, 1.0, 0.5, 0.5]
