"""Weight decay and momentum under curves of their own: set at every update, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from schedules import Constant, Cosine, Linear, MomentumCurve, OneCycle, Recipe, Warmup
from schedules.torch import RateChanged, build_optimizer
from search.training.loop import train
from search.training.rate import Pilot
from tests.training.toys import Line, Watcher, a_recipe, an_assignment, datasets
from tests.training.twin import Layers, by_hand, loaded, losses

HORIZON = 8


def driven(recipe: Recipe) -> tuple[list[float], list[float], list[float]]:
    """Rate, weight decay and momentum that the optimizer's first group has in each update of a run."""
    applied: tuple[list[float], list[float], list[float]] = ([], [], [])
    weights = [nn.Parameter(torch.ones(2, 2)) for _ in range(3)]
    optimizer = build_optimizer(recipe.optimizer, weights, recipe.peak_lr)

    def note(optimizer: Optimizer, *_: Any) -> None:
        group = optimizer.param_groups[0]
        momentum = group["momentum"] if "momentum" in group else group["betas"][0]
        for values, value in zip(applied, (group["lr"], group["weight_decay"], momentum), strict=True):
            values.append(value)

    optimizer.register_step_pre_hook(note)
    pilot = Pilot(optimizer, recipe, HORIZON)
    for update in range(HORIZON):
        for weight in weights:
            weight.grad = torch.ones(2, 2)
        pilot.step(update)
    return applied


def with_curves(kind: str) -> Recipe:
    plain = a_recipe(Warmup(fraction=0.25, then=Cosine()), kind=kind, weight_decay=0.08)
    curves = {"weight_decay": Linear(), "momentum": MomentumCurve(low=0.5, curve=Cosine())}
    return plain.model_copy(update=curves)


# refusals


@pytest.mark.parametrize(
    "key, value, message",
    [
        (
            "weight_decay",
            0.7,
            r"update 0 must run at the weight decay of the recipe, 0\.08, but the optimizer has 0\.7",
        ),
        ("momentum", 0.7, r"update 0 must run at the momentum of the recipe, 0\.9, but the optimizer has 0\.7"),
    ],
)
def test_a_constant_under_a_curve_that_something_else_writes_is_found_out(key: str, value: float, message: str) -> None:
    class Stubborn(optim.SGD):
        def step(self, closure: Any = None) -> Any:
            super().step(closure)
            self.param_groups[0][key] = value

    optimizer = Stubborn([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    with pytest.raises(RateChanged, match=message):
        Pilot(optimizer, with_curves("sgd"), HORIZON).step(0)


def test_a_constant_without_a_curve_is_the_optimizers_own() -> None:
    _, decays, momenta = driven(a_recipe(Cosine(), kind="sgd", weight_decay=0.08))
    assert decays == [0.08] * HORIZON
    assert momenta == [0.9] * HORIZON


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "nadam", "adamax", "lion", "muon"])
def test_curves_are_applied_update_by_update(kind: str) -> None:
    recipe = with_curves(kind)
    rates, decays, momenta = driven(recipe)
    assert rates == [recipe.rate(t, HORIZON) for t in range(HORIZON)]
    assert decays == [recipe.weight_decay_at(t, HORIZON) for t in range(HORIZON)]
    assert momenta == [recipe.momentum_at(t, HORIZON) for t in range(HORIZON)]
    assert len(set(decays)) == len(set(momenta)) == HORIZON


def test_muons_curves_move_the_decay_of_all_weights_and_the_momentum_of_the_matrices() -> None:
    recipe = with_curves("muon")
    optimizer = build_optimizer(recipe.optimizer, [nn.Parameter(torch.ones(2, 2)) for _ in range(3)], recipe.peak_lr)
    Pilot(optimizer, recipe, HORIZON).step(5)
    matrices, rest = optimizer.param_groups
    assert matrices["weight_decay"] == rest["weight_decay"] == recipe.weight_decay_at(5, HORIZON)
    assert matrices["momentum"] == recipe.momentum_at(5, HORIZON)
    assert rest["betas"] == (0.9, 0.95)


def test_a_run_under_curves_equals_a_plain_loop_that_writes_them() -> None:
    recipe = with_curves("adamw")
    assignment = an_assignment(recipe)

    def drive(t: int, group: dict[str, Any]) -> None:
        group["weight_decay"] = 0.08 * Linear()(t, 30)
        group["betas"] = (0.5 + 0.4 * Cosine()(t, 30), 0.999)

    watcher = Watcher()
    train(Layers(), assignment, watcher, datasets())
    kept = by_hand(Layers(), assignment, lambda model: [optim.AdamW(model.parameters(), 1.0)], drive)
    theirs = [losses(Layers(), loaded(Layers(), assignment, kept[done]))[0] for done in (10, 20, 30)]
    assert watcher.curve("val_loss") == pytest.approx(theirs, rel=1e-10)


def test_a_one_cycle_run_with_its_momentum_equals_torchs() -> None:
    """torch's run of 31 has the rates and momenta of ours of 30, the last left out."""
    one_cycle = OneCycle(rise_fraction=0.3, start_ratio=0.04, final_ratio=0.0004)
    plain = a_recipe(one_cycle, kind="sgd", momentum=0.95)
    recipe = plain.model_copy(update={"momentum": MomentumCurve(low=0.85, curve=one_cycle.mirrored())})
    assignment = an_assignment(recipe)
    schedulers: list[OneCycleLR] = []

    def make(model: nn.Module) -> list[Optimizer]:
        optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        schedulers.append(
            OneCycleLR(optimizer, 0.05, total_steps=31, pct_start=10 / 31, div_factor=25, final_div_factor=100)
        )
        return [optimizer]

    def drive(t: int, group: dict[str, Any]) -> None:
        if t:
            schedulers[0].step()
        assert group["lr"] == pytest.approx(recipe.rate(t, 30), rel=1e-12)

    watcher = Watcher()
    train(Line(), assignment, watcher, datasets())
    kept = by_hand(Line(), assignment, make, drive)
    expected, _ = losses(Line(), loaded(Line(), assignment, kept[30]))
    assert watcher.curve("val_loss")[-1] == pytest.approx(expected, rel=1e-9)


def test_a_constant_curve_changes_nothing() -> None:
    plain = a_recipe(Cosine(), kind="adamw", weight_decay=0.08)
    curves = {"weight_decay": Constant(), "momentum": MomentumCurve(low=0.5, curve=Constant())}
    without, under = Watcher(), Watcher()
    train(Layers(), an_assignment(plain), without, datasets())
    train(Layers(), an_assignment(plain.model_copy(update=curves)), under, datasets())
    assert without.points == under.points
