"""A recipe's text, fingerprint and rate."""

from __future__ import annotations

import json

from schedules import Adagrad, Adam, AdamW, Cosine, Linear, Recipe, Sgd, Warmup

RECIPE = Recipe(optimizer=AdamW(), peak_lr=3.1e-3, schedule=Warmup(fraction=0.05, then=Cosine(final_ratio=0.01)))


def test_a_recipe_is_this_json() -> None:
    assert json.loads(RECIPE.model_dump_json()) == {
        "optimizer": {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01},
        "peak_lr": 0.0031,
        "schedule": {
            "kind": "warmup",
            "fraction": 0.05,
            "start_ratio": 0.0,
            "then": {"kind": "cosine", "final_ratio": 0.01},
        },
    }


def test_a_digest_never_changes() -> None:
    assert RECIPE.digest == "336a2cd4394bff72f87dbc0331ce0d1da4ad06dd69212d12a14b727824a1fe7e"


def test_two_spellings_of_one_recipe_have_one_digest() -> None:
    spelled = {"optimizer": {"kind": "sgd"}, "peak_lr": 1, "schedule": {"kind": "cosine", "final_ratio": -0.0}}
    recipe = Recipe(optimizer=Sgd(momentum=0.9), peak_lr=1.0, schedule=Cosine())
    assert Recipe.model_validate(spelled) == recipe
    assert Recipe.model_validate(spelled).digest == recipe.digest


def test_families_that_draw_the_same_curve_are_still_two_recipes() -> None:
    adam = Recipe(optimizer=Adam(), peak_lr=0.1, schedule=Linear())
    assert adam.digest != adam.model_copy(update={"schedule": Cosine()}).digest
    assert adam.digest != adam.model_copy(update={"optimizer": Adagrad()}).digest


def test_the_rate_is_absolute() -> None:
    recipe = Recipe(optimizer=Sgd(), peak_lr=0.5, schedule=Linear())
    assert [recipe.rate(t, 4) for t in range(6)] == [0.5, 0.375, 0.25, 0.125, 0.0, 0.0]


def test_a_summary_names_optimizer_rate_and_schedule() -> None:
    assert RECIPE.summary() == "adamw 3.1e-03 · warmup 5% · cosine → 0.01"
