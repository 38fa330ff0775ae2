"""The quasi-random design: how evenly it covers, held against random points and against scipy's sequences."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from scipy.stats import qmc

from search.choices import SamplerChoice
from search.sampling.flat import n_coordinates, place_of, shared_ranges, value_at
from search.sampling.halton import Halton, rotations
from search.sampling.qmc import Design
from search.space import Space
from tests.search.searching import sampling

SHARED = ("lr_position", "weight_decay_position", "momentum_position", "warmup_fraction")
SEEDS = pytest.mark.parametrize("seed", range(3))


def discrepancy(points: list[tuple[float, ...]]) -> float:
    return float(qmc.discrepancy(points))


def at_random(n_points: int, n_dimensions: int, seed: int) -> list[tuple[float, ...]]:
    chance = random.Random(seed)
    return [tuple(chance.random() for _ in range(n_dimensions)) for _ in range(n_points)]


def places(space: Space, seed: int, n_trials: int) -> list[tuple[str, tuple[float, ...]]]:
    """Return the plan of each trial, and its places on the ranges that every trial has."""
    design, ranges = Design(space, seed), shared_ranges(space)
    drawn = [design.parameters(index) for index in range(n_trials)]
    return [(each["plan"], tuple(place_of(own, each[name]) for name, own in ranges.items())) for each in drawn]


@SEEDS
def test_the_sequence_is_about_as_even_as_scipys_and_far_more_than_random_points(seed: int) -> None:
    halton = Halton(4, seed)
    ours = discrepancy([halton.point(number) for number in range(64)])
    assert ours < 1.5 * discrepancy(list(map(tuple, qmc.Halton(4, rng=seed).random(64))))
    assert ours < 0.3 * discrepancy(at_random(64, 4, seed))


def test_as_many_points_as_the_base_has_digits_fall_into_as_many_equal_parts() -> None:
    halton = Halton(3, 0)
    for dimension, base in enumerate((2, 3, 5)):
        parts = [int(halton.point(number)[dimension] * base**2) for number in range(base**2)]
        assert sorted(parts) == list(range(base**2))


def test_one_rotation_goes_round_by_the_golden_ratio() -> None:
    assert rotations(1) == pytest.approx((2 / (1 + 5**0.5),), abs=1e-12)


@SEEDS
def test_the_trials_of_a_block_those_of_a_plan_and_all_cover_the_ranges_evenly(seed: int) -> None:
    space = Space()
    trials = places(space, seed, 20 * 12)
    block = [point for _, point in trials[:12]]
    plan = [point for name, point in trials if name == "sgd+cosine"]
    everything = [point for _, point in trials]
    for points, share in ((block, 0.9), (plan, 0.6), (everything, 0.3)):
        ours = discrepancy([point[:2] for point in points])
        randoms = [discrepancy(at_random(len(points), 2, number)) for number in range(20)]
        assert ours < share * sum(randoms) / 20


def test_a_trial_is_a_pure_function_of_the_seed_and_its_place() -> None:
    forwards = [Design(Space(), 7).parameters(index) for index in range(30)]
    design = Design(Space(), 7)
    assert [design.parameters(index) for index in reversed(range(30))] == forwards[::-1]
    assert [Design(Space(), 8).parameters(index) for index in range(30)] != forwards


def test_a_persons_recipes_take_no_place_in_the_design() -> None:
    sampler, design = sampling(choice=SamplerChoice(kind="qmc")), Design(Space(), 7)
    drawn = [sampler.ask(number).parameters for number in (0, 3, 4, 9)]
    assert drawn == [design.parameters(index) for index in range(4)]


def test_the_planned_start_is_not_used() -> None:
    sampler = sampling(choice=SamplerChoice(kind="qmc"))
    rates = {sampler.ask(number).parameters["lr_position"] for number in range(12)}
    assert len(rates) == 12
    assert not rates & {0.25, 0.5, 0.75}


def test_what_every_trial_has_is_known_whatever_the_plan() -> None:
    assert tuple(shared_ranges(Space())) == SHARED
    assert n_coordinates(Space()) == 7


def test_a_place_on_a_range_is_mapped_there_and_back() -> None:
    for own in shared_ranges(Space(families=("factor",))).values():
        assert (value_at(own, 0.0), value_at(own, 1.0)) == (own.low, own.high)
        for place in islice((n / 8 for n in range(9)), 9):
            assert place_of(own, value_at(own, place)) == pytest.approx(place, abs=1e-12)
