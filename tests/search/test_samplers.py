"""The contract of every sampler: what it draws is valid, is drawn alike under one name, and survives a restart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from optuna.trial import FixedTrial
from pydantic import ValidationError

from search.choices import SamplerChoice, SamplerKind
from search.sampling import Sampling
from search.sampling.flat import parameters
from search.space import Space, suggest
from search.study import Trial, TrialState
from tests.search.searching import drawn, loss, sampling, search

KINDS: tuple[SamplerKind, ...] = ("tpe", "random", "qmc", "grid", "cmaes", "gp")
EVERY_SAMPLER = pytest.mark.parametrize("choice", [SamplerChoice(kind=kind) for kind in KINDS], ids=KINDS)
ONE_PLAN = Space(optimizers=("sgd",), families=("cosine",))
PINNED = Space.model_validate(
    {
        "optimizers": ["sgd"],
        "families": ["constant", "cosine"],
        "ranges": {
            "peak_lr": {"sgd": {"low": 0.3, "high": 0.3}},
            "weight_decay": {"sgd": {"low": 0, "high": 0}},
            "momentum": {"sgd": {"low": 0.9, "high": 0.9}},
            "warmup_fraction": {"low": 0, "high": 0},
        },
    }
)
WITH_AVERAGES = Space(
    optimizers=("sgd", "schedule_free_adamw", "adamw"),
    families=("constant", "cosine"),
    averaging=("none", "ema", "swa"),
)
WITH_CYCLES = Space(optimizers=("adagrad", "adamw"), families=("cosine", "cyclic", "one_cycle", "restarts"))
FEWEST = 18
"""Trials of a search by ``gp``: each but the first ten fits a process anew."""

SPACES = pytest.mark.parametrize(
    "space",
    [Space(), ONE_PLAN, WITH_AVERAGES, WITH_CYCLES],
    ids=["default", "one plan", "averages", "cycles"],
)


def fine(choice: SamplerChoice) -> SamplerChoice:
    """Return the choice, a grid with so many points that no search here reaches its end."""
    return SamplerChoice(kind="grid", steps={"lr_position": 50}) if choice.kind == "grid" else choice


def n_trials(choice: SamplerChoice, most: int) -> int:
    return FEWEST if choice.kind == "gp" else most


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"kind": "tpe", "steps": 3}, "steps is an option of the sampler 'grid', and this one is 'tpe'"),
        ({"kind": "random", "group": True}, "group is an option of the sampler 'tpe', and this one is 'random'"),
        ({"kind": "grid", "steps": 0}, "greater than or equal to 1"),
        ({"kind": "grid", "steps": {"lr_position": 51}}, "less than or equal to 50"),
        ({"kind": "grid", "steps": True}, "valid integer"),
        ({"kind": "dice"}, "'tpe', 'random', 'qmc', 'grid', 'cmaes' or 'gp'"),
    ],
)
def test_an_option_that_is_not_the_samplers_or_out_of_bounds_is_refused_once(fields: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        SamplerChoice.model_validate(fields)
    assert refused.value.error_count() == 1


@EVERY_SAMPLER
def test_a_choice_is_read_back_as_it_was_written(choice: SamplerChoice) -> None:
    assert SamplerChoice.model_validate_json(choice.model_dump_json()) == choice


@EVERY_SAMPLER
@SPACES
def test_what_is_drawn_is_a_recipe_of_the_space_under_names_with_one_distribution(
    choice: SamplerChoice, space: Space
) -> None:
    own = parameters(space)
    for draw in search(sampling(space, fine(choice)), n_trials(choice, 40)):
        draw.recipe.check(100)
        assert draw.recipe == suggest(space, FixedTrial(dict(draw.parameters)), "minimize")
        assert draw.distributions == {name: own[name] for name in draw.parameters}


@EVERY_SAMPLER
@pytest.mark.parametrize("seed", range(2))
def test_a_rebuilt_sampler_draws_exactly_what_one_that_never_stopped_draws(choice: SamplerChoice, seed: int) -> None:
    choice, most = fine(choice), n_trials(choice, 45)
    unstopped = search(sampling(choice=choice), most, seed=seed)
    assert search(sampling(choice=choice), most, seed=seed, rebuild=_again(Space(), choice)) == unstopped


@EVERY_SAMPLER
def test_a_rebuilt_sampler_of_averages_draws_exactly_what_one_that_never_stopped_draws(choice: SamplerChoice) -> None:
    choice, most = fine(choice), n_trials(choice, 36)
    unstopped = search(sampling(WITH_AVERAGES, choice), most)
    assert search(sampling(WITH_AVERAGES, choice), most, rebuild=_again(WITH_AVERAGES, choice)) == unstopped


def _again(space: Space, choice: SamplerChoice) -> Any:
    def rebuild(trials: Iterable[Trial]) -> Sampling:
        made = sampling(space, choice)
        for trial in trials:
            made.add(trial)
        return made

    return rebuild


@EVERY_SAMPLER
def test_two_seeds_draw_two_studies(choice: SamplerChoice) -> None:
    first, second = (search(sampling(choice=fine(choice), seed=seed), 10) for seed in (1, 2))
    assert [draw.recipe for draw in first] != [draw.recipe for draw in second]


@EVERY_SAMPLER
def test_a_study_in_which_every_trial_diverges_goes_on(choice: SamplerChoice) -> None:
    sampler = sampling(choice=choice)
    for number in range(30):
        draw = sampler.ask(number)
        sampler.tell(drawn(number, draw, TrialState.DIVERGED))
        assert draw.recipe.peak_lr > 0


@EVERY_SAMPLER
def test_a_study_that_maximizes_is_drawn_in_its_direction(choice: SamplerChoice) -> None:
    sampler = Sampling(Space(families=("plateau",)), choice, "maximize", 7, 60)
    for number in range(10):
        draw = sampler.ask(number)
        assert draw.recipe.schedule.with_mode("max") == draw.recipe.schedule
        sampler.tell(drawn(number, draw, TrialState.COMPLETED, value=-loss(draw)))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "grid"])
def test_ranges_pinned_to_a_point_are_drawn_around(kind: SamplerKind) -> None:
    sampler = sampling(PINNED, SamplerChoice(kind=kind))
    for number in range(14):
        draw = sampler.ask(number)
        assert draw.recipe.peak_lr == 0.3
        assert draw.parameters.keys() <= {"plan", "final_ratio"}
        sampler.tell(drawn(number, draw, TrialState.COMPLETED, value=float(number)))


@pytest.mark.parametrize("kind", ["cmaes", "gp"])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_what_learns_comes_near_the_best_rate(kind: SamplerKind, direction: Any) -> None:
    sign = 1.0 if direction == "minimize" else -1.0
    sampler = Sampling(ONE_PLAN, SamplerChoice(kind=kind), direction, 7, 60)
    rates = []
    for number in range(96 if kind == "cmaes" else 20):
        draw = sampler.ask(number)
        rates.append(draw.parameters["lr_position"])
        sampler.tell(drawn(number, draw, TrialState.COMPLETED, value=sign * loss(draw)))
    quarter = len(rates) // 4
    early, late = (sum(abs(rate - 0.6) for rate in some) for some in (rates[:quarter], rates[-quarter:]))
    assert late < early / 2


@pytest.mark.parametrize("kind, most", [("cmaes", 48), ("gp", 24)])
@pytest.mark.parametrize("ending", [TrialState.DIVERGED, TrialState.PRUNED])
def test_trials_without_a_value_drive_what_learns_away(kind: SamplerKind, most: int, ending: TrialState) -> None:
    """All rates above the middle end so, and the best value lies just below."""
    sampler = sampling(ONE_PLAN, SamplerChoice(kind=kind))
    rates = []
    for number in range(most):
        draw = sampler.ask(number)
        rates.append(draw.parameters["lr_position"])
        if rates[-1] > 0.5:
            sampler.tell(drawn(number, draw, ending, at_rungs={20: 0.0} if ending is TrialState.PRUNED else {}))
        else:
            sampler.tell(drawn(number, draw, TrialState.COMPLETED, value=0.5 - rates[-1]))
    assert sum(rate > 0.5 for rate in rates[-12:]) <= 6
    assert sum(rates[-12:]) / 12 == pytest.approx(0.45, abs=0.1)


@pytest.mark.parametrize("kind", ["qmc", "cmaes"])
def test_every_plan_comes_once_in_every_block(kind: SamplerKind) -> None:
    space = Space()
    sampler = sampling(space, SamplerChoice(kind=kind))
    plans = [sampler.ask(number).parameters["plan"] for number in range(36)]
    for first in (0, 12, 24):
        assert sorted(plans[first : first + 12]) == sorted(space.plans)


def test_a_generation_is_not_told_before_all_trials_before_its_end_have_ended() -> None:
    told, waiting = (sampling(ONE_PLAN, SamplerChoice(kind="cmaes")) for _ in range(2))
    for sampler in (told, waiting):
        draws = [sampler.ask(number) for number in range(20)]
        for number in range(20):
            if sampler is told or number != 2:
                value = loss(draws[number])
                sampler.tell(drawn(number, draws[number], TrialState.COMPLETED, value=value))
    untold = sampling(ONE_PLAN, SamplerChoice(kind="cmaes"))
    for number in range(20):
        untold.ask(number)
    assert waiting.ask(20) == untold.ask(20)
    assert waiting.ask(21) != told.ask(21)


def test_a_process_proposes_plans_too() -> None:
    sampler = sampling(choice=SamplerChoice(kind="gp"))
    plans = []
    for number in range(26):
        draw = sampler.ask(number)
        plans.append(draw.parameters["plan"])
        value = loss(draw) + (0.0 if draw.parameters["plan"] == "sgd+cosine" else 1.0)
        sampler.tell(drawn(number, draw, TrialState.COMPLETED, value=value))
    assert plans[-8:].count("sgd+cosine") >= 4
