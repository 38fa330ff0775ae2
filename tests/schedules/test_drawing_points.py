"""Schedules as points, and what is marked on them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import (
    AdamW,
    Cooldown,
    Cosine,
    Cyclic,
    CyclicTail,
    Ema,
    Linear,
    MultiFactor,
    OneCycle,
    Piecewise,
    Plateau,
    Product,
    Recipe,
    Restarts,
    Schedule,
    Sequence,
    Step,
    Swa,
    Warmup,
    Wsd,
)
from schedules.drawing import Curve, Mark, MarkKind, marks, points
from tests.strategies import full_recipes, horizons, schedules

MARKED: Mapping[str, tuple[Schedule, dict[str, list[int]]]] = {
    "warmup": (Warmup(fraction=0.1, then=Cosine()), {"warm-up ends": [10]}),
    "cooldown": (Cooldown(fraction=0.2), {"decay begins": [80]}),
    "restarts": (Restarts(cycles=4), {"restart": [25, 50, 75]}),
    "sequence": (Sequence(schedules=(Linear(), Cosine()), milestones=(0.3,)), {"next phase": [30]}),
    "product": (Product(schedules=(Wsd(decay_fraction=0.5), Step(drops=1))), {"drop": [50], "decay begins": [50]}),
    "step": (Step(drops=3), {"drop": [25, 50, 75]}),
    "multi_factor": (MultiFactor(milestones=(0.3, 0.6)), {"drop": [30, 60]}),
    "cyclic": (Cyclic(rise_fraction=0.2), {"turn": [20, 40, 60, 80], "cycle begins": [40, 80]}),
    "one_cycle": (OneCycle(phases=3, rise_fraction=0.3), {"next phase": [30, 60]}),
    "wsd": (Wsd(decay_fraction=0.2), {"decay begins": [80]}),
    "piecewise": (Piecewise(knots=((0.0, 1.0), (0.4, 0.5), (1.0, 0.0))), {"knot": [40]}),
    "plateau": (Plateau(), {}),
    "nested": (
        Warmup(fraction=0.2, then=Restarts(cycles=2, then=Wsd(decay_fraction=0.5))),
        {"warm-up ends": [20], "decay begins": [40, 80], "restart": [60]},
    ),
}


def test_a_short_run_is_drawn_whole() -> None:
    assert points(MultiFactor(milestones=(0.5,), gamma=0.5), 4) == [(0, 1.0), (1, 1.0), (2, 0.5), (3, 0.5)]


@settings(max_examples=100, deadline=None)
@given(schedules(), horizons(), st.integers(2, 100))
def test_points_are_few_and_on_the_curve(schedule: Schedule, horizon: int, limit: int) -> None:
    found = points(schedule, horizon, limit)
    assert len(found) <= limit
    assert found == [(t, schedule(t, horizon)) for t in sorted({t for t, _ in found})]
    assert found[0][0] == 0
    assert found[-1][0] == horizon - 1


@settings(max_examples=30, deadline=None)
@given(full_recipes(), horizons())
def test_the_points_of_a_recipe_are_its_rates_with_the_tail_of_its_averaging(recipe: Recipe, horizon: int) -> None:
    assert all(multiplier == recipe.multiplier(t, horizon) for t, multiplier in points(recipe, horizon, 50))


def test_a_drop_in_a_long_run_is_drawn_as_one() -> None:
    found = points(MultiFactor(milestones=(0.5,), gamma=0.1), 1_000_000, limit=100)
    before, after = max(t for t, m in found if m == 1.0), min(t for t, m in found if m < 1.0)
    assert (before, after) == (499_999, 500_000)


@pytest.mark.parametrize("schedule", [Restarts(cycles=30), Cyclic(rise_fraction=1 / 60)], ids=["restarts", "cyclic"])
def test_the_peak_of_each_short_cycle_of_a_long_run_is_on_the_drawing(schedule: Schedule) -> None:
    horizon = 1_000_003
    found = points(schedule, horizon)
    for cycle in range(30):
        inside = [m for t, m in found if cycle * horizon / 30 - 1 <= t <= (cycle + 1) * horizon / 30]
        assert max(inside) == pytest.approx(1, abs=1e-4)


def test_the_peak_after_a_short_warmup_of_a_long_run_is_on_the_drawing() -> None:
    assert max(m for _, m in points(Warmup(fraction=0.0001, then=Cosine()), 1_000_000)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", MARKED)
def test_what_happens_in_a_run_is_marked(name: str) -> None:
    schedule, expected = MARKED[name]
    found: dict[str, list[int]] = {}
    for mark in marks(schedule, 100):
        found.setdefault(mark.kind.value, []).append(mark.update)
    assert found == expected


def test_the_start_of_an_averaging_is_marked() -> None:
    recipe = Recipe(optimizer=AdamW(), peak_lr=0.1, schedule=Linear(), averaging=Ema(start_fraction=0.5))
    assert marks(recipe, 10) == [Mark(5, MarkKind.AVERAGING)]


def test_where_an_averaging_has_a_tail_the_marks_are_those_of_the_tail() -> None:
    averaging = Swa(start_fraction=0.6, every_fraction=0.2, tail=CyclicTail())
    recipe = Recipe(optimizer=AdamW(), peak_lr=0.1, schedule=Step(drops=3), averaging=averaging)
    found = [(mark.update, mark.kind.value) for mark in marks(recipe, 100)]
    expected = [(25, "drop"), (50, "drop"), (60, "averaging begins"), (79, "turn"), (80, "cycle begins")]
    assert found == expected
    drawn = dict(points(recipe, 1_000_000))
    assert (drawn[799_999], drawn[800_000]) == (
        averaging.tail_at(799_999, 1_000_000),
        averaging.tail_at(800_000, 1_000_000),
    )


@settings(max_examples=100, deadline=None)
@given(full_recipes(), horizons())
def test_the_marks_of_a_recipe_are_not_endless(recipe: Recipe, horizon: int) -> None:
    assert all(0 < mark.update < horizon for mark in marks(recipe, horizon))


@settings(max_examples=100, deadline=None)
@given(schedules(), horizons())
def test_marks_lie_inside_the_run_and_are_not_endless(schedule: Schedule, horizon: int) -> None:
    found = marks(schedule, horizon)
    assert len(found) <= 500
    assert found == sorted(set(found), key=lambda mark: (mark.update, mark.kind))
    assert all(0 < mark.update < horizon for mark in found)


def test_cycles_too_short_to_be_seen_are_not_marked() -> None:
    assert marks(Cyclic(rise_fraction=1e-9), 1_000_000_000) == []


def test_a_curve_with_readings_drops_where_they_stop_improving() -> None:
    curve = Curve(Plateau(factor=0.5, patience=1), readings=(1.0, 0.5, 0.5, 0.5, 0.5))
    assert curve.points(50)[39:42] == [(39, 1.0), (40, 0.5), (41, 0.5)]
    long = dict(curve.points(1_000_000))
    assert (long[799_999], long[800_000]) == (1.0, 0.5)
