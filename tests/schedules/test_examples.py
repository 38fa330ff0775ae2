"""Schedules worked out by hand."""

from __future__ import annotations

import math

import pytest

from schedules import (
    Constant,
    Cooldown,
    Cosine,
    Cyclic,
    Factor,
    InverseSqrt,
    Linear,
    MultiFactor,
    OneCycle,
    OneMinusSqrt,
    Piecewise,
    Plateau,
    PlateauState,
    Polynomial,
    Product,
    Restarts,
    Schedule,
    Sequence,
    Step,
    Warmup,
    Wsd,
    updates_at,
)
from tests.schedules.worked import approx, values


def test_constant_stays_at_the_peak() -> None:
    assert values(Constant(), 3) == [1, 1, 1, 1, 1]


def test_factor_decays_by_the_same_factor_and_stops_at_its_floor() -> None:
    expected = [1, 1 / 2, 1 / 4, 1 / 8, 1 / 10, 1 / 10]
    assert values(Factor(total_decay=1 / 16, final_ratio=0.1), 4) == approx(expected)


def test_multi_factor_drops_at_its_milestones() -> None:
    expected = [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01]
    assert values(MultiFactor(milestones=(0.5, 0.75), gamma=0.1), 8) == approx(expected)


def test_a_milestone_rounds_half_up() -> None:
    assert values(MultiFactor(milestones=(0.5,), gamma=0.5), 5, n=5) == [1, 1, 1, 0.5, 0.5]


def test_cosine_falls_along_half_a_wave_and_does_not_climb_again() -> None:
    half = math.sqrt(0.5)
    expected = [1, 0.55 + 0.45 * half, 0.55, 0.55 - 0.45 * half, 0.1, 0.1]
    assert values(Cosine(final_ratio=0.1), 4) == approx(expected)


def test_linear_falls_along_a_line() -> None:
    assert values(Linear(final_ratio=0.2), 4) == approx([1, 0.8, 0.6, 0.4, 0.2, 0.2])


def test_polynomial_falls_as_a_power_of_what_is_left() -> None:
    expected = [1, 0.5 + 0.5 * 9 / 16, 0.5 + 0.5 / 4, 0.5 + 0.5 / 16, 0.5, 0.5]
    assert values(Polynomial(power=2.0, final_ratio=0.5), 4) == approx(expected)


def test_polynomial_of_power_one_is_linear() -> None:
    assert values(Polynomial(final_ratio=0.1), 7) == approx(values(Linear(final_ratio=0.1), 7))


def test_inverse_sqrt_counts_updates_in_timescales() -> None:
    expected = [1, math.sqrt(2 / 3), math.sqrt(2 / 4), math.sqrt(2 / 5), math.sqrt(2 / 6)]
    assert values(InverseSqrt(timescale_fraction=0.2), 10, n=5) == approx(expected)


def test_inverse_sqrt_with_a_timescale_of_one_update_is_one_over_the_root_of_the_updates_begun() -> None:
    assert values(InverseSqrt(timescale_fraction=0.001), 100, n=4) == approx([1, 2**-0.5, 3**-0.5, 4**-0.5])


def test_a_warmup_reaches_the_peak_on_its_last_update() -> None:
    assert values(Warmup(fraction=0.25, then=Constant()), 16, n=5) == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_a_warmup_can_set_off_above_zero() -> None:
    schedule = Warmup(fraction=0.5, start_ratio=0.2, then=Constant())
    assert values(schedule, 8, n=5) == approx([0.4, 0.6, 0.8, 1.0, 1.0])


def test_after_a_warmup_the_rest_of_the_run_is_the_inner_horizon() -> None:
    schedule = Warmup(fraction=0.2, then=Linear())
    assert values(schedule, 10) == approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0, 0])


def test_a_warmup_of_fraction_zero_is_none() -> None:
    assert values(Warmup(fraction=0.0, then=Cosine()), 9) == values(Cosine(), 9)


def test_the_smallest_warmup_is_one_update() -> None:
    assert values(Warmup(fraction=1e-9, then=Linear()), 5, n=3) == approx([1, 1, 0.75])


def test_a_plateau_without_readings_stays_at_the_peak() -> None:
    assert values(Plateau(), 4) == [1, 1, 1, 1, 1, 1]


def test_a_plateau_runs_at_the_multiplier_of_its_state() -> None:
    state = PlateauState(multiplier=0.25)
    assert Plateau()(3, 10, state) == 0.25
    assert Warmup(fraction=0.2, then=Plateau())(3, 10, state) == 0.25


def test_a_warmup_around_a_plateau_ramps_whatever_the_state() -> None:
    schedule = Warmup(fraction=0.5, then=Plateau())
    assert [schedule(t, 8, schedule.start()) for t in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_steps_drop_after_equal_stretches() -> None:
    expected = [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25]
    assert values(Step(drops=2, gamma=0.5), 9) == approx(expected)
    assert values(Step(drops=2, gamma=0.5, final_ratio=0.3), 9) == approx([max(level, 0.3) for level in expected])


def test_one_minus_sqrt_falls_fastest_at_first() -> None:
    expected = [1, 0.5, 1 - math.sqrt(0.5), 1 - math.sqrt(0.75), 0, 0]
    assert values(OneMinusSqrt(), 4) == approx(expected)
    assert values(OneMinusSqrt(final_ratio=0.2), 4) == approx([0.2 + 0.8 * level for level in expected])


def test_cosine_with_a_k_above_one_falls_later() -> None:
    early, late = (1 + math.cos(math.pi / 16)) / 2, (1 + math.cos(9 * math.pi / 16)) / 2
    assert values(Cosine(k_decay=2.0), 4) == approx([1, early, 0.5 + 0.5 * math.sqrt(0.5), late, 0, 0])


def test_inverse_sqrt_goes_on_with_a_run_that_began_before() -> None:
    whole = InverseSqrt(timescale_fraction=0.2)
    later = InverseSqrt(timescale_fraction=0.2, shift_fraction=0.3)
    assert [later(t, 10) for t in range(8)] == [whole(t + 3, 10) for t in range(8)]


@pytest.mark.parametrize("fraction, horizon, n", [(0, 10, 0), (1e-12, 10, 1), (0.25, 10, 3), (0.24, 10, 2), (1, 7, 7)])
def test_positions_round_half_up_and_are_at_least_one_update(fraction: float, horizon: int, n: int) -> None:
    assert updates_at(fraction, horizon) == n


@pytest.mark.parametrize(
    "schedule, fair_from",
    [
        (Constant(), 0),
        (Cosine(), 0),
        (Plateau(), 0),
        (MultiFactor(milestones=(0.4, 0.8)), 40),
        (Warmup(fraction=0.1, then=Cosine()), 10),
        (Warmup(fraction=0.1, then=MultiFactor(milestones=(0.5, 0.75))), 55),
        (Step(drops=3), 25),
        (Cyclic(rise_fraction=0.1), 90),
        (Cyclic(rise_fraction=0.125, fall_fraction=0.25), 88),
        (OneCycle(), 30),
        (OneCycle(phases=3), 30),
        (Wsd(decay_fraction=0.2), 80),
        (Piecewise(knots=((0.0, 0.5), (0.2, 1.0), (0.4, 1.0), (1.0, 0.0))), 40),
        (Piecewise(), 0),
        (Cooldown(fraction=0.3), 70),
        (Restarts(cycles=4), 75),
        (Restarts(first_fraction=0.1, t_mult=2.0), 70),
        (Restarts(cycles=2, then=Warmup(fraction=0.1, then=Cosine())), 55),
        (Sequence(schedules=(Cosine(), MultiFactor(milestones=(0.5,))), milestones=(0.6,)), 80),
        (Product(schedules=(Cosine(), MultiFactor(milestones=(0.5,)), Wsd())), 80),
    ],
)
def test_runs_are_compared_only_from_where_their_end_can_be_told(schedule: Schedule, fair_from: int) -> None:
    assert schedule.fair_from(100) == fair_from


@pytest.mark.parametrize(
    "schedule, summary",
    [
        (Constant(), "constant"),
        (Factor(total_decay=0.01, final_ratio=0.1), "factor total decay 0.01 → 0.1"),
        (MultiFactor(), "multi factor × 0.1 at 0.5, 0.75"),
        (MultiFactor(milestones=(0.1, 0.2, 0.3, 0.4, 0.5)), "multi factor × 0.1 at 5 milestones from 0.1"),
        (Cosine(), "cosine"),
        (Linear(final_ratio=0.05), "linear → 0.05"),
        (Polynomial(power=2.0), "polynomial power 2"),
        (InverseSqrt(), "inverse sqrt timescale 5%"),
        (Plateau(final_ratio=0.01), "plateau × 0.1 patience 10 → 0.01"),
        (Warmup(fraction=0.125, then=Cosine(final_ratio=0.01)), "warmup 12.5% · cosine → 0.01"),
        (Warmup(fraction=0.0, then=Cosine()), "cosine"),
        (Warmup(start_ratio=0.1, ramp="cosine", then=Cosine()), "warmup 5% cosine · cosine"),
        (Cosine(k_decay=2.0), "cosine k decay 2"),
        (Step(drops=3, final_ratio=0.01), "step 3 × 0.1 → 0.01"),
        (OneMinusSqrt(final_ratio=0.1), "one minus sqrt → 0.1"),
        (Cyclic(), "triangular from 0.25 rise 10%"),
        (Cyclic(fall_fraction=0.2, mode="triangular2"), "triangular2 from 0.25 rise 10% fall 20%"),
        (Cyclic(mode="exp_range", total_decay=0.1), "exp_range from 0.25 rise 10% total decay 0.1"),
        (OneCycle(), "one cycle rise 30% from 0.04 → 4e-06"),
        (OneCycle(phases=3, curve="linear", final_ratio=0.0), "one cycle rise 30% from 0.04 three phases linear"),
        (Wsd(), "wsd decay 20% one minus sqrt"),
        (Piecewise(), "piecewise cubic 3 knots 1 0.5 0"),
        (Cooldown(decay="cosine", first=InverseSqrt()), "inverse sqrt timescale 5% · cooldown 20% cosine"),
        (Restarts(cycles=3, t_mult=2.0, peak_decay=0.5), "restarts 3 × 2 peak × 0.5 · cosine"),
        (Restarts(first_fraction=0.1), "restarts first 10% · cosine"),
        (Sequence(schedules=(Constant(), Linear()), milestones=(0.25,)), "constant | 0.25: linear"),
        (Product(schedules=(Linear(), Cosine())), "(linear) × (cosine)"),
    ],
)
def test_a_summary_says_it_in_a_few_words(schedule: Schedule, summary: str) -> None:
    assert schedule.summary() == summary
