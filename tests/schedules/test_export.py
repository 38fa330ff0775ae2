"""The torch code of a recipe, run and compared with the recipe."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import (
    OPTIMIZERS,
    Adagrad,
    Cooldown,
    Cosine,
    Ema,
    MultiFactor,
    Muon,
    Plateau,
    Product,
    Recipe,
    Sgd,
    Swa,
    Warmup,
)
from schedules.export import lightning_snippet, samples, torch_snippet
from schedules.export.natives import native
from schedules.export.scheduler import scheduler
from schedules.optimizers import KnownOptimizer
from schedules.torch import build_optimizer
from tests.schedules.traces import assert_same, built, executed, ours, runs, stepped
from tests.strategies import full_recipes, joins, metrics, optimizers, plateaus, recipes, restarts, shapes

STANDALONE = {kind: made for kind, made in OPTIMIZERS.items() if kind not in ("lion",) and "schedule_free" not in kind}
EXAMPLES = samples()


def is_installed(recipe: Recipe) -> bool:
    return recipe.optimizer.kind in STANDALONE


def assert_code_runs_as(recipe: Recipe, horizon: int, readings: list[float]) -> None:
    n_updates = horizon if native(recipe, horizon) else horizon + 3
    optimizer, made = built(executed(torch_snippet(recipe, horizon)), recipe)
    theirs = stepped(recipe, optimizer, made, readings, n_updates)
    assert_same(theirs, ours(recipe, horizon, readings, n_updates), recipe)


def test_a_horizon_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="'cosine' needs at least 2 updates"):
        torch_snippet(Recipe(optimizer=Sgd(), peak_lr=0.1, schedule=Cosine()), 1)


@settings(max_examples=200)
@given(full_recipes(), st.integers(2, 400), st.lists(metrics(), max_size=40))
def test_the_code_of_a_recipe_runs_as_the_recipe(recipe: Recipe, horizon: int, readings: list[float]) -> None:
    if is_installed(recipe) and recipe.peak_lr > 1e-200 and runs(recipe, horizon):
        assert_code_runs_as(recipe, horizon, readings)


@settings(max_examples=100)
@given(full_recipes(), st.integers(2, 400), st.lists(metrics(), max_size=40))
def test_the_code_for_lightning_runs_as_the_recipe(recipe: Recipe, horizon: int, readings: list[float]) -> None:
    if recipe.optimizer.kind == "muon" or not is_installed(recipe) or recipe.peak_lr < 1e-200:
        return
    if runs(recipe, horizon):
        module = executed(lightning_snippet(recipe, horizon))["ConfiguredByRecipe"]()
        module.parameters = lambda: [torch.nn.Parameter(torch.zeros(1))]
        made = module.configure_optimizers()
        scheduler = made["lr_scheduler"]["scheduler"]
        assert made["lr_scheduler"]["interval"] == "step"
        theirs = stepped(recipe, made["optimizer"], scheduler, readings, horizon)
        assert_same(theirs, ours(recipe, horizon, readings, horizon), recipe)


@settings(max_examples=200)
@given(recipes(st.one_of(shapes(), restarts())), st.integers(2, 2000))
def test_the_code_of_a_family_runs_as_the_recipe(recipe: Recipe, horizon: int) -> None:
    # torch multiplies up the rates of its own schedulers, which are not numbers any more near the smallest ones
    recipe = recipe.model_copy(update={"optimizer": Sgd(), "peak_lr": max(recipe.peak_lr, 1e-9)})
    if runs(recipe, horizon):
        assert_code_runs_as(recipe, horizon, [])


@settings(max_examples=200)
@given(recipes(st.one_of(plateaus(), joins(plateaus()), joins(joins(plateaus())))), st.lists(metrics(), max_size=60))
def test_the_code_of_a_plateau_runs_as_the_recipe(recipe: Recipe, readings: list[float]) -> None:
    recipe = recipe.model_copy(update={"optimizer": Sgd()})
    if recipe.peak_lr > 1e-200 and runs(recipe, 60):
        assert_code_runs_as(recipe, 60, readings)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if is_installed(EXAMPLES[name])])
@pytest.mark.parametrize("horizon", [100, 1237, 20_000])
def test_the_code_of_every_example_runs_as_the_recipe(name: str, horizon: int) -> None:
    assert_code_runs_as(EXAMPLES[name], horizon, [1.0] * 50)


@pytest.mark.parametrize(
    "kind, name",
    [
        ("constant", "ConstantLR"),
        ("step", "StepLR"),
        ("multi_factor", "MultiStepLR"),
        ("linear", "LinearLR"),
        ("polynomial", "PolynomialLR"),
        ("cosine", "CosineAnnealingLR"),
        ("cyclic", "CyclicLR"),
        ("one_cycle", "OneCycleLR"),
        ("one_cycle and its momentum", "OneCycleLR"),
        ("restarts", "CosineAnnealingWarmRestarts"),
    ],
)
def test_a_scheduler_of_torch_is_named_where_one_makes_these_rates(kind: str, name: str) -> None:
    made = scheduler(EXAMPLES[kind], 1200)
    assert made.native is not None
    assert made.native.name == name


@pytest.mark.parametrize(
    "kind", ["factor", "warmup", "plateau", "wsd", "weight-decay curve", "averaging swa, its tail"]
)
def test_no_scheduler_of_torch_is_named_where_none_makes_these_rates(kind: str) -> None:
    assert scheduler(EXAMPLES[kind], 1200).native is None


@settings(max_examples=60)
@given(optimizers())
def test_the_code_builds_the_optimizer_of_the_recipe(optimizer: KnownOptimizer) -> None:
    recipe = Recipe(optimizer=optimizer, peak_lr=0.5, schedule=Cosine())
    if not is_installed(recipe) or isinstance(optimizer, Muon):
        return
    written, _ = built(executed(torch_snippet(recipe, 10)), recipe)
    made = build_optimizer(optimizer, [torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    assert type(written) is type(made)
    assert written.defaults == made.defaults


def test_the_code_builds_both_optimizers_of_muon() -> None:
    recipe = Recipe(optimizer=Muon(), peak_lr=0.5, schedule=Cosine())
    matrix, bias = torch.nn.Parameter(torch.zeros(2, 2)), torch.nn.Parameter(torch.zeros(2))
    (muon, adamw), _ = executed(torch_snippet(recipe, 10))["build"]([matrix], [bias])
    layers = [torch.nn.Parameter(torch.zeros(2, 2)) for _ in range(3)]
    made = build_optimizer(Muon(), layers, lr=0.5)
    constants = [{name: value for name, value in group.items() if name != "params"} for group in made.param_groups]
    for written, expected in zip((muon, adamw), constants, strict=True):
        assert {name: value for name, value in expected.items() if written.defaults.get(name) != value} == {}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_code_needs_torch_and_the_library_of_its_optimizer(name: str) -> None:
    tree = ast.parse(torch_snippet(EXAMPLES[name], 740))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    own = {"optimizer lion": {"lion_pytorch"}}.get(name, {"schedulefree"} if "schedule_free" in name else set())
    assert imported - {"math"} == {"torch"} | own
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
    t = min(t, 100)
    if t < 10:
        return (t + 1) / 10
    t -= 10
    return 0.1 ** sum(milestone <= t for milestone in [45, 68])


def build(parameters):
    optimizer = torch.optim.Adagrad(parameters, lr=0.25, initial_accumulator_value=0.0, eps=1e-10, weight_decay=0.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda=multiplier)
    return optimizer, scheduler
'''
    )


def test_the_code_of_a_scheduler_of_torch_says_where_it_ends() -> None:
    code = torch_snippet(Recipe(optimizer=Sgd(), peak_lr=0.5, schedule=Cosine(final_ratio=0.1)), 740)
    assert "scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=740, eta_min=0.05)" in code
    assert "It is for 740 updates and no more: past them it climbs again." in code


def test_a_plateau_in_code_ignores_what_it_hears_outside_of_its_part() -> None:
    plateau = Cooldown(fraction=0.5, first=Plateau(factor=0.5, patience=0), decay="linear")
    recipe = Recipe(optimizer=Sgd(), peak_lr=1.0, schedule=Warmup(fraction=0.2, then=plateau))
    assert_code_runs_as(recipe, 20, [math.nan, *[5.0] * 19])
    optimizer, made = built(executed(torch_snippet(recipe, 20)), recipe)
    heard = [rate for rate, _, _ in stepped(recipe, optimizer, made, [math.nan, 5.0, 5.0, 4.0, 4.0], 6)]
    assert heard == [0.25, 0.5, 0.75, 1.0, 1.0, 0.5]


def test_a_scheduler_in_code_goes_on_from_its_saved_state() -> None:
    recipe = Recipe(optimizer=Sgd(), peak_lr=1.0, schedule=Product(schedules=(Cosine(), Plateau(patience=1))))
    module = executed(torch_snippet(recipe, 30))
    optimizer, first = built(module, recipe)
    stepped(recipe, optimizer, first, [1.0] * 9, 10)
    again, second = built(module, recipe)
    again.load_state_dict(optimizer.state_dict())
    second.load_state_dict(first.state_dict())
    assert_same(
        stepped(recipe, again, second, [1.0] * 20, 20), stepped(recipe, optimizer, first, [1.0] * 20, 20), recipe
    )


@pytest.mark.parametrize(
    "averaging, entering", [(Swa(start_fraction=0.5, every_fraction=0.2), [7, 9]), (Ema(decay=0.5), [*range(1, 11)])]
)
def test_the_code_averages_as_the_recipe_says(averaging: Any, entering: list[int]) -> None:
    recipe = Recipe(optimizer=Sgd(), peak_lr=0.1, schedule=Cosine(), averaging=averaging)
    code = torch_snippet(recipe, 10)
    (condition,) = [line.split("if ")[1].split(":")[0] for line in code.splitlines() if "update_parameters" in line]
    assert [n for n in range(1, 11) if eval(condition, {"n": n})] == entering  # noqa: S307  our own text
    model = torch.nn.Linear(1, 1, bias=False)
    averaged = executed(code)["average"](model)
    for weight in (1.0, 3.0):
        torch.nn.init.constant_(model.weight, weight)
        averaged.update_parameters(model)
    assert averaged.module.weight.item() == 2.0
