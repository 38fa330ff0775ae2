"""Cycles, phases, knots and joins worked out by hand."""

from __future__ import annotations

import math
from typing import Literal

import pytest

from schedules import (
    Constant,
    Cooldown,
    Cyclic,
    Linear,
    OneCycle,
    Piecewise,
    Product,
    Restarts,
    Sequence,
    Step,
    Warmup,
    Wsd,
)
from schedules.levels import Descent, Ramp
from tests.schedules.worked import approx, values


def test_triangles_go_up_and_down_between_base_and_peak() -> None:
    schedule = Cyclic(base_ratio=0.2, rise_fraction=0.25, fall_fraction=0.25)
    assert values(schedule, 8) == approx([0.2, 0.6, 1, 0.6, 0.2, 0.6, 1, 0.6, 0.2, 0.2])


def test_triangles_may_rise_faster_than_they_fall() -> None:
    schedule = Cyclic(base_ratio=0.0, rise_fraction=0.125, fall_fraction=0.375)
    assert values(schedule, 8) == approx([0, 1, 2 / 3, 1 / 3, 0, 1, 2 / 3, 1 / 3, 0, 0])


def test_triangular2_halves_each_cycle() -> None:
    schedule = Cyclic(base_ratio=0.2, rise_fraction=0.25, mode="triangular2")
    assert values(schedule, 8) == approx([0.2, 0.6, 1, 0.6, 0.2, 0.4, 0.6, 0.4, 0.2, 0.2])


def test_exp_range_shrinks_at_every_update() -> None:
    schedule = Cyclic(base_ratio=0.0, rise_fraction=0.25, mode="exp_range", total_decay=1 / 256)
    assert values(schedule, 8) == approx([0, 1 / 4, 1 / 4, 1 / 16, 0, 1 / 64, 1 / 64, 1 / 256, 0, 0])


def test_half_cycles_need_not_be_whole_updates() -> None:
    schedule = Cyclic(base_ratio=0.0, rise_fraction=0.25)
    assert values(schedule, 6, n=7) == approx([0, 2 / 3, 2 / 3, 0, 2 / 3, 2 / 3, 0])


def test_one_cycle_rises_and_then_falls_below_where_it_began() -> None:
    schedule = OneCycle(rise_fraction=0.5, start_ratio=0.2, final_ratio=0.1, curve="linear")
    assert values(schedule, 4) == approx([0.2, 0.6, 1, 0.55, 0.1, 0.1])
    low, high = (1 - math.sqrt(0.5)) / 2, (1 + math.sqrt(0.5)) / 2
    curved = OneCycle(rise_fraction=0.5, start_ratio=0.0, final_ratio=0.0)
    assert values(curved, 8) == approx([0, low, 0.5, high, 1, high, 0.5, low, 0, 0])


def test_one_cycle_with_three_phases_comes_back_to_its_start_before_it_ends() -> None:
    schedule = OneCycle(rise_fraction=0.25, start_ratio=0.2, final_ratio=0.0, phases=3, curve="linear")
    assert values(schedule, 8) == approx([0.2, 0.6, 1, 0.6, 0.2, 0.15, 0.1, 0.05, 0, 0])


@pytest.mark.parametrize(
    "phases, expected", [(2, [1, 0.5, 0, 1 / 6, 1 / 3, 0.5, 2 / 3, 5 / 6, 1, 1]), (3, [1, 0.5, 0, 0.5, *[1] * 6])]
)
def test_the_mirror_of_one_cycle_falls_while_the_rate_rises(phases: Literal[2, 3], expected: list[float]) -> None:
    schedule = OneCycle(rise_fraction=0.25, phases=phases, curve="linear")
    assert values(schedule.mirrored(), 8) == approx(expected)


@pytest.mark.parametrize(
    "decay, expected",
    [
        ("linear", [0.8125, 0.625, 0.4375]),
        ("cosine", [0.625 + 0.375 * math.sqrt(0.5), 0.625, 0.625 - 0.375 * math.sqrt(0.5)]),
        ("one_minus_sqrt", [0.625, 1 - 0.75 * math.sqrt(0.5), 1 - 0.75 * math.sqrt(0.75)]),
        ("exponential", [2**-0.5, 0.5, 2**-1.5]),
    ],
)
def test_wsd_holds_the_peak_and_decays_late(decay: Descent, expected: list[float]) -> None:
    schedule = Wsd(decay_fraction=0.5, decay=decay, final_ratio=0.25)
    assert values(schedule, 8) == approx([1, 1, 1, 1, 1, *expected, 0.25, 0.25])


def test_warmup_stable_decay_is_a_warmup_and_wsd() -> None:
    schedule = Warmup(fraction=0.2, then=Wsd(decay_fraction=0.25, decay="linear"))
    assert values(schedule, 10) == approx([0.5, 1, 1, 1, 1, 1, 1, 1, 1, 0.5, 0, 0])


def test_lines_pass_through_knots() -> None:
    schedule = Piecewise(knots=((0.0, 0.2), (0.25, 1.0), (0.75, 0.5), (1.0, 0.0)), curve="linear")
    assert values(schedule, 8) == approx([0.2, 0.6, 1, 0.875, 0.75, 0.625, 0.5, 0.25, 0, 0])


def test_half_waves_pass_through_knots() -> None:
    schedule = Piecewise(knots=((0.0, 0.0), (0.5, 1.0), (1.0, 0.5)), curve="cosine")
    assert values(schedule, 4) == approx([0, 0.5, 1, 0.75, 0.5, 0.5])


def test_a_cubic_through_two_knots_is_a_line() -> None:
    assert values(Piecewise(knots=((0.0, 1.0), (1.0, 0.0))), 4) == approx([1, 0.75, 0.5, 0.25, 0, 0])


def test_a_cubic_is_level_at_a_peak() -> None:
    # each half is x * (2 - x): slope 2 at the end, as three points give it, and 0 at the peak
    schedule = Piecewise(knots=((0.0, 0.0), (0.5, 1.0), (1.0, 0.0)))
    assert values(schedule, 8) == approx([0, 7 / 16, 3 / 4, 15 / 16, 1, 15 / 16, 3 / 4, 7 / 16, 0, 0])


@pytest.mark.parametrize(
    "ramp, expected",
    [
        ("linear", [0.2875, 0.525, 0.7625, 1]),
        ("cosine", [0.05 + 0.95 * (1 - math.sqrt(0.5)) / 2, 0.525, 0.05 + 0.95 * (1 + math.sqrt(0.5)) / 2, 1]),
        ("exponential", [0.05**0.75, 0.05**0.5, 0.05**0.25, 1]),
    ],
)
def test_a_warmup_rises_in_its_form(ramp: Ramp, expected: list[float]) -> None:
    schedule = Warmup(fraction=0.4, start_ratio=0.05, ramp=ramp, then=Constant())
    assert values(schedule, 10, n=5) == approx([*expected, 1])


def test_a_constant_rate_is_cooled_down() -> None:
    schedule = Cooldown(fraction=0.5, decay="linear", final_ratio=0.2)
    assert values(schedule, 8) == approx([1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2])


def test_a_cooldown_sets_out_from_where_the_other_schedule_ends() -> None:
    schedule = Cooldown(fraction=0.5, decay="linear", first=Linear(final_ratio=0.6))
    assert values(schedule, 8) == approx([1, 0.9, 0.8, 0.7, 0.6, 0.45, 0.3, 0.15, 0, 0])


def test_cycles_of_equal_length_restart_at_the_peak() -> None:
    assert values(Restarts(cycles=2, then=Linear()), 8) == approx([1, 0.75, 0.5, 0.25, 1, 0.75, 0.5, 0.25, 0, 0])


def test_cycles_grow_and_their_peaks_fall() -> None:
    schedule = Restarts(cycles=2, t_mult=2.0, peak_decay=0.5, then=Linear(final_ratio=0.2))
    assert values(schedule, 6) == approx([1, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1])


def test_a_first_cycle_tells_the_others_and_the_last_is_cut_off() -> None:
    schedule = Restarts(first_fraction=0.25, t_mult=1.5, then=Linear())
    assert schedule.bounds(16) == (0, 4, 10, 19)
    expected = [1, 3 / 4, 2 / 4, 1 / 4, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, *(1 - t / 9 for t in range(7))]
    assert values(schedule, 16) == approx([*expected, 1 - 6 / 9])


def test_a_warmup_can_begin_every_cycle() -> None:
    schedule = Restarts(cycles=2, then=Warmup(fraction=0.5, then=Linear()))
    assert values(schedule, 8) == approx([0.5, 1, 1, 0.5, 0.5, 1, 1, 0.5, 0, 0])


def test_schedules_follow_one_another() -> None:
    schedule = Sequence(schedules=(Constant(), Linear(), Linear(final_ratio=0.5)), milestones=(0.25, 0.75))
    assert values(schedule, 8) == approx([1, 1, 1, 0.75, 0.5, 0.25, 1, 0.75, 0.5, 0.5])


def test_schedules_are_multiplied() -> None:
    schedule = Product(schedules=(Linear(), Step(drops=1, gamma=0.5)))
    assert values(schedule, 4) == approx([1, 0.75, 0.25, 0.125, 0, 0])
