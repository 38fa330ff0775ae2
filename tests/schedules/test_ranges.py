"""Where searched parameters lie, and what is made of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules import (
    FAMILIES,
    OPTIMIZERS,
    Cosine,
    Cyclic,
    MultiFactor,
    Piecewise,
    Plateau,
    Range,
    Restarts,
    Sgd,
    Step,
    Warmup,
)

RANGES = [
    *Warmup.searched.values(),
    *(searched for family in FAMILIES.values() for searched in family.searched.values()),
    *(searched for optimizer in OPTIMIZERS.values() for searched in optimizer.ranges.values()),
]
positions = st.floats(0, 1)
SHARED = {"final_ratio", "gamma", "decay_fraction"}
"""Names of meanings that are nobody's own, even where a single family has them so far."""


@pytest.mark.parametrize(
    "searched, middle",
    [
        (Range(1.0, 3.0), 2.0),
        (Range(1e-4, 1e-2, "log"), 1e-3),
        (Range(0.9, 0.999, "one_minus_log"), 0.99),
        (Range(0.5, 0.5, "log"), 0.5),
        (Range(0.0, 0.0, "log"), 0.0),
    ],
)
def test_the_middle_of_a_range(searched: Range, middle: float) -> None:
    assert searched.at(0.5) == pytest.approx(middle, rel=1e-12)
    assert searched.default == searched.at(0.5)


def test_the_ends_of_a_range_are_exact() -> None:
    for searched in RANGES:
        assert (searched.at(0.0), searched.at(1.0)) == (searched.low, searched.high)


def test_a_range_of_one_value_has_position_zero() -> None:
    assert Range(0.3, 0.3).position(0.3) == 0.0


@given(st.sampled_from(RANGES), positions)
def test_a_position_is_found_again(searched: Range, position: float) -> None:
    value = searched.at(position)
    assert searched.low <= value <= searched.high
    found = 0.0 if searched.low == searched.high else position
    assert searched.position(value) == pytest.approx(found, abs=1e-9)


def test_a_name_has_the_same_bounds_in_every_family() -> None:
    known: dict[str, Range] = {}
    for family in FAMILIES.values():
        for name, searched in family.searched.items():
            same = known.setdefault(name, searched)
            assert (searched.low, searched.high, searched.scale) == (same.low, same.high, same.scale)


def test_what_only_one_family_has_carries_its_name() -> None:
    for kind, family in FAMILIES.items():
        for name in family.searched:
            assert name in SHARED or name.startswith(f"{kind}_")


def test_a_range_of_one_value_is_the_default_of_its_family() -> None:
    for family in FAMILIES.values():
        held = {name: each.default for name, each in family.searched.items() if each.low == each.high}
        without = {name: each.default for name, each in family.searched.items() if name not in held}
        assert family.build(without | held) == family.build(without)


@pytest.mark.parametrize("kind", FAMILIES)
@given(st.data(), st.integers(0, 1000))
def test_every_draw_makes_a_schedule_that_a_run_of_the_promised_length_can_follow(
    kind: str, data: st.DataObject, longer: int
) -> None:
    family = FAMILIES[kind]
    schedule = family.build({name: searched.at(data.draw(positions)) for name, searched in family.searched.items()})
    assert schedule.kind == kind
    schedule.check(family.shortest_for(family.searched) + longer)


@pytest.mark.parametrize("kind", OPTIMIZERS)
@given(st.data())
def test_every_draw_makes_an_optimizer(kind: str, data: st.DataObject) -> None:
    found = {name: searched.at(data.draw(positions)) for name, searched in OPTIMIZERS[kind].ranges.items()}
    built = OPTIMIZERS[kind].build(weight_decay=found["weight_decay"], momentum=found.get("momentum"))
    assert built.kind == kind


def test_milestones_are_broken_off_one_after_the_other() -> None:
    drawn = MultiFactor.build({"multi_factor_first": 0.5, "multi_factor_second": 0.5, "gamma": 0.2})
    assert drawn == MultiFactor(milestones=(0.5, 0.75), gamma=0.2)


def test_a_searched_plateau_takes_gamma_for_its_factor_and_whole_readings_of_patience() -> None:
    drawn = Plateau.build({"gamma": 0.5, "plateau_patience": 2.5, "final_ratio": 0.01})
    assert drawn == Plateau(factor=0.5, patience=3, final_ratio=0.01)


def test_a_searched_sgd_uses_nesterov_where_there_is_momentum() -> None:
    assert Sgd.build(weight_decay=0.0, momentum=0.9) == Sgd(momentum=0.9, nesterov=True)
    assert Sgd.build(weight_decay=0.0, momentum=0.0) == Sgd(momentum=0.0, nesterov=False)


def test_searched_steps_and_cycles_are_whole() -> None:
    assert Step.build({"step_drops": 2.5, "gamma": 0.2}) == Step(drops=3, gamma=0.2)
    drawn = {"restarts_cycles": 3.4, "restarts_t_mult": 1.5, "restarts_peak_decay": 0.5, "final_ratio": 0.1}
    expected = Restarts(cycles=3, t_mult=1.5, peak_decay=0.5, then=Cosine(final_ratio=0.1))
    assert Restarts.build(drawn) == expected


def test_searched_cycles_shrink() -> None:
    drawn = Cyclic.build({"cyclic_base_ratio": 0.2, "cyclic_rise_fraction": 0.1, "cyclic_total_decay": 0.5})
    assert drawn == Cyclic(base_ratio=0.2, rise_fraction=0.1, mode="exp_range", total_decay=0.5)


def test_the_highest_of_searched_knots_is_the_peak() -> None:
    heights = {"start": 0.1, "quarter": 0.5, "half": 0.25, "three_quarters": 0.05, "end": 0.01}
    drawn = Piecewise.build({f"piecewise_{name}": height for name, height in heights.items()})
    assert drawn == Piecewise(knots=((0.0, 0.2), (0.25, 1.0), (0.5, 0.5), (0.75, 0.1), (1.0, 0.02)))


def test_only_families_that_begin_below_the_peak_bring_a_warmup() -> None:
    defaults = {
        kind: family.build({name: each.default for name, each in family.searched.items()})
        for kind, family in FAMILIES.items()
    }
    begin_low = {kind for kind, schedule in defaults.items() if schedule(0, 1000) < 1}
    assert begin_low == {kind for kind, family in FAMILIES.items() if family.brings_warmup}
