"""The grid: each recipe once, all of them in the end, and nothing after."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import pytest

from search.choices import SamplerChoice
from search.errors import Unsuitable
from search.planning import make_plan
from search.sampling import grid
from search.sampling.grid import size_bound
from search.space import Space
from search.study import Budget, StudyState
from tests.search.factories import NOON, TASK, a_plan, a_recipe, a_request
from tests.search.playing import a_conductor, claimed, complete, rebuilt, state_of, tokens
from tests.search.searching import sampling

TWO_PLANS: dict[str, Any] = {"optimizers": ["sgd"], "families": ["constant", "cosine"]}
SIX_POINTS: dict[str, Any] = {
    "space": TWO_PLANS,
    "sampler": {"kind": "grid", "steps": {"lr_position": 3}},
    "budget": {"trials": 10},
}


def test_a_grid_larger_than_the_budget_is_refused_with_its_size() -> None:
    request = a_request(sampler={"kind": "grid", "steps": 2}, budget={"trials": 100})
    with pytest.raises(Unsuitable, match="the grid has 800 points, but the budget has room for 100 at most") as refused:
        make_plan(request, TASK)
    assert (refused.value.where, refused.value.value) == (("sampler", "steps"), 800)


def test_a_grid_larger_than_any_is_refused_before_it_is_counted_out() -> None:
    with pytest.raises(Unsuitable, match=r"but any grid has room for 10000 at most"):
        a_plan(sampler={"kind": "grid", "steps": 50}, budget={"trials": 100_000})


def test_steps_on_what_the_space_does_not_have_are_refused() -> None:
    with pytest.raises(Unsuitable, match=r"no recipe .* with 'gamma'; its ranges are: lr_position, .*") as refused:
        a_plan(space=TWO_PLANS, sampler={"kind": "grid", "steps": {"lr_position": 3, "gamma": 4}})
    assert (refused.value.where, refused.value.value) == (("sampler", "steps", "gamma"), 4)


@pytest.mark.parametrize("name", ["plan", "averaging"])
def test_choices_take_no_steps(name: str) -> None:
    space = {**TWO_PLANS, "averaging": ["none", "ema"]}
    with pytest.raises(Unsuitable, match=f"no recipe of this space is drawn with '{name}'"):
        a_plan(space=space, sampler={"kind": "grid", "steps": {name: 2}})


def test_without_steps_every_plan_has_five_rates() -> None:
    assert a_plan(sampler={"kind": "grid"}).grid_points == 60
    points = list(grid(Space(), {"lr_position": 5}))
    assert {(point["plan"], point["lr_position"]) for point in points} == set(
        product(Space().plans, (0.0, 0.25, 0.5, 0.75, 1.0))
    )
    assert {(point["weight_decay_position"], point["warmup_fraction"]) for point in points} == {(0.5, 0.1)}


def test_samplers_without_end_have_no_grid() -> None:
    assert a_plan(sampler={"kind": "qmc"}).grid_points is None


def test_a_plan_is_cut_along_its_own_parameters_only() -> None:
    space = Space(optimizers=("adagrad",), families=("constant", "one_cycle"))
    counts = Counter(point["plan"] for point in grid(space, 2))
    rate_and_decay = 2 * 2
    assert counts["adagrad+constant"] == rate_and_decay * 2
    one_cycle_alone = Space(optimizers=("adagrad",), families=("one_cycle",))
    assert counts["adagrad+one_cycle"] == len(list(grid(one_cycle_alone, 2)))


def test_an_optimizer_that_averages_by_itself_comes_with_one_averaging() -> None:
    space = Space(optimizers=("sgd", "schedule_free_adamw"), families=("constant",), averaging=("none", "ema"))
    kinds = {(point["plan"], point["averaging"]) for point in grid(space, {"lr_position": 2})}
    assert kinds == {
        ("sgd+constant", "none"),
        ("sgd+constant", "ema"),
        ("schedule_free_adamw+constant", "none"),
    }


@pytest.mark.parametrize(
    "space",
    [
        Space(optimizers=("sgd", "adagrad"), families=("plateau", "restarts")),
        Space(optimizers=("sgd",), families=("piecewise",)),
        Space(optimizers=("sgd", "schedule_free_sgd"), families=("constant", "step"), averaging=("none", "swa")),
    ],
    ids=["rounded", "of one peak", "averages"],
)
def test_no_recipe_stands_in_a_grid_twice(space: Space) -> None:
    points = list(grid(space, 2))
    assert len(points) <= size_bound(space, 2)
    request = a_request(space=space.model_dump(), sampler={"kind": "grid", "steps": 2}, budget={"trials": 10_000})
    sampler = sampling(space, request.sampler)
    recipes = {sampler.ask(number).recipe for number in range(len(points))}
    assert len(recipes) == len(points)


def test_a_grid_that_is_broken_off_has_been_at_every_plan() -> None:
    sampler = sampling(choice=SamplerChoice(kind="grid"))
    plans = [sampler.ask(number).parameters["plan"] for number in range(24)]
    assert set(Counter(plans).values()) == {2}


def test_a_study_completes_after_the_last_point_of_its_grid() -> None:
    conductor = a_conductor(**SIX_POINTS)
    for _ in range(6):
        assert state_of(conductor) in (StudyState.QUEUED, StudyState.RUNNING)
        complete(conductor, claimed(conductor))
    assert state_of(conductor) is StudyState.COMPLETED
    assert conductor.claim("ada", NOON) is None
    assert len({trial.recipe for trial in conductor.trials.values()}) == 6


def test_a_study_whose_grid_is_drawn_waits_for_what_runs_and_hands_lost_points_out_again() -> None:
    new_token = tokens()
    conductor = a_conductor(new_token, **SIX_POINTS)
    given = [claimed(conductor) for _ in range(6)]
    assert conductor.claim("bob", NOON) is None
    for each in given[:-1]:
        complete(conductor, each)
    assert state_of(conductor) is StudyState.RUNNING
    conductor.release(given[-1].fence, NOON)
    conductor = rebuilt(conductor, new_token)
    again = claimed(conductor, "bob")
    assert again.recipe == given[-1].recipe
    complete(conductor, again)
    assert state_of(conductor) is StudyState.COMPLETED


def test_a_persons_recipe_is_no_point_of_the_grid() -> None:
    conductor = a_conductor(**SIX_POINTS)
    conductor.enqueue(a_recipe(), NOON)
    for _ in range(7):
        complete(conductor, claimed(conductor))
    assert state_of(conductor) is StudyState.COMPLETED
    assert Counter(trial.origin for trial in conductor.trials.values()) == {"sampled": 6, "enqueued": 1}


def test_a_larger_budget_does_not_reopen_a_study_whose_grid_is_drawn() -> None:
    conductor = a_conductor(**SIX_POINTS)
    for _ in range(6):
        complete(conductor, claimed(conductor))
    conductor.amend(budget=Budget(trials=50), now=NOON)
    assert state_of(conductor) is StudyState.COMPLETED


def test_a_smaller_budget_ends_a_grid_early_and_a_larger_one_goes_on_with_it() -> None:
    conductor = a_conductor(**SIX_POINTS)
    first = [complete(conductor, claimed(conductor)) for _ in range(2)]
    conductor.amend(budget=Budget(trials=2), now=NOON)
    assert state_of(conductor) is StudyState.COMPLETED
    conductor.amend(budget=Budget(trials=6), now=NOON)
    rest = [complete(conductor, claimed(conductor)) for _ in range(4)]
    assert len({trial.recipe for trial in first + rest}) == 6
