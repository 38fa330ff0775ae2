"""The schedule that reads a metric, reading by reading."""

from __future__ import annotations

import math

import pytest

from schedules import Constant, Plateau, PlateauState, Schedule, Warmup

NAN = math.nan


def multipliers(schedule: Schedule, metrics: list[float], first: int = 1, horizon: int = 100) -> list[float]:
    """Return the multiplier after each reading; the first is taken after ``first`` updates."""
    state = schedule.start()
    assert state is not None
    found = []
    for t, metric in enumerate(metrics, start=first):
        state = schedule.observe(state, metric, t, horizon)
        found.append(schedule(t, horizon, state))
    return found


def test_the_drop_comes_at_the_first_bad_reading_past_the_patience() -> None:
    schedule = Plateau(factor=0.5, patience=2)
    assert multipliers(schedule, [1.0] * 8) == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_without_patience_every_bad_reading_drops() -> None:
    assert multipliers(Plateau(factor=0.5, patience=0), [1.0] * 4) == [1, 0.5, 0.25, 0.125]


def test_a_good_reading_forgives_the_bad_ones_before_it() -> None:
    schedule = Plateau(factor=0.5, patience=1)
    assert multipliers(schedule, [1.0, 1.0, 0.9, 0.9, 0.8, 0.8, 0.8]) == [1, 1, 1, 1, 1, 1, 0.5]


def test_readings_in_cooldown_are_not_counted_as_bad() -> None:
    schedule = Plateau(factor=0.5, patience=1, cooldown=2)
    assert multipliers(schedule, [1.0] * 8) == [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_the_best_is_still_kept_in_cooldown() -> None:
    state = PlateauState(multiplier=0.5, best=1.0, cooldown_left=2)
    assert Plateau().observe(state, 0.5, 1, 100) == PlateauState(multiplier=0.5, best=0.5, cooldown_left=1)


def test_the_multiplier_stops_at_its_floor() -> None:
    assert multipliers(Plateau(factor=0.5, patience=0, final_ratio=0.3), [1.0] * 4) == [1, 0.5, 0.3, 0.3]


@pytest.mark.parametrize("reading", [NAN, math.inf, -math.inf])
def test_a_reading_that_is_not_finite_is_bad(reading: float) -> None:
    assert multipliers(Plateau(factor=0.5, patience=1), [1.0, reading, reading]) == [1, 1, 0.5]


def test_readings_that_start_with_nan_are_bad_from_the_first() -> None:
    assert multipliers(Plateau(factor=0.5, patience=1), [NAN, NAN, 1.0, 0.5]) == [1, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "schedule, best, barely, enough",
    [
        (Plateau(threshold=0.1), 2.0, 1.8, 1.79),
        (Plateau(threshold=0.1, mode="max"), 2.0, 2.2, 2.21),
        (Plateau(threshold=0.1, threshold_mode="abs"), 2.0, 1.9, 1.89),
        (Plateau(threshold=0.1, threshold_mode="abs", mode="max"), 2.0, 2.1, 2.11),
        (Plateau(threshold=0.1), -2.0, -2.2, -2.21),
        (Plateau(threshold=0.1, mode="max"), -2.0, -1.8, -1.79),
        (Plateau(threshold=0.1, threshold_mode="abs"), -2.0, -2.1, -2.11),
        (Plateau(threshold=0.1, threshold_mode="abs", mode="max"), -2.0, -1.9, -1.89),
        (Plateau(threshold=0.1), 0.0, 0.0, -1e-9),
        (Plateau(threshold=0.0), 1.0, 1.0, 0.999),
    ],
)
def test_an_improvement_is_more_than_the_threshold(
    schedule: Plateau, best: float, barely: float, enough: float
) -> None:
    before = PlateauState(best=best)
    assert schedule.observe(before, barely, 1, 100) == PlateauState(best=best, n_bad=1)
    assert schedule.observe(before, enough, 1, 100) == PlateauState(best=enough)


def test_a_negative_metric_that_stays_where_it_is_does_not_improve() -> None:
    assert multipliers(Plateau(factor=0.5, patience=1), [-1.0] * 3) == [1, 1, 0.5]


def test_readings_during_the_warmup_are_not_counted() -> None:
    schedule = Warmup(fraction=0.05, then=Plateau(factor=0.5, patience=0))
    assert multipliers(schedule, [NAN, 1.0, NAN, 9.0], first=1)[:4] == [0.4, 0.6, 0.8, 1.0]
    assert multipliers(schedule, [NAN, 1.0, 1.0], first=4) == [1.0, 1.0, 0.5]


def test_the_best_of_the_warmup_is_no_bar_for_what_follows() -> None:
    schedule = Warmup(fraction=0.05, then=Plateau(factor=0.5, patience=0))
    assert multipliers(schedule, [0.1, 5.0, 4.0, 3.0], first=4) == [1.0] * 4


def test_a_schedule_that_reads_nothing_has_no_state() -> None:
    assert Constant().start() is None
    assert Warmup(then=Constant()).start() is None


def test_the_mode_is_set_through_a_warmup() -> None:
    assert Warmup(then=Plateau()).with_mode("max") == Warmup(then=Plateau(mode="max"))
    assert Warmup(then=Constant()).with_mode("max") == Warmup(then=Constant())
