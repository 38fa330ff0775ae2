"""What a recipe may have besides optimizer, rate and schedule: curves of decay and momentum, and an average."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from torch.optim.lr_scheduler import OneCycleLR

from schedules import (
    OPTIMIZERS,
    Adam,
    AdamW,
    Constant,
    ConstantTail,
    Cosine,
    Ema,
    Linear,
    MomentumCurve,
    OneCycle,
    Plateau,
    Recipe,
    ScheduleFreeAdamW,
    Sgd,
    Swa,
    Warmup,
)
from tests.strategies import full_recipes, horizons

FULL = Recipe(
    optimizer=AdamW(beta1=0.95),
    peak_lr=3.1e-3,
    schedule=Warmup(fraction=0.05, then=Cosine(final_ratio=0.01)),
    weight_decay=Linear(final_ratio=0.1),
    momentum=MomentumCurve(low=0.85, curve=Cosine()),
    averaging=Ema(decay=0.99),
)


def a(**fields: Any) -> Recipe:
    plain = {"optimizer": Sgd(weight_decay=0.01), "peak_lr": 0.1, "schedule": Constant()}
    return Recipe.model_validate(plain | fields)


# refusals


@pytest.mark.parametrize(
    "fields, message",
    [
        (
            {"optimizer": {"kind": "adagrad"}, "momentum": MomentumCurve(curve=Linear())},
            "a curve of the momentum needs a momentum above 0, but the optimizer 'adagrad' has none",
        ),
        ({"optimizer": {"kind": "sgd", "momentum": 0.0}, "momentum": MomentumCurve(curve=Linear())}, "'sgd' has none"),
        ({"optimizer": {"kind": "rmsprop"}, "momentum": MomentumCurve(curve=Linear())}, "'rmsprop' has none"),
        (
            {"momentum": MomentumCurve(low=0.9, curve=Linear())},
            r"a curve of the momentum goes up to the optimizer's own, 0\.9, from below it, not from 0\.9",
        ),
        (
            {"optimizer": {"kind": "sgd"}, "weight_decay": Linear()},
            "a curve of the weight decay needs a weight decay above 0, but that of the optimizer 'sgd' is 0",
        ),
        ({"weight_decay": Plateau()}, "the curve of the weight decay must not read a metric, as 'plateau' does"),
        ({"momentum": MomentumCurve(low=0.5, curve=Plateau())}, "the curve of the momentum must not read a metric"),
        (
            {"optimizer": {"kind": "schedule_free_sgd"}, "schedule": Cosine()},
            "'schedule_free_sgd' takes a constant schedule, under a warm-up or not, and no 'cosine'",
        ),
        (
            {"optimizer": ScheduleFreeAdamW(), "schedule": Warmup(then=Cosine())},
            "'schedule_free_adamw' takes a constant schedule, under a warm-up or not, and no 'cosine'",
        ),
        (
            {"optimizer": ScheduleFreeAdamW(), "momentum": MomentumCurve(curve=Linear())},
            "'schedule_free_adamw' averages by its momentum: it must stay what it is",
        ),
        (
            {"optimizer": ScheduleFreeAdamW(), "averaging": Ema()},
            "'schedule_free_adamw' averages the weights itself, and takes no 'ema' beside it",
        ),
        (
            {"averaging": Swa(start_fraction=0.99)},
            "'swa' needs at least two weights to average, but it starts after 99",
        ),
    ],
)
def test_parts_that_do_not_go_together_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        a(**fields).check(100)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"weight_decay": Linear()}, "the curve of the weight decay: the schedule 'linear' needs at least 2 updates"),
        (
            {"momentum": MomentumCurve(low=0.5, curve=Linear())},
            "the curve of the momentum: the schedule 'linear' needs",
        ),
    ],
)
def test_a_horizon_too_short_for_a_curve_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        a(**fields).check(1)


@pytest.mark.parametrize("schedule", [Constant(), Warmup(then=Constant())], ids=["bare", "warmed up"])
def test_a_schedule_free_optimizer_takes_a_constant_rate_and_a_curve_of_decay(schedule: Any) -> None:
    a(optimizer=ScheduleFreeAdamW(weight_decay=0.1), schedule=schedule, weight_decay=Linear()).check(100)


# JSON and fingerprint


def test_a_recipe_without_them_is_the_text_that_it_was_before_there_were_any() -> None:
    assert set(json.loads(a().model_dump_json())) == {"optimizer", "peak_lr", "schedule"}
    assert a() == a(weight_decay=None, momentum=None, averaging=None)


def test_the_digest_of_a_full_recipe_never_changes() -> None:
    assert FULL.digest == "2b012bb7714066f320a2c65c67b8c57912d6a3c722b9b98b4f800c47cce4ad7d"


def test_each_part_changes_the_digest() -> None:
    parts: list[dict[str, Any]] = [
        {},
        {"weight_decay": Cosine()},
        {"momentum": MomentumCurve(curve=Cosine())},
        {"averaging": Ema()},
        {"averaging": Swa()},
    ]
    assert len({a(**fields).digest for fields in parts}) == len(parts)


@given(full_recipes())
def test_json_is_the_identity(recipe: Recipe) -> None:
    again = Recipe.model_validate_json(recipe.model_dump_json())
    assert again == recipe
    assert again.digest == recipe.digest


def test_a_summary_names_each_part() -> None:
    assert FULL.summary() == (
        "adamw 3.1e-03 · warmup 5% · cosine → 0.01 · weight decay by linear → 0.1 · momentum from 0.85 by cosine"
        " · ema 0.99"
    )


# values


def test_a_curve_of_the_weight_decay_is_a_share_of_the_optimizers_own() -> None:
    recipe = a(optimizer=Sgd(weight_decay=0.08), weight_decay=Linear())
    assert [recipe.weight_decay_at(t, 4) for t in range(6)] == pytest.approx([0.08, 0.06, 0.04, 0.02, 0, 0], rel=1e-12)
    assert a(optimizer=Sgd(weight_decay=0.08)).weight_decay_at(3, 4) == 0.08


def test_a_curve_of_the_momentum_goes_from_the_optimizers_own_to_the_lowest() -> None:
    recipe = a(optimizer=Adam(beta1=0.9), momentum=MomentumCurve(low=0.5, curve=Linear()))
    assert [recipe.momentum_at(t, 4) for t in range(6)] == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5, 0.5], rel=1e-12)
    assert recipe.momentum_at(0, 4) == 0.9
    assert recipe.momentum_at(4, 4) == 0.5
    assert a().momentum_at(3, 4) == 0.9
    assert a(optimizer={"kind": "adagrad"}).momentum_at(3, 4) is None


@pytest.mark.parametrize("phases", [2, 3])
@pytest.mark.parametrize("curve, strategy", [("cosine", "cos"), ("linear", "linear")])
def test_the_mirror_of_one_cycle_is_the_momentum_of_torchs(phases: Any, curve: Any, strategy: Any) -> None:
    """torch reaches the peak and the end one update earlier: its run of 41 is ours of 40, seen at its ends."""
    one_cycle = OneCycle(rise_fraction=0.25, start_ratio=0.04, final_ratio=0.0004, phases=phases, curve=curve)
    recipe = a(
        optimizer=Sgd(momentum=0.95), schedule=one_cycle, momentum=MomentumCurve(low=0.85, curve=one_cycle.mirrored())
    )
    recipe.check(40)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    theirs = OneCycleLR(
        optimizer,
        max_lr=0.1,
        total_steps=41,
        pct_start=11 / 41,
        anneal_strategy=strategy,
        base_momentum=0.85,
        max_momentum=0.95,
        div_factor=25,
        final_div_factor=100,
        three_phase=phases == 3,
    )
    for t in range(41):
        group = optimizer.param_groups[0]
        assert group["momentum"] == pytest.approx(recipe.momentum_at(t, 40), rel=1e-12)
        assert group["lr"] == pytest.approx(recipe.rate(t, 40), rel=1e-12)
        optimizer.step()
        if t < 40:
            theirs.step()


def test_a_tail_takes_the_place_of_the_schedule() -> None:
    recipe = a(schedule=Linear(), averaging=Swa(start_fraction=0.5, tail=ConstantTail(ratio=0.3)))
    assert [recipe.rate(t, 4) for t in range(6)] == pytest.approx([0.1, 0.075, 0.03, 0.03, 0.03, 0.03], rel=1e-12)


def test_a_run_is_fair_to_compare_from_the_first_averaged_weights_on() -> None:
    assert a(averaging=Swa(start_fraction=0.5, every_fraction=0.2)).fair_from(10) == 7
    assert a(averaging=Ema(), schedule=Warmup(fraction=0.3, then=Constant())).fair_from(10) == 3


@given(full_recipes(), horizons(1, 10_000))
def test_what_passes_the_check_stays_within_its_bounds(recipe: Recipe, horizon: int) -> None:
    try:
        recipe.check(horizon)
    except ValueError:
        return
    own = recipe.optimizer.memory
    for t in {0, horizon // 3, horizon // 2, horizon - 1, horizon, horizon + 1}:
        assert 0 <= recipe.multiplier(t, horizon) <= 1
        assert 0 <= recipe.weight_decay_at(t, horizon) <= recipe.optimizer.weight_decay
        momentum = recipe.momentum_at(t, horizon)
        if recipe.momentum is None or own is None:
            assert momentum == own
        else:
            assert momentum is not None
            assert recipe.momentum.low <= momentum <= own


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_optimizer_says_where_it_comes_from(kind: str) -> None:
    optimizer = OPTIMIZERS[kind]
    text = optimizer.__doc__ or ""
    assert "Source: " in text
    assert "ranges: " in text
    field = optimizer.momentum_field
    assert (field is None) or field in optimizer.model_fields
    assert ("momentum" in optimizer.ranges) <= (field is not None)
