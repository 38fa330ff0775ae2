"""Where searched parameters lie, and what is made of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules import FAMILIES, OPTIMIZERS, MultiFactor, Plateau, Range, Sgd, Warmup

RANGES = [
    *Warmup.searched.values(),
    *(searched for family in FAMILIES.values() for searched in family.searched.values()),
    *(searched for optimizer in OPTIMIZERS.values() for searched in optimizer.ranges.values()),
]
positions = st.floats(0, 1)


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
    assert searched.position(value) == pytest.approx(position, abs=1e-9)


def test_a_name_has_the_same_bounds_in_every_family() -> None:
    known: dict[str, Range] = {}
    for family in FAMILIES.values():
        for name, searched in family.searched.items():
            same = known.setdefault(name, searched)
            assert (searched.low, searched.high, searched.scale) == (same.low, same.high, same.scale)


def test_what_only_one_family_has_carries_its_name() -> None:
    names = [name for family in FAMILIES.values() for name in family.searched]
    for kind, family in FAMILIES.items():
        for name in family.searched:
            assert names.count(name) > 1 or name.startswith(f"{kind}_")


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
