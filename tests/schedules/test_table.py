"""All rates of a run at once are what each update asks for."""

from __future__ import annotations

import math
import subprocess
import sys
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import (
    SCHEDULES,
    Cosine,
    Ema,
    InverseSqrt,
    Linear,
    MultiFactor,
    OneMinusSqrt,
    Piecewise,
    Plateau,
    Recipe,
    Restarts,
    Schedule,
    Sgd,
    Shape,
    Step,
    Swa,
    Warmup,
)
from schedules.averaging import ConstantTail, CyclicTail
from schedules.table import compile_table, compile_without_numpy
from schedules.vectors import multipliers
from tests.strategies import recipes, schedules


def one_by_one(what: Schedule | Recipe, horizon: int) -> array[float]:
    call = what.rate if isinstance(what, Recipe) else what
    return array("d", [call(t, horizon) for t in range(horizon)])


@settings(max_examples=300)
@given(schedules(), st.integers(1, 3000))
def test_a_table_of_a_schedule_is_its_multipliers(schedule: Schedule, horizon: int) -> None:
    table = compile_table(schedule, horizon)
    assert isinstance(table, array)
    assert table.tolist() == pytest.approx(one_by_one(schedule, horizon).tolist(), rel=0, abs=1e-15)
    assert all(0 <= multiplier <= 1 for multiplier in table)


@given(recipes(), st.integers(1, 500))
def test_a_table_of_a_recipe_is_its_rates(recipe: Recipe, horizon: int) -> None:
    expected = one_by_one(recipe, horizon).tolist()
    assert compile_table(recipe, horizon).tolist() == pytest.approx(expected, rel=0, abs=1e-15 * recipe.peak_lr)


@pytest.mark.parametrize(
    "schedule",
    [
        Linear(final_ratio=0.1),
        OneMinusSqrt(final_ratio=0.1),
        InverseSqrt(),
        Step(drops=7, gamma=0.7),
        MultiFactor(),
        Piecewise(),
        Warmup(then=Linear()),
        Restarts(then=Linear(), peak_decay=0.9, t_mult=1.5),
        Warmup(then=Plateau()),
    ],
    ids=lambda schedule: schedule.summary(),
)
def test_where_nothing_but_roots_and_products_is_taken_the_table_is_exact(schedule: Schedule) -> None:
    assert compile_table(schedule, 997) == one_by_one(schedule, 997)


@pytest.mark.parametrize(
    "averaging",
    [
        Ema(start_fraction=0.5),
        Swa(),
        Swa(start_fraction=0.7, tail=ConstantTail(ratio=0.3)),
        Swa(start_fraction=0.6, every_fraction=0.07, tail=CyclicTail(high_ratio=0.5, low_ratio=0.1)),
    ],
    ids=lambda averaging: averaging.summary(),
)
def test_a_table_of_a_recipe_has_the_tail_of_its_averaging(averaging: Ema | Swa) -> None:
    recipe = Recipe(optimizer=Sgd(), peak_lr=0.5, schedule=Cosine(), averaging=averaging)
    assert compile_table(recipe, 331).tolist() == pytest.approx(one_by_one(recipe, 331).tolist(), rel=0, abs=1e-15)


@given(st.one_of(schedules(), recipes()), st.integers(1, 200))
def test_without_numpy_the_table_is_the_same(what: Schedule | Recipe, horizon: int) -> None:
    assert compile_without_numpy(what, horizon) == one_by_one(what, horizon)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_every_schedule_is_compiled_many_updates_at_a_time(kind: str) -> None:
    assert multipliers.dispatch(SCHEDULES[kind]) is not multipliers.dispatch(Schedule)


def test_a_schedule_that_is_not_known_here_is_compiled_update_by_update() -> None:
    class Halves(Shape):
        kind: str = "halves"

        def shape(self, t: int, horizon: int) -> float:
            return math.ldexp(1.0, -t)

        def source(self, horizon: int) -> str:
            return "0.5 ** t"

    assert compile_table(Halves(), 4).tolist() == [1, 0.5, 0.25, 0.125]


def test_schedules_are_had_without_numpy() -> None:
    code = "import sys, schedules, schedules.table; print('numpy' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == "False\n"
