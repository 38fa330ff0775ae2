"""Families that rise before they fall, phase by phase."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schedules import Cyclic, OneCycle, Piecewise, Schedule, Wsd
from tests.strategies import DECAYS, SHAPES, horizons

updates = st.integers(0, 2_000_000)


@given(SHAPES["one_cycle"], horizons(3), updates)
def test_one_cycle_only_rises_to_its_peak_and_only_falls_after_it(drawn: Schedule, horizon: int, t: int) -> None:
    assert isinstance(drawn, OneCycle)
    assume(runs(drawn, horizon))
    t %= horizon
    here, there = drawn(t, horizon), drawn(t + 1, horizon)
    if t < drawn.fair_from(horizon):
        assert here <= there + 1e-15
    else:
        assert there <= here + 1e-15


@given(SHAPES["one_cycle"], horizons(3))
def test_one_cycle_is_at_its_levels_exactly_where_phases_meet(drawn: Schedule, horizon: int) -> None:
    assert isinstance(drawn, OneCycle)
    assume(runs(drawn, horizon))
    assert [drawn(t, horizon) for t, _ in drawn.knots(horizon)] == [level for _, level in drawn.knots(horizon)]


@given(SHAPES["one_cycle"], horizons(3), updates)
def test_the_mirror_of_one_cycle_is_low_where_the_rate_is_high(drawn: Schedule, horizon: int, t: int) -> None:
    assert isinstance(drawn, OneCycle)
    assume(runs(drawn, horizon))
    mirror, n_rise, t = drawn.mirrored(), drawn.fair_from(horizon), t % horizon
    assert (mirror(0, horizon), mirror(n_rise, horizon), mirror(horizon, horizon)) == (1, 0, 1)
    if t < n_rise:
        assert mirror(t + 1, horizon) <= mirror(t, horizon) + 1e-15
    else:
        assert mirror(t + 1, horizon) >= mirror(t, horizon) - 1e-15


@given(DECAYS["wsd"], horizons(2), updates)
def test_wsd_is_at_the_peak_until_its_decay_and_at_its_floor_at_the_end(drawn: Schedule, horizon: int, t: int) -> None:
    assert isinstance(drawn, Wsd)
    start = drawn.decay_start(horizon)
    assert drawn(min(t, start), horizon) == 1.0
    assert drawn(horizon, horizon) == pytest.approx(drawn.final_ratio, abs=1e-15)


@given(SHAPES["cyclic"], horizons(2), updates)
def test_cycles_lie_between_base_and_peak(drawn: Schedule, horizon: int, t: int) -> None:
    assert isinstance(drawn, Cyclic)
    assert drawn(0, horizon) == drawn.base_ratio
    assert drawn.base_ratio <= drawn(t, horizon) <= 1


@given(SHAPES["cyclic"], horizons(2), updates)
def test_after_the_last_peak_cycles_only_fall_until_the_last_base(drawn: Schedule, horizon: int, t: int) -> None:
    assert isinstance(drawn, Cyclic)
    assume(runs(drawn, horizon))
    up, down = drawn.halves(horizon)
    begin = drawn.fair_from(horizon)
    base = math.floor(math.floor(begin / (up + down)) * (up + down) + up + down)
    t = begin + t % max(min(base, horizon) - begin, 1)
    if t < min(base, horizon):
        assert drawn(t + 1, horizon) <= drawn(t, horizon) + 1e-12


@given(SHAPES["piecewise"], horizons(2))
def test_a_curve_passes_through_its_knots(drawn: Schedule, horizon: int) -> None:
    assert isinstance(drawn, Piecewise)
    assume(runs(drawn, horizon))
    assert [drawn(t, horizon) for t, _ in drawn.placed(horizon)] == [level for _, level in drawn.knots]


@given(SHAPES["piecewise"], horizons(2), updates)
def test_a_curve_rises_and_falls_only_where_its_knots_do(drawn: Schedule, horizon: int, t: int) -> None:
    assert isinstance(drawn, Piecewise)
    t %= horizon
    placed = dict(drawn.placed(horizon))
    (first, second) = next((a, b) for (u, a), (v, b) in pairwise(placed.items()) if u <= t < v)
    here, there = drawn(t, horizon), drawn(t + 1, horizon)
    assert min(first, second) <= here <= max(first, second)
    if first <= second:
        assert here <= there + 1e-12
    else:
        assert there <= here + 1e-12


@given(SHAPES["piecewise"], horizons(2))
def test_a_curve_is_compared_from_its_last_highest_knot(drawn: Schedule, horizon: int) -> None:
    assert isinstance(drawn, Piecewise)
    assume(runs(drawn, horizon))
    assert drawn(drawn.fair_from(horizon), horizon) == max(level for _, level in drawn.knots)


def runs(schedule: Schedule, horizon: int) -> bool:
    try:
        schedule.check(horizon)
    except ValueError:
        return False
    return True
