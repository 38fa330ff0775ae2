"""Pruning: who is compared with whom, what is cut, and that every decision says why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules import Constant, Cosine, MultiFactor, Schedule, Swa, Warmup
from search.choices import PrunerChoice
from search.pruning import Decision, decide
from search.study import Direction, Plan, Trial, TrialState
from tests.search.factories import a_plan, a_recipe, a_trial, rivals_at

MEDIAN = PrunerChoice(kind="median", start_trials=3)
HALVING = PrunerChoice(kind="halving", start_trials=3)
HYPERBAND = PrunerChoice(kind="hyperband", start_trials=3)
PRUNERS = pytest.mark.parametrize("choice", [MEDIAN, HALVING, HYPERBAND], ids=["median", "halving", "hyperband"])
HALFWAY = 50
"""A rung of the toy task's run of 100 updates."""

LATE = Warmup(fraction=0.1, then=MultiFactor(milestones=(0.5, 0.75)))
"""A constant rate up to update 55."""


def plan(direction: Direction = "minimize") -> Plan:
    metric = "val_loss" if direction == "minimize" else "val_accuracy"
    return a_plan(pruner={"kind": "median"}, objective={"metric": metric})


def a_trial_with(value: float | None, *, schedule: Schedule | None = None, **fields: Any) -> Trial:
    at_rungs = {} if value is None else {HALFWAY: value}
    return a_trial(recipe=a_recipe(schedule), at_rungs=at_rungs, **fields)


def test_without_a_pruner_nothing_is_cut() -> None:
    decision = decide(PrunerChoice(), plan(), a_trial_with(99.0), HALFWAY, rivals_at(HALFWAY, [1.0] * 20))
    assert decision == Decision(prune=False, reason="the study has no pruner")


@PRUNERS
@pytest.mark.parametrize("value", [99.0, None])
def test_nothing_is_cut_before_enough_rivals_have_a_value_there(choice: PrunerChoice, value: float | None) -> None:
    rivals = [*rivals_at(HALFWAY, [1.0, 2.0]), *rivals_at(25, [1.0, 2.0])]
    decision = decide(choice, plan(), a_trial_with(value), HALFWAY, rivals)
    assert decision == Decision(prune=False, reason="2 rivals had a value at update 50, 3 are needed")


@PRUNERS
def test_a_trial_is_not_compared_before_its_own_schedule_allows_it(choice: PrunerChoice) -> None:
    trial = a_trial_with(99.0, schedule=LATE)
    decision = decide(choice, plan(), trial, HALFWAY, rivals_at(HALFWAY, [1.0] * 20))
    reason = "compared from update 55 on, where its recipe allows it, not at 50"
    assert decision == Decision(prune=False, reason=reason)


@PRUNERS
def test_a_trial_is_compared_from_the_very_update_on_from_which_its_schedule_allows_it(choice: PrunerChoice) -> None:
    trial = a_trial_with(99.0, schedule=Warmup(fraction=0.5, then=Cosine()))
    assert decide(choice, plan(), trial, HALFWAY, rivals_at(HALFWAY, [1.0] * 20)).prune


@PRUNERS
def test_a_trial_whose_weights_are_averaged_is_not_compared_before_the_average_is_judged(choice: PrunerChoice) -> None:
    averaged = a_recipe().model_copy(update={"averaging": Swa(start_fraction=0.5)})
    trial = a_trial(recipe=averaged, at_rungs={HALFWAY: 99.0})
    decision = decide(choice, plan(), trial, HALFWAY, rivals_at(HALFWAY, [1.0] * 20))
    assert decision.reason == "compared from update 51 on, where its recipe allows it, not at 50"


@PRUNERS
def test_a_rival_that_is_not_yet_comparable_is_no_measure(choice: PrunerChoice) -> None:
    rivals = rivals_at(HALFWAY, [1.0] * 20, recipe=a_recipe(LATE))
    decision = decide(choice, plan(), a_trial_with(99.0), HALFWAY, rivals)
    assert decision == Decision(prune=False, reason="0 rivals had a value at update 50, 3 are needed")


@pytest.mark.parametrize("state", list(TrialState))
def test_a_rival_counts_whatever_became_of_it(state: TrialState) -> None:
    rivals = rivals_at(HALFWAY, [1.0, 2.0, 3.0], state=state)
    assert decide(MEDIAN, plan(), a_trial_with(2.5), HALFWAY, rivals).prune


@pytest.mark.parametrize(
    "direction, value, prune, reason",
    [
        ("minimize", 2.5, True, "val_loss 2.5 at update 50 of 100 is worse than the median 2 of 3 rivals"),
        ("minimize", 2.0, False, "val_loss 2 at update 50 of 100 is no worse than the median 2 of 3 rivals"),
        ("maximize", 1.5, True, "val_accuracy 1.5 at update 50 of 100 is worse than the median 2 of 3 rivals"),
        ("maximize", 2.5, False, "val_accuracy 2.5 at update 50 of 100 is no worse than the median 2 of 3 rivals"),
    ],
)
def test_the_median_cuts_what_is_worse_than_it(direction: Direction, value: float, prune: bool, reason: str) -> None:
    decision = decide(MEDIAN, plan(direction), a_trial_with(value), HALFWAY, rivals_at(HALFWAY, [1.0, 2.0, 3.0]))
    assert decision == Decision(prune=prune, reason=reason)


@pytest.mark.parametrize(
    "direction, value, prune, place",
    [
        ("minimize", 2.5, False, "number 3 of 9; the best 3 go on (1 in 3)"),
        ("minimize", 3.5, True, "number 4 of 9; the best 3 go on (1 in 3)"),
        ("maximize", 6.5, False, "number 3 of 9; the best 3 go on (1 in 3)"),
        ("maximize", 5.5, True, "number 4 of 9; the best 3 go on (1 in 3)"),
    ],
)
def test_halving_lets_one_in_so_many_go_on(direction: Direction, value: float, prune: bool, place: str) -> None:
    rivals = rivals_at(HALFWAY, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    decision = decide(HALVING, plan(direction), a_trial_with(value), HALFWAY, rivals)
    assert decision.prune == prune
    assert decision.reason == f"{plan(direction).metric} {value:g} at update 50 of 100 is {place}"


def test_hyperband_halves_within_a_bracket() -> None:
    rivals = rivals_at(HALFWAY, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    decision = decide(HYPERBAND, plan(), a_trial_with(3.5), HALFWAY, rivals)
    reason = "val_loss 3.5 at update 50 of 100 is number 4 of 9 in its bracket; the best 3 go on (1 in 3)"
    assert decision == Decision(prune=True, reason=reason)


@PRUNERS
def test_whole_short_runs_are_compared_at_their_end_whatever_their_schedules(choice: PrunerChoice) -> None:
    rescaled = a_plan(pruner={"kind": "median", "rungs": [0.5], "rescale": True})
    trial = a_trial_with(99.0, schedule=LATE)
    decision = decide(choice, rescaled, trial, HALFWAY, rivals_at(HALFWAY, [1.0] * 20, recipe=a_recipe(LATE)))
    assert decision.prune
    assert decision.reason.startswith("val_loss 99 at update 50 of 150 is ")


def test_halving_lets_the_best_go_on_however_few_there_are() -> None:
    choice = PrunerChoice(kind="halving", start_trials=1, reduction_factor=16)
    assert not decide(choice, plan(), a_trial_with(1.0), HALFWAY, rivals_at(HALFWAY, [1.5])).prune
    assert decide(choice, plan(), a_trial_with(2.0), HALFWAY, rivals_at(HALFWAY, [1.5])).prune


@PRUNERS
def test_a_value_that_is_not_finite_is_cut(choice: PrunerChoice) -> None:
    decision = decide(choice, plan(), a_trial_with(None), HALFWAY, rivals_at(HALFWAY, [1.0, 2.0, 3.0]))
    assert decision == Decision(prune=True, reason="val_loss was not finite at update 50 of 100")


@PRUNERS
def test_equal_trials_all_go_on(choice: PrunerChoice) -> None:
    assert not decide(choice, plan(), a_trial_with(1.0), HALFWAY, rivals_at(HALFWAY, [1.0] * 20)).prune


def test_a_spared_trial_goes_on_and_says_why_it_would_have_been_cut() -> None:
    choice = PrunerChoice(kind="median", start_trials=3, spare_fraction=1.0)
    decision = decide(choice, plan(), a_trial_with(2.5), HALFWAY, rivals_at(HALFWAY, [1.0, 2.0, 3.0]))
    assert not decision.prune
    assert decision.spared
    assert decision.reason == (
        "spared to measure what pruning costs: val_loss 2.5 at update 50 of 100 is worse than the median 2 of 3 rivals"
    )


def test_a_trial_that_would_go_on_anyway_is_not_called_spared() -> None:
    choice = PrunerChoice(kind="median", start_trials=3, spare_fraction=1.0)
    assert not decide(choice, plan(), a_trial_with(1.0), HALFWAY, rivals_at(HALFWAY, [1.0, 2.0, 3.0])).spared


def test_the_asked_share_of_trials_is_spared_at_every_rung_alike() -> None:
    choice = PrunerChoice(kind="median", start_trials=3, spare_fraction=0.25)
    spared = {rung: {number for number in range(400) if _is_spared(choice, number, rung)} for rung in (30, 50)}
    assert spared[30] == spared[50]
    assert 70 < len(spared[30]) < 130


def _is_spared(choice: PrunerChoice, number: int, rung: int) -> bool:
    trial = a_trial(number, seed=3, at_rungs={rung: 9.0})
    return decide(choice, plan(), trial, rung, rivals_at(rung, [1.0, 2.0, 3.0])).spared


@given(
    st.lists(st.floats(-10, 10), min_size=3, max_size=30),
    st.floats(-10, 10),
    st.sampled_from([MEDIAN, HALVING, HYPERBAND]),
    st.randoms(use_true_random=False),
)
def test_a_decision_depends_on_the_values_and_not_on_their_order_or_sign(
    values: list[float], value: float, choice: PrunerChoice, chance: Any
) -> None:
    shuffled = chance.sample(values, len(values))
    falling = decide(choice, plan("minimize"), a_trial_with(value), HALFWAY, rivals_at(HALFWAY, values))
    again = decide(choice, plan("minimize"), a_trial_with(value), HALFWAY, rivals_at(HALFWAY, shuffled))
    rising = [-each for each in values]
    mirrored = decide(choice, plan("maximize"), a_trial_with(-value), HALFWAY, rivals_at(HALFWAY, rising))
    assert again == falling
    assert mirrored.prune == falling.prune


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=30), st.sampled_from([MEDIAN, HALVING, HYPERBAND]))
def test_the_best_trial_of_a_rung_is_never_cut(values: list[float], choice: PrunerChoice) -> None:
    trial = a_trial_with(min(values), schedule=Constant())
    assert not decide(choice, plan(), trial, HALFWAY, rivals_at(HALFWAY, values)).prune
