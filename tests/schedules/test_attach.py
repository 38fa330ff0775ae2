"""A recipe that drives the optimizer of a training program."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import optim

from schedules import (
    Adagrad,
    AdamW,
    Constant,
    Cosine,
    InverseSqrt,
    Linear,
    MomentumCurve,
    Muon,
    OneCycle,
    Plateau,
    Recipe,
    Sgd,
    Swa,
    Warmup,
)
from schedules.averaging import ConstantTail
from schedules.torch import RateChanged, RecipeLR, attach, build_optimizer
from tests.schedules.traces import assert_same, ours, runs, stepped
from tests.strategies import full_recipes, metrics

HORIZON = 20
WITH_CURVES = Recipe(
    optimizer=AdamW(weight_decay=0.1),
    peak_lr=0.4,
    schedule=Warmup(fraction=0.2, then=Cosine()),
    weight_decay=Linear(),
    momentum=MomentumCurve(low=0.5, curve=OneCycle().mirrored()),
)
RECIPES = [
    Recipe(optimizer=Sgd(), peak_lr=0.4, schedule=Cosine(final_ratio=0.1)),
    Recipe(optimizer=Sgd(), peak_lr=0.4, schedule=Warmup(fraction=0.2, then=InverseSqrt())),
    Recipe(optimizer=Sgd(), peak_lr=0.4, schedule=Warmup(fraction=0.2, then=Plateau(factor=0.5, patience=1))),
    Recipe(optimizer=Sgd(), peak_lr=0.4, schedule=Cosine(), averaging=Swa(tail=ConstantTail())),
    WITH_CURVES,
]
by_summary = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.summary())


def weights() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.ones(2, 2)) for _ in range(3)]


def optimizer_of(recipe: Recipe) -> optim.Optimizer:
    made = build_optimizer(recipe.optimizer, weights(), lr=0.123)
    for group in made.param_groups:
        for weight in group["params"]:
            weight.grad = torch.zeros_like(weight)
    return made


def trained(optimizer: optim.Optimizer, scheduler: RecipeLR, n: int) -> Iterator[float]:
    """Yield the rate of each of the next ``n`` updates; the metric does not improve."""
    for _ in range(n):
        optimizer.step()
        yield optimizer.param_groups[0]["lr"]
        scheduler.step()
        scheduler.observe(1.0)


def test_a_horizon_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="'cosine' needs at least 2 updates"):
        attach(RECIPES[0], optimizer_of(RECIPES[0]), 1)


@pytest.mark.parametrize("what, recipe", [("momentum", WITH_CURVES.model_copy(update={"optimizer": Sgd()}))])
def test_a_constant_that_the_optimizer_does_not_have_is_refused(what: str, recipe: Recipe) -> None:
    recipe = recipe.model_copy(update={"weight_decay": None})
    with pytest.raises(ValueError, match=f"the recipe drives the {what}, but Adagrad has none"):
        attach(recipe, build_optimizer(Adagrad(), weights(), lr=0.1), HORIZON)


def test_a_plateau_does_not_go_on_from_the_update_alone() -> None:
    with pytest.raises(ValueError, match="not from the update 9 alone: load the scheduler's saved state"):
        attach(RECIPES[2], optimizer_of(RECIPES[2]), HORIZON, done=9)


def test_a_state_of_another_kind_of_schedule_is_refused() -> None:
    plateau = attach(RECIPES[2], optimizer_of(RECIPES[2]), HORIZON)
    cosine = attach(RECIPES[0], optimizer_of(RECIPES[0]), HORIZON)
    with pytest.raises(ValueError, match="does not belong to a recipe with the schedule 'cosine'"):
        cosine.load_state_dict(plateau.state_dict())


def test_an_epoch_is_refused() -> None:
    scheduler = attach(RECIPES[0], optimizer_of(RECIPES[0]), HORIZON)
    with pytest.raises(ValueError, match="stepped by one update at a time, got the epoch 3"):
        scheduler.step(3)


@pytest.mark.parametrize(
    "key, value, sentence",
    [
        ("lr", 77.0, r"update 0 must run at the learning rate of the recipe, 0\.1, but the optimizer has 77\.0"),
        ("betas", (0.1, 0.2), r"update 0 must run at the beta1 of the recipe, 0\.9, but the optimizer has 0\.1"),
        ("weight_decay", 5.0, r"update 0 must run at the weight decay of the recipe, 0\.1, but the optimizer has 5\.0"),
    ],
)
def test_no_update_runs_with_what_somebody_else_wrote(key: str, value: object, sentence: str) -> None:
    optimizer = optimizer_of(WITH_CURVES)
    attach(WITH_CURVES, optimizer, HORIZON)
    optimizer.param_groups[0][key] = value
    with pytest.raises(RateChanged, match=sentence):
        optimizer.step()


def test_no_update_runs_when_the_optimizer_alone_was_restored() -> None:
    optimizer = optimizer_of(RECIPES[0])
    list(trained(optimizer, attach(RECIPES[0], optimizer, HORIZON), 9))
    again = optimizer_of(RECIPES[0])
    attach(RECIPES[0], again, HORIZON)
    again.load_state_dict(optimizer.state_dict())
    with pytest.raises(RateChanged, match="were restored from different updates"):
        again.step()


def test_a_detached_recipe_compares_nothing() -> None:
    optimizer = optimizer_of(RECIPES[0])
    attach(RECIPES[0], optimizer, HORIZON).detach()
    optimizer.param_groups[0]["lr"] = 77.0
    optimizer.step()
    assert optimizer.param_groups[0]["lr"] == 77.0


@settings(max_examples=100)
@given(full_recipes(), st.integers(2, 200), st.lists(metrics(), max_size=40))
def test_every_update_runs_as_the_recipe_says(recipe: Recipe, horizon: int, readings: list[float]) -> None:
    if runs(recipe, horizon) and recipe.optimizer.kind not in ("lion", "schedule_free_sgd", "schedule_free_adamw"):
        optimizer = optimizer_of(recipe)
        scheduler = attach(recipe, optimizer, horizon)
        theirs = stepped(recipe, optimizer, scheduler, readings, horizon + 3)
        assert_same(theirs, ours(recipe, horizon, readings, horizon + 3), recipe)


@by_summary
@pytest.mark.parametrize("optimizer_first", [True, False])
def test_a_resumed_run_goes_on_as_if_it_had_never_stopped(recipe: Recipe, optimizer_first: bool) -> None:
    optimizer = optimizer_of(recipe)
    whole = list(trained(optimizer, attach(recipe, optimizer, HORIZON), HORIZON))
    optimizer = optimizer_of(recipe)
    scheduler = attach(recipe, optimizer, HORIZON)
    head = list(trained(optimizer, scheduler, 9))
    saved, position = optimizer.state_dict(), json.loads(json.dumps(scheduler.state_dict()))

    again = optimizer_of(recipe)
    if optimizer_first:
        again.load_state_dict(saved)
    resumed = attach(recipe, again, HORIZON)
    resumed.load_state_dict(position)
    if not optimizer_first:
        again.load_state_dict(saved)
    assert [*head, *trained(again, resumed, HORIZON - 9)] == whole


def test_a_run_resumes_from_the_update_alone() -> None:
    optimizer, again = optimizer_of(WITH_CURVES), optimizer_of(WITH_CURVES)
    whole = list(trained(optimizer, attach(WITH_CURVES, optimizer, HORIZON), HORIZON))
    assert list(trained(again, attach(WITH_CURVES, again, HORIZON, done=9), HORIZON - 9)) == whole[9:]


def test_a_saved_state_does_not_overrule_a_longer_horizon() -> None:
    scheduler = attach(RECIPES[0], optimizer_of(RECIPES[0]), HORIZON)
    longer = attach(RECIPES[0], optimizer_of(RECIPES[0]), 10 * HORIZON)
    longer.load_state_dict(scheduler.state_dict())
    assert longer.horizon == 10 * HORIZON


def test_a_group_has_its_share_of_the_rate() -> None:
    groups = [{"params": [weight], "lr_scale": scale} for weight, scale in zip(weights(), (1.0, 0.5, 0.0), strict=True)]
    optimizer = optim.SGD(groups, lr=9.0)
    attach(RECIPES[0], optimizer, HORIZON)
    assert [group["lr"] for group in optimizer.param_groups] == [0.4, 0.2, 0.0]


def test_a_rate_in_a_tensor_is_written_and_compared() -> None:
    (weight, *_) = weights()
    weight.grad = torch.zeros_like(weight)
    optimizer = optim.SGD([weight], lr=torch.tensor(9.0))
    scheduler = attach(RECIPES[0], optimizer, HORIZON)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(RECIPES[0].rate(3, HORIZON), rel=1e-6)
    optimizer.param_groups[0]["lr"].fill_(1.0)
    with pytest.raises(RateChanged, match="update 3 must run"):
        optimizer.step()


def test_both_optimizers_of_muon_run_at_one_rate() -> None:
    recipe = Recipe(optimizer=Muon(), peak_lr=0.4, schedule=Constant(), momentum=MomentumCurve(low=0.5, curve=Linear()))
    optimizer = optimizer_of(recipe)
    scheduler = attach(recipe, optimizer, HORIZON)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    muon, adamw = optimizer.param_groups
    assert (muon["lr"], adamw["lr"]) == (0.4, 0.4)
    assert muon["momentum"] == recipe.momentum_at(3, HORIZON)
    assert "momentum" not in adamw


def test_it_is_a_scheduler_of_torch() -> None:
    scheduler = attach(RECIPES[0], optimizer_of(RECIPES[0]), HORIZON)
    assert isinstance(scheduler, optim.lr_scheduler.LRScheduler)
    assert scheduler.get_last_lr() == [0.4]
