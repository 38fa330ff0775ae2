"""What can be written for which target, and the files that are not programs."""

from __future__ import annotations

import ast
import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import OPTIMIZERS, SCHEDULES, Cosine, Linear, MomentumCurve, Muon, Plateau, Recipe, Restarts, Sgd, Warmup
from schedules.export import (
    TARGETS,
    NotPossible,
    Target,
    csv_file,
    export,
    fit,
    json_file,
    lightning_snippet,
    markdown,
    optax_snippet,
    samples,
    table,
    transformers_snippet,
)
from schedules.export.transformers import named
from schedules.reading import NotExact, read_transformers
from tests.schedules.traces import runs
from tests.strategies import full_recipes

EXAMPLES = samples()
TABLE = table()
PROGRAMS: tuple[Target, ...] = ("torch", "transformers", "optax", "lightning")
RECIPE = Recipe(optimizer=Sgd(), peak_lr=0.5, schedule=Cosine())
NOT_POSSIBLE = {
    ("plateau", "csv"): "depends on the metric of a run",
    ("optimizer muon", "transformers"): "the Trainer steps one optimizer by itself, but Muon is two",
    ("optimizer muon", "lightning"): "Lightning steps one optimizer by itself, but Muon is two",
}


@pytest.mark.parametrize("write", [transformers_snippet, optax_snippet, lightning_snippet, json_file, csv_file])
def test_a_horizon_that_is_too_short_is_refused(write: object) -> None:
    with pytest.raises(ValueError, match="'cosine' needs at least 2 updates"):
        write(RECIPE, 1)  # type: ignore[operator]  # all of them take a recipe and a horizon


@pytest.mark.parametrize("name, target", NOT_POSSIBLE)
def test_what_is_not_possible_is_refused_in_a_sentence(name: str, target: Target) -> None:
    with pytest.raises(NotPossible, match=NOT_POSSIBLE[name, target]):
        export(EXAMPLES[name], 100, target)


def test_a_curve_of_too_many_updates_is_refused() -> None:
    with pytest.raises(NotPossible, match="up to 1000000 updates, got a run of 1000001"):
        csv_file(RECIPE, 1_000_001)


def test_the_table_has_a_row_for_every_schedule_and_optimizer() -> None:
    assert set(SCHEDULES) <= set(TABLE)
    assert {f"optimizer {kind}" for kind in OPTIMIZERS} <= set(TABLE)
    assert all(set(fits) == set(TARGETS) for fits in TABLE.values())


def test_the_table_says_what_is_not_possible_and_why() -> None:
    refused = {
        (name, target): found.how for name, fits in TABLE.items() for target, found in fits.items() if not found.exact
    }
    assert refused.keys() == NOT_POSSIBLE.keys()
    assert all(NOT_POSSIBLE[cell] in how for cell, how in refused.items())


@pytest.mark.parametrize(
    "name, target, how",
    [
        ("cosine", "torch", "CosineAnnealingLR"),
        ("factor", "torch", "LambdaLR of a function"),
        ("plateau", "torch", "a class of 27 lines"),
        ("cosine", "transformers", 'lr_scheduler_type="cosine"'),
        ("warmup", "transformers", "LambdaLR of a function, passed as optimizers="),
        ("warmup", "optax", "join_schedules of linear_schedule and cosine_decay_schedule"),
        ("piecewise", "optax", "a table of every update's rate"),
        ("optimizer adagrad", "optax", "the schedule only, since no optimizer of optax makes the same updates"),
        ("averaging ema", "transformers", "the averaging is left to AveragedModel"),
    ],
)
def test_the_table_says_by_what_a_recipe_is_held(name: str, target: Target, how: str) -> None:
    assert how in TABLE[name][target].how


def test_the_table_is_written_as_markdown() -> None:
    lines = markdown(TABLE).splitlines()
    assert lines[0] == "| | torch | transformers | optax | lightning | json | csv |"
    assert len(lines) == len(TABLE) + 2
    assert {line.count(" | ") for line in lines[2:]} == {len(TARGETS)}


@settings(max_examples=100)
@given(full_recipes(), st.integers(2, 300))
def test_every_recipe_is_written_or_refused(recipe: Recipe, horizon: int) -> None:
    if runs(recipe, horizon):
        for target in TARGETS:
            if fit(recipe, horizon, target).exact and target in PROGRAMS:
                ast.parse(export(recipe, horizon, target))


@pytest.mark.parametrize("target", PROGRAMS)
def test_the_programs_are_formatted(target: Target, tmp_path: Path) -> None:
    for name, recipe in EXAMPLES.items():
        if TABLE[name][target].exact:
            file = tmp_path / f"{name.replace(' ', '_').replace(',', '')}.py"
            file.write_text(export(recipe, 100, target), encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "--diff", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("target", PROGRAMS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_no_program_needs_this_project(name: str, target: Target) -> None:
    if TABLE[name][target].exact:
        tree = ast.parse(export(EXAMPLES[name], 100, target))
        modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        modules |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        known = {"math", "torch", "transformers", "optax", "jax.numpy", "lion_pytorch", "schedulefree"}
        assert modules <= known


@settings(max_examples=60)
@given(full_recipes(), st.integers(2, 100))
def test_the_json_reads_back_as_the_recipe(recipe: Recipe, horizon: int) -> None:
    if runs(recipe, horizon):
        document = json.loads(json_file(recipe, horizon))
        assert Recipe.model_validate(document["recipe"]) == recipe
        assert document["digest"] == recipe.digest
        assert document["horizon"] == horizon


def test_the_curve_names_units_and_reads_back_exactly() -> None:
    recipe = Recipe(
        optimizer=Sgd(weight_decay=0.1),
        peak_lr=0.3,
        schedule=Warmup(fraction=0.25, then=Cosine()),
        weight_decay=Linear(),
        momentum=MomentumCurve(low=0.5, curve=Linear()),
    )
    header, *rows = csv.reader(io.StringIO(csv_file(recipe, 8, updates_per_epoch=4)))
    assert header == [
        "update [updates made]",
        "epoch [epochs passed]",
        "learning rate [1 per update]",
        "momentum [share kept per update]",
        "weight decay [1, as the optimizer defines it]",
    ]
    assert [[float(cell) for cell in row] for row in rows] == [
        [t, t / 4, recipe.rate(t, 8), recipe.momentum_at(t, 8), recipe.weight_decay_at(t, 8)] for t in range(8)
    ]


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("constant_with_warmup", {}),
        ("linear", {}),
        ("cosine", {}),
        ("cosine_with_restarts", {"num_cycles": 4}),
        ("cosine_with_min_lr", {"min_lr_rate": 0.1}),
        ("polynomial", {"lr_end": 0.05, "power": 2.0}),
        ("inverse_sqrt", {"timescale": 10}),
        ("warmup_stable_decay", {"num_decay_steps": 20, "decay_type": "1-sqrt", "min_lr_ratio": 0.1}),
    ],
)
def test_what_was_read_from_transformers_is_written_by_the_same_name(name: str, arguments: dict[str, object]) -> None:
    reading = read_transformers(
        name, peak_lr=0.5, num_warmup_steps=20, num_training_steps=100, scheduler_specific_kwargs=arguments
    )
    fields = {"optimizer": Sgd(), "peak_lr": reading.peak_lr, "schedule": reading.schedule}
    found = named(Recipe.model_validate(fields), 100)
    assert found is not None
    assert (found.name, found.n_warmup, found.arguments) == (name, 20, arguments)


@pytest.mark.parametrize(
    "name, arguments, sentence",
    [
        ("greedy", {}, "raises the rate when the metric improves"),
        ("cosine_warmup_with_min_lr", {"min_lr_rate": 0.1}, r"counts its decay from t \+ 1"),
        ("noam", {}, "'noam' is none of the names that are read"),
        ("linear", {"power": 2.0}, r"get_scheduler\('linear'\) takes no power"),
        ("inverse_sqrt", {"timescale": 10_000}, "a timescale of 10000 updates is longer than the 80"),
        ("cosine_with_restarts", {"num_cycles": 3}, "3 cycles of 80 updates begin between two updates"),
        ("cosine", {"num_cycles": 0.7}, "do not turn at whole updates"),
        (
            "warmup_stable_decay",
            {"num_decay_steps": 20, "warmup_type": "1-sqrt"},
            "rises as no ramp or curve here does",
        ),
        ("warmup_stable_decay", {"num_decay_steps": 90}, "are more than the 80 that are left"),
    ],
)
def test_what_is_not_exact_of_transformers_is_refused(name: str, arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(NotExact, match=sentence):
        read_transformers(
            name, peak_lr=0.5, num_warmup_steps=20, num_training_steps=100, scheduler_specific_kwargs=arguments
        )


def test_restarts_that_rounding_spoils_in_transformers_are_refused() -> None:
    with pytest.raises(NotExact, match="transformers comes too late for the restart at update 30: rounding leaves"):
        read_transformers(
            "cosine_with_restarts",
            peak_lr=0.5,
            num_training_steps=44,
            scheduler_specific_kwargs={"num_cycles": 22},
        )
    recipe = Recipe(optimizer=Sgd(), peak_lr=0.5, schedule=Restarts(cycles=22))
    assert named(recipe, 44) is None


def test_a_plateau_of_transformers_is_that_of_torch() -> None:
    reading = read_transformers(
        "reduce_lr_on_plateau", peak_lr=0.5, num_training_steps=100, scheduler_specific_kwargs={"patience": 3}
    )
    assert reading.schedule == Plateau(patience=3, eps=2e-8)
    assert len(reading.conditions) == 2


def test_muon_is_two_optimizers_in_optax_as_well() -> None:
    code = optax_snippet(RECIPE.model_copy(update={"optimizer": Muon()}), 100)
    assert "optax has no optimizer that makes the updates of muon: give one this schedule." in code
    assert "optimizer =" not in code
