"""Sampling: what is drawn together, what the sampler hears, and a rebuilt study that goes on as if never stopped."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial

from search.choices import SamplerChoice
from search.sampling import Sampling, start
from search.seeds import derive_seed
from search.space import Space
from search.study import Trial, TrialState
from tests.search.factories import a_trial
from tests.search.searching import TPE, drawn, loss, sampling, search

EVERY_TRIAL_HAS = {"plan", "lr_position", "weight_decay_position", "momentum_position", "warmup_fraction"}
TEN_PLANS = Space(families=("constant", "factor", "multi_factor", "cosine", "plateau"))
WITH_ADAGRAD = Space(optimizers=("sgd", "adagrad", "adamw"))
WITH_AVERAGES = Space(
    optimizers=("sgd", "schedule_free_adamw", "adamw"),
    families=("constant", "cosine"),
    averaging=("none", "ema", "swa"),
)
WITH_CYCLES = Space(families=("cosine", "cyclic", "one_cycle", "restarts"))
SPACES = pytest.mark.parametrize(
    "space",
    [Space(), TEN_PLANS, WITH_ADAGRAD, WITH_AVERAGES, WITH_CYCLES],
    ids=["default", "ten plans", "adagrad", "averages", "cycles"],
)


def rebuilt(trials: Iterable[Trial], choice: SamplerChoice = TPE) -> Sampling:
    again = sampling(choice=choice)
    for trial in trials:
        again.add(trial)
    return again


def test_a_number_out_of_order_is_refused() -> None:
    sampler = sampling()
    sampler.ask(3)
    with pytest.raises(ValueError, match="in order of number, but 3 comes after 3"):
        sampler.ask(3)
    with pytest.raises(ValueError, match="in order of number, but 2 comes after 3"):
        sampler.add(a_trial(2))


def test_a_trial_that_still_runs_is_not_told() -> None:
    sampler = sampling()
    draw = sampler.ask(0)
    with pytest.raises(ValueError, match="trial 0 has not ended: it is running"):
        sampler.tell(drawn(0, draw))


@SPACES
def test_one_name_has_one_distribution_throughout_a_study(space: Space) -> None:
    sampler = sampling(space)
    search(sampler, 60)
    seen: dict[str, Any] = {}
    for trial in sampler.memory.trials:
        for name, distribution in trial.distributions.items():
            assert seen.setdefault(name, distribution) == distribution
    assert seen.keys() > EVERY_TRIAL_HAS


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("choice", [TPE, SamplerChoice(group=True), SamplerChoice(kind="random")], ids=str)
def test_a_rebuilt_sampling_draws_exactly_what_one_that_never_stopped_draws(choice: SamplerChoice, seed: int) -> None:
    unstopped = search(sampling(choice=choice), 60, seed=seed)
    stopped = search(sampling(choice=choice), 60, seed=seed, rebuild=lambda trials: rebuilt(trials, choice))
    assert [draw.parameters for draw in stopped] == [draw.parameters for draw in unstopped]
    assert [draw.recipe for draw in stopped] == [draw.recipe for draw in unstopped]
    assert [draw.distributions for draw in stopped] == [draw.distributions for draw in unstopped]


def test_a_rebuilt_sampling_of_averages_draws_what_one_that_never_stopped_draws() -> None:
    def again(trials: Iterable[Trial]) -> Sampling:
        made = sampling(WITH_AVERAGES)
        for trial in trials:
            made.add(trial)
        return made

    unstopped = search(sampling(WITH_AVERAGES), 60)
    assert search(sampling(WITH_AVERAGES), 60, rebuild=again) == unstopped
    assert {draw.parameters["averaging"] for draw in unstopped} == {"none", "ema", "swa"}
    for draw in unstopped:
        draw.recipe.check(100)


def test_a_parameter_that_a_running_trial_was_drawn_without_using_counts_no_more_than_after_a_rebuild() -> None:
    """While only cosines have ended, ``final_ratio`` is drawn for every trial, constant ones included."""
    space = Space(optimizers=("sgd",), families=("cosine", "constant"))
    unstopped = sampling(space, seed=2)
    trials: list[Trial] = []
    for number in range(40):
        draw = unstopped.ask(number)
        again = sampling(space, seed=2)
        for trial in trials:
            again.add(trial)
        assert again.ask(number) == draw
        if draw.parameters["plan"] != "sgd+cosine":
            trials.append(drawn(number, draw))
        else:
            trials.append(drawn(number, draw, TrialState.COMPLETED, value=loss(draw)))
            unstopped.tell(trials[-1])


def test_two_seeds_draw_two_studies() -> None:
    assert [draw.recipe for draw in search(sampling(seed=1), 20)] != [
        draw.recipe for draw in search(sampling(seed=2), 20)
    ]


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_a_completed_trial_without_a_finite_value_is_told_like_a_diverged_one(value: float | None) -> None:
    told = _told(TrialState.COMPLETED, value=value)
    assert (told.state, told.value, told.intermediate_values) == (optuna.trial.TrialState.PRUNED, None, {})


def test_a_diverged_trial_is_told_as_pruned_with_no_value_at_all() -> None:
    told = _told(TrialState.DIVERGED, at_rungs={20: 3.0}, value=3.0)
    assert (told.state, told.value, told.intermediate_values) == (optuna.trial.TrialState.PRUNED, None, {})


def test_a_pruned_trial_is_told_with_the_value_at_its_last_finite_rung() -> None:
    told = _told(TrialState.PRUNED, at_rungs={50: 2.0, 20: 3.0, 80: math.nan})
    assert (told.state, told.value, told.intermediate_values) == (optuna.trial.TrialState.PRUNED, 2.0, {50: 2.0})


@pytest.mark.parametrize("state", [TrialState.FAILED, TrialState.CANCELLED])
def test_a_trial_that_ended_for_reasons_of_its_own_is_told_as_failed(state: TrialState) -> None:
    told = _told(state, at_rungs={20: 3.0})
    assert (told.state, told.value, told.intermediate_values) == (optuna.trial.TrialState.FAIL, None, {})


def _told(state: TrialState, **fields: Any) -> FrozenTrial:
    """Tell of the second trial drawn, number 5 of its study; a rebuilt memory holds the same."""
    sampler, again = sampling(), sampling()
    first, draw = drawn(0, sampler.ask(0)), sampler.ask(5)
    trial = drawn(5, draw, state, **fields)
    sampler.tell(trial)
    for each in (first, trial):
        again.add(each)
    (untouched, told), (_, as_added) = sampler.memory.trials, again.memory.trials
    assert untouched.state == optuna.trial.TrialState.RUNNING
    assert (as_added.state, as_added.values, as_added.params) == (told.state, told.values, told.params)
    assert as_added.intermediate_values == told.intermediate_values
    return told


def test_an_enqueued_trial_never_enters_the_samplers_study() -> None:
    sampler = sampling()
    sampler.add(a_trial(0, origin="enqueued"))
    sampler.tell(a_trial(0, TrialState.COMPLETED, origin="enqueued", value=0.1))
    assert sampler.memory.trials == []


@pytest.mark.parametrize(
    "fields",
    [
        {"ranges": {"peak_lr": {"sgd": {"low": 0.01, "high": 0.02}, "adamw": {"low": 0.01, "high": 0.02}}}},
        {"ranges": {"warmup_fraction": {"low": 0.0, "high": 0.1}}},
        {"ranges": {"warmup_fraction": {"low": 0.5, "high": 0.6}}},
        {"optimizers": ["adagrad"]},
        {"families": ["plateau"]},
    ],
)
def test_a_trial_of_another_space_never_enters_the_samplers_study(fields: dict[str, Any]) -> None:
    """One would be enough: what its distributions do not share with the others is drawn jointly no more."""
    foreign = drawn(0, sampling(Space(families=("cosine",))).ask(0))
    sampler = sampling(Space.model_validate({"families": ["cosine"], **fields}))
    sampler.add(foreign)
    assert sampler.memory.trials == []
    assert sampler.ask(1) is not None


def test_a_retried_trial_stays_running_in_memory() -> None:
    draw = sampling().ask(0)
    again = rebuilt([replace(drawn(0, draw), state=TrialState.QUEUED)])
    assert [trial.state for trial in again.memory.trials] == [optuna.trial.TrialState.RUNNING]


def test_the_start_has_every_family_once_before_any_twice_and_takes_turns() -> None:
    planned = start(Space(), seed=7, budget_trials=100)
    assert len(planned) == 12
    assert {trial["plan"] for trial in planned} == set(Space().plans)
    assert {trial["plan"].split("+")[1] for trial in planned[:6]} == set(Space().families)
    for optimizer in Space().optimizers:
        rates = [trial["lr_position"] for trial in planned[:6] if trial["plan"].startswith(optimizer)]
        assert sorted(rates) == [0.25, 0.5, 0.75]


def test_the_start_leaves_out_the_pairs_that_do_not_go_together() -> None:
    planned = [trial["plan"] for trial in start(WITH_AVERAGES, seed=7, budget_trials=100)]
    assert sorted(planned) == sorted(WITH_AVERAGES.plans)
    assert {plan.split("+")[1] for plan in planned[:2]} == {"constant", "cosine"}


@pytest.mark.parametrize("budget, n_planned", [(1, 0), (3, 0), (4, 1), (20, 5), (47, 11), (48, 12), (1000, 12)])
def test_the_start_takes_a_quarter_of_the_budget_at_most(budget: int, n_planned: int) -> None:
    assert len(start(Space(), seed=7, budget_trials=budget)) == n_planned


def test_the_start_is_what_the_first_asks_draw_whatever_was_enqueued_between() -> None:
    draws = search(sampling(), 15)
    planned = start(Space(), seed=7, budget_trials=60)
    assert [{name: draw.parameters[name] for name in planned[0]} for draw in draws[:12]] == list(planned)
    assert len({draw.parameters["weight_decay_position"] for draw in draws[:12]}) == 12


def test_a_space_with_nothing_to_search_still_draws() -> None:
    ranges = {
        "peak_lr": {"sgd": {"low": 0.3, "high": 0.3}},
        "weight_decay": {"sgd": {"low": 0, "high": 0}},
        "momentum": {"sgd": {"low": 0.9, "high": 0.9}},
        "warmup_fraction": {"low": 0, "high": 0},
    }
    space = Space.model_validate({"optimizers": ["sgd"], "families": ["constant"], "ranges": ranges})
    sampler = sampling(space)
    for number in range(20):
        draw = sampler.ask(number)
        assert draw.parameters == {"plan": "sgd+constant"}
        sampler.tell(drawn(number, draw, TrialState.COMPLETED, value=float(number)))


def test_a_seed_is_derived_from_all_its_parts() -> None:
    assert derive_seed(0, 1) == int("a93875fe", 16)
    assert len({derive_seed(0, 1), derive_seed(1, 0), derive_seed(0, 1, "spare"), derive_seed(0)}) == 4
