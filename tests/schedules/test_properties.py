"""Laws that every schedule and recipe keeps, whatever its parameters."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schedules import FAMILIES, AnySchedule, PlateauState, Recipe, Schedule, Shape, updates_at
from tests.strategies import DECAYS, SHAPES, horizons, metrics, plateaus, recipes, schedules, shapes

SCHEDULE: TypeAdapter[Schedule] = TypeAdapter(AnySchedule)
Readings = list[tuple[float, int]]

updates = st.integers(0, 2_000_000)
readings = st.lists(st.tuples(metrics(), updates), max_size=30)


def decays() -> st.SearchStrategy[Schedule]:
    return st.one_of(*DECAYS.values())


def after(schedule: Schedule, heard: Readings, horizon: int) -> PlateauState | None:
    state = schedule.start()
    for metric, t in heard:
        if state is not None:
            state = schedule.observe(state, metric, t, horizon)
    return state


def test_the_strategies_know_every_family() -> None:
    assert {*SHAPES, "plateau", "restarts"} == set(FAMILIES)


@given(schedules(), horizons(), updates, readings)
def test_the_multiplier_lies_between_zero_and_one(schedule: Schedule, horizon: int, t: int, heard: Readings) -> None:
    multiplier = schedule(t, horizon, after(schedule, heard, horizon))
    assert math.isfinite(multiplier)
    assert 0.0 <= multiplier <= 1.0


@given(schedules(), horizons(), updates)
def test_the_multiplier_stays_past_the_end(schedule: Schedule, horizon: int, beyond: int) -> None:
    assert schedule(horizon + beyond, horizon) == schedule(horizon, horizon)


@given(decays(), horizons())
def test_every_decay_begins_at_the_peak(schedule: Schedule, horizon: int) -> None:
    assert schedule(0, horizon) == 1.0


@given(decays(), horizons(), updates)
def test_no_decay_ever_rises(schedule: Schedule, horizon: int, t: int) -> None:
    assert schedule(t + 1, horizon) <= schedule(t, horizon) + 1e-15


@given(schedules(), horizons())
def test_the_multiplier_after_a_run_is_where_the_last_phase_ends(schedule: Schedule, horizon: int) -> None:
    assert schedule(10 * horizon, horizon) == schedule.multiplier(horizon, horizon, None)


@given(plateaus(), horizons(), readings)
def test_a_plateau_never_rises_and_stays_above_its_floor(schedule: Schedule, horizon: int, heard: Readings) -> None:
    seen = [schedule(0, horizon, after(schedule, heard[:n], horizon)) for n in range(len(heard) + 1)]
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] >= schedule.model_dump()["final_ratio"]


@given(plateaus(), horizons(), readings, readings)
def test_a_plateau_goes_on_from_its_stored_state(
    schedule: Schedule, horizon: int, before: Readings, later: Readings
) -> None:
    state = after(schedule, before, horizon)
    assert state is not None
    stored = PlateauState.model_validate_json(state.model_dump_json())
    for metric, t in later:
        stored = schedule.observe(stored, metric, t, horizon)
    assert stored == after(schedule, before + later, horizon)


@given(schedules())
def test_a_schedule_comes_back_from_json_the_same(schedule: Schedule) -> None:
    assert SCHEDULE.validate_json(SCHEDULE.dump_json(schedule)) == schedule


@given(recipes())
def test_a_recipe_comes_back_from_json_the_same(recipe: Recipe) -> None:
    back = Recipe.model_validate_json(recipe.model_dump_json())
    assert back == recipe
    assert hash(back) == hash(recipe)
    assert back.digest == recipe.digest


@given(recipes(), recipes())
def test_digests_are_equal_only_for_equal_recipes(one: Recipe, other: Recipe) -> None:
    assert (one.digest == other.digest) == (one == other)


@given(recipes(), horizons(), updates)
def test_the_rate_is_the_peak_times_the_multiplier(recipe: Recipe, horizon: int, t: int) -> None:
    assert recipe.rate(t, horizon) == recipe.peak_lr * recipe.schedule(t, horizon)


@given(schedules(), horizons())
def test_comparing_becomes_fair_within_the_run_or_at_its_end(schedule: Schedule, horizon: int) -> None:
    assert 0 <= schedule.fair_from(horizon) <= horizon + 1


@given(st.floats(0, 1), horizons())
def test_a_position_rounds_half_up_and_is_never_lost(fraction: float, horizon: int) -> None:
    n = updates_at(fraction, horizon)
    assert 0 <= n <= horizon
    assert n == max(math.floor(fraction * horizon + 0.5), 1 if fraction > 0 else 0)


@given(shapes(), horizons(2, 5000), updates)
def test_the_source_of_a_family_is_its_shape(schedule: Schedule, horizon: int, t: int) -> None:
    assert isinstance(schedule, Shape)
    t %= horizon + 1
    written = eval(schedule.source(horizon), {"math": math, "t": t})  # noqa: S307  our own text, and only here
    assert written == pytest.approx(schedule(t, horizon), abs=1e-15)


@given(schedules())
def test_a_schedule_is_a_value(schedule: Schedule) -> None:
    again = type(schedule).model_validate(schedule.model_dump())
    assert again == schedule
    assert hash(again) == hash(schedule)
    assert 1 <= schedule.depth <= schedule.n_schedules
