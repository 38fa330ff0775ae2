"""The space: what it refuses, and that whatever is drawn from it is a recipe that its study can run."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from optuna.trial import FixedTrial
from pydantic import ValidationError

from schedules import AVERAGINGS, FAMILIES, OPTIMIZERS, Adagrad, AdamW, Constant, Ema, Plateau, Recipe, Sgd, Swa, Warmup
from search.errors import Unsuitable
from search.planning import make_plan
from search.ranges import Bounds
from search.space import POSITIONS, Space, suggest
from tests.search.factories import TASK, a_request

MIDDLE = {"lr_position": 0.5, "weight_decay_position": 0.5, "momentum_position": 0.5, "warmup_fraction": 0.1}


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"optimizers": ["lamb"]}, "there is no optimizer 'lamb'; there are: sgd, adagrad, rmsprop, adam, adamw"),
        ({"families": ["cosin"]}, "there is no family 'cosin'"),
        ({"families": ["warmup"]}, "there is no family 'warmup'"),
        ({"optimizers": []}, "needs at least one, got none"),
        (
            {"optimizers": ["sgd", "schedule_free_sgd"], "families": ["cosine"]},
            "schedule_free_sgd goes with the family 'constant' alone, which is not among these",
        ),
        (
            {"optimizers": ["schedule_free_sgd", "schedule_free_adamw"], "families": ["constant", "cosine"]},
            "cosine goes with none of the optimizers schedule_free_sgd, schedule_free_adamw",
        ),
        ({"averaging": ["mean"]}, "there is no averaging 'mean'; there are: none, ema, swa"),
        ({"averaging": []}, "needs at least one, got none"),
        ({"averaging": ["ema", "ema"]}, "ema stands there more than once"),
        (
            {"optimizers": ["schedule_free_sgd"], "families": ["constant"], "averaging": ["ema", "swa"]},
            "schedule_free_sgd averages by itself: with it 'none' must be among these",
        ),
        ({"ranges": {"ema_decay": {"low": 0.9, "high": 0.99}}}, "ranges.ema_decay: no family of this space has it"),
        (
            {"averaging": ["ema"], "ranges": {"ema_decay": {"low": 0.9, "high": 1}}},
            "ranges.ema_decay: .*ends below 1",
        ),
        (
            {"averaging": ["swa"], "ranges": {"swa_start_fraction": {"low": 0.5, "high": 1}}},
            "ranges.swa_start_fraction: .*less than 1, got 1.0",
        ),
        ({"families": ["cosine", "cosine"]}, "cosine stands there more than once"),
        ({"ranges": {"patience": {"low": 0, "high": 1}}}, "ranges.patience: no family of this space has it"),
        ({"ranges": {"polynomial_power": {"low": 1, "high": 2}}}, "no family of this space has it"),
        ({"ranges": {"momentum": {"adam": {"low": 0.5, "high": 0.9}}}}, "adam is not among the optimizers"),
        ({"ranges": {"peak_lr": {"sgd": {"low": 1, "high": 0.1}}}}, r"must not be above the high end, but 1.0 > 0.1"),
        ({"ranges": {"peak_lr": {"sgd": {"low": 0, "high": 1}}}}, "ranges.peak_lr.sgd: .*needs bounds above 0"),
        ({"ranges": {"peak_lr": {"sgd": {"low": 0, "high": 0}}}}, "ranges.peak_lr.sgd: .*greater than 0, got 0.0"),
        ({"ranges": {"weight_decay": {"sgd": {"low": -1, "high": -1}}}}, "ranges.weight_decay.sgd: .*got -1.0"),
        ({"ranges": {"momentum": {"sgd": {"low": 0.5, "high": 1}}}}, "ranges.momentum.sgd: .*ends below 1"),
        ({"ranges": {"warmup_fraction": {"low": 0, "high": 1}}}, "ranges.warmup_fraction: .*less than 1, got 1.0"),
        ({"ranges": {"warmup_fraction": {"low": 0, "high": float("nan")}}}, "finite number"),
        ({"ranges": {"warmup_fraction": {"low": 0, "high": float("inf")}}}, "finite number"),
        ({"ranges": {"warmup_fraction": 0.1}}, "valid dictionary or instance of Bounds"),
        ({"ranges": {"final_ratio": {"low": 0.01, "high": 2}}}, "ranges.final_ratio: .*less than or equal to 1"),
        ({"ranges": {"plateau_patience": {"low": -3, "high": 2}}}, "ranges.plateau_patience: .*or equal to 0"),
        ({"sampler": "tpe"}, "Extra inputs are not permitted"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Space.model_validate(fields)


def test_a_range_for_a_momentum_that_the_optimizer_lacks_is_refused() -> None:
    ranges = {"momentum": {"adagrad": {"low": 0.5, "high": 0.9}}}
    with pytest.raises(ValidationError, match=r"ranges.momentum.adagrad: adagrad has no momentum"):
        Space.model_validate({"optimizers": ["adagrad"], "ranges": ranges})


def test_a_refusal_repeats_no_more_than_the_head_of_a_long_name() -> None:
    with pytest.raises(ValidationError, match=r"ranges.x{80}: no family") as refused:
        Space.model_validate({"ranges": {"x" * 10_000: {"low": 0, "high": 1}}})
    assert len(refused.value.errors()[0]["msg"]) < 500


def test_a_name_has_one_range_in_every_family_and_takes_no_name_of_an_optimizers() -> None:
    seen: dict[str, tuple[float, float, str]] = {}
    for searched in (Warmup.searched, *(family.searched for family in FAMILIES.values())):
        for name, each in searched.items():
            assert seen.setdefault(name, (each.low, each.high, each.scale)) == (each.low, each.high, each.scale)
    assert not seen.keys() & {"plan", *POSITIONS, *POSITIONS.values()}


def test_a_space_survives_json_and_pairs_every_optimizer_with_every_family() -> None:
    ranges = {"peak_lr": {"sgd": {"low": 0.01, "high": 1.0}}, "warmup_fraction": {"low": 0.0, "high": 0.2}}
    space = Space.model_validate({"families": ["constant", "cosine"], "ranges": ranges})
    assert Space.model_validate_json(space.model_dump_json()) == space
    assert space.plans == ("sgd+constant", "sgd+cosine", "adamw+constant", "adamw+cosine")


def test_a_position_is_a_place_on_the_range_of_the_trials_own_optimizer() -> None:
    space = Space.model_validate({"ranges": {"peak_lr": {"sgd": {"low": 0.01, "high": 1.0}}}})
    ours = suggest(space, FixedTrial({"plan": "sgd+constant", **MIDDLE}), "minimize")
    theirs = suggest(space, FixedTrial({"plan": "adamw+constant", **MIDDLE}), "minimize")
    assert ours.peak_lr == pytest.approx(0.1, rel=1e-12)
    assert theirs.peak_lr == pytest.approx(10**-2.5, rel=1e-12)
    assert isinstance(ours.optimizer, Sgd)
    assert 1 - ours.optimizer.momentum == pytest.approx((0.3 * 0.005) ** 0.5, rel=1e-12)
    assert isinstance(theirs.optimizer, AdamW)
    assert theirs.optimizer.weight_decay == pytest.approx(0.005**0.5, rel=1e-12)


def test_an_optimizer_without_momentum_ignores_the_position_that_it_shares() -> None:
    space = Space(optimizers=("adagrad", "sgd"), families=("constant",))
    trial = FixedTrial({"plan": "adagrad+constant", **MIDDLE})
    optimizer = suggest(space, trial, "minimize").optimizer
    assert isinstance(optimizer, Adagrad)
    assert optimizer.weight_decay == pytest.approx(1e-4, rel=1e-12)
    assert "momentum_position" in trial.distributions


def test_a_space_of_optimizers_without_momentum_draws_none() -> None:
    space = Space(optimizers=("adagrad",), families=("constant",))
    trial = FixedTrial({"plan": "adagrad+constant", **MIDDLE})
    suggest(space, trial, "minimize")
    assert set(trial.distributions) == {"plan", "lr_position", "weight_decay_position", "warmup_fraction"}


def test_equal_ends_fix_a_value_that_is_then_not_drawn() -> None:
    ranges = {
        "peak_lr": {"sgd": {"low": 0.3, "high": 0.3}},
        "weight_decay": {"sgd": {"low": 0, "high": 0}},
        "momentum": {"sgd": {"low": 0, "high": 0}},
        "warmup_fraction": {"low": 0, "high": 0},
    }
    space = Space.model_validate({"optimizers": ["sgd"], "families": ["constant"], "ranges": ranges})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    recipe = suggest(space, trial, "minimize")
    assert recipe == Recipe(optimizer=Sgd(momentum=0.0), peak_lr=0.3, schedule=Constant())
    assert trial.params == {"plan": "sgd+constant"}


def test_a_rate_fixed_for_one_optimizer_is_still_searched_for_the_other() -> None:
    space = Space.model_validate({"ranges": {"peak_lr": {"sgd": {"low": 0.3, "high": 0.3}}}})
    trial = FixedTrial({"plan": "sgd+constant", **MIDDLE})
    assert suggest(space, trial, "minimize").peak_lr == 0.3
    assert "lr_position" in trial.distributions


def test_a_schedule_free_optimizer_is_paired_with_the_constant_schedule_alone() -> None:
    space = Space(optimizers=("sgd", "schedule_free_sgd"), families=("constant", "cosine"))
    assert space.plans == ("sgd+constant", "sgd+cosine", "schedule_free_sgd+constant")
    assert space.partners("cosine") == ("sgd",)


def test_a_schedule_free_optimizer_ignores_the_averaging_that_it_shares() -> None:
    space = Space(optimizers=("sgd", "schedule_free_sgd"), families=("constant",), averaging=("none", "ema"))
    trial = FixedTrial({"plan": "schedule_free_sgd+constant", "averaging": "ema", **MIDDLE})
    recipe = suggest(space, trial, "minimize")
    recipe.check(100)
    assert recipe.averaging is None
    assert set(trial.distributions) == {"plan", "averaging", *MIDDLE}


@pytest.mark.parametrize(
    "own, averaging",
    [
        ({"averaging": "none"}, None),
        ({"averaging": "ema", "ema_decay_position": 0.5}, Ema(decay=1 - (0.1 * 0.01) ** 0.5)),
        ({"averaging": "swa", "swa_start_fraction": 0.7}, Swa(start_fraction=0.7)),
    ],
    ids=["none", "ema", "swa"],
)
def test_an_averaging_is_drawn_with_what_only_it_has(own: dict[str, Any], averaging: Ema | Swa | None) -> None:
    ranges = {"ema_decay": {"low": 0.9, "high": 0.99}}
    space = Space.model_validate({"averaging": ["none", "ema", "swa"], "ranges": ranges})
    trial = FixedTrial({"plan": "sgd+constant", **MIDDLE, **own})
    assert suggest(space, trial, "minimize").averaging == averaging
    assert set(trial.distributions) == {"plan", *MIDDLE, *own}


def test_the_only_averaging_of_a_space_is_not_drawn() -> None:
    ranges = {"ema_decay": {"low": 0.95, "high": 0.95}}
    space = Space.model_validate({"averaging": ["ema"], "ranges": ranges})
    trial = FixedTrial({"plan": "sgd+constant", **MIDDLE})
    assert suggest(space, trial, "minimize").averaging == Ema(decay=0.95)
    assert set(trial.distributions) == {"plan", *MIDDLE}


def test_a_run_in_which_an_averaging_would_start_too_late_is_refused_at_its_place() -> None:
    space = Space.model_validate(
        {"averaging": ["none", "swa"], "ranges": {"swa_start_fraction": {"low": 0.5, "high": 0.99}}}
    )
    with pytest.raises(Unsuitable, match=r"'swa' needs at least two weights .* starts after 40 of 40") as no:
        make_plan(a_request(space=space, epochs=4), TASK)
    assert no.value.where == ("space", "averaging", 1)


@pytest.mark.parametrize("direction, mode", [("minimize", "min"), ("maximize", "max")])
def test_a_plateau_reads_its_metric_in_the_studys_direction(direction: Any, mode: str) -> None:
    values = {"gamma": 0.5, "plateau_patience": 2.0, "final_ratio": 0.01}
    trial = FixedTrial({"plan": "sgd+plateau", **MIDDLE, **values})
    schedule = suggest(Space(), trial, direction).schedule
    assert isinstance(schedule, Warmup)
    assert isinstance(schedule.then, Plateau)
    assert schedule.then.mode == mode


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Any space, some of its ranges narrowed, some of those to one value."""
    optimizers = draw(st.lists(st.sampled_from(sorted(OPTIMIZERS)), min_size=1, unique=True))
    families = draw(st.lists(st.sampled_from(sorted(FAMILIES)), min_size=1, unique=True))
    is_free = [OPTIMIZERS[optimizer].is_schedule_free for optimizer in optimizers]
    assume("constant" in families or not any(is_free))
    assume(families == ["constant"] or not all(is_free))
    positions = st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted)
    ranges: dict[str, Any] = {constant: {} for constant in POSITIONS}
    for optimizer in optimizers:
        for constant, own in OPTIMIZERS[optimizer].ranges.items():
            if draw(st.booleans()):
                low, high = map(own.at, draw(positions))
                ranges[constant][optimizer] = Bounds(low=low, high=high)
    averaging = draw(st.lists(st.sampled_from(["none", *AVERAGINGS]), min_size=1, unique=True))
    assume("none" in averaging or not any(OPTIMIZERS[optimizer].is_schedule_free for optimizer in optimizers))
    has_warmup = any(not FAMILIES[family].brings_warmup for family in families)
    searched = {name: own for family in families for name, own in FAMILIES[family].searched.items()}
    for kind in averaging:
        searched |= {} if kind == "none" else AVERAGINGS[kind].searched
    for name, own in {**(Warmup.searched if has_warmup else {}), **searched}.items():
        if draw(st.booleans()):
            low, high = map(own.at, draw(positions))
            ranges[name] = Bounds(low=low, high=high)
    return Space.model_validate(
        {"optimizers": optimizers, "families": families, "averaging": averaging, "ranges": ranges}
    )


@given(spaces(), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_every_draw_is_a_recipe_that_the_studys_run_is_long_enough_for(space: Space, epochs: int, seed: int) -> None:
    try:
        plan = make_plan(a_request(space=space, epochs=epochs), TASK)
    except Unsuitable:
        assume(False)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(10):
        trial = study.ask()
        recipe = suggest(space, trial, plan.direction)
        recipe.check(plan.horizon)
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
        own = space.constant(recipe.optimizer.kind, "peak_lr")
        assert own is not None
        assert own.low <= recipe.peak_lr <= own.high
        again = FixedTrial(trial.params)
        assert suggest(space, again, plan.direction) == recipe
        assert again.distributions == trial.distributions
