"""Hyperband's brackets: how trials are dealt out over them, and what each of them leaves out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from search.brackets import bracket, own_plan, shares
from search.pruning import rivals
from search.study import Study
from tests.search.factories import a_study, a_trial

FAMILIES = {"families": ["constant", "cosine"]}


def a_hyperband(**pruner: Any) -> Study:
    return a_study(pruner={"kind": "hyperband", **pruner}, space=FAMILIES)


def test_shares_are_the_first_rounds_of_hyperband() -> None:
    # Li et al. (2018), Table 1, for a largest resource of 81 and a factor of 3
    assert list(shares(4, 3)) == [81, 34, 15, 8, 5]


def test_trials_are_dealt_out_in_proportion() -> None:
    study = a_hyperband()
    drawn = Counter(bracket(study, a_trial(number, seed=5)) for number in range(1700))
    assert study.plan.rungs == (10, 30)
    assert [round(drawn[each] / 100) for each in range(3)] == [9, 5, 3]


def test_a_bracket_depends_on_the_seed_and_the_number_alone() -> None:
    study = a_hyperband()
    first = [bracket(study, a_trial(number, seed=5)) for number in range(50)]
    again = [bracket(study, a_trial(number, seed=5, update=40, at_rungs={10: 0.5})) for number in range(50)]
    other = [bracket(study, a_trial(number, seed=6)) for number in range(50)]
    assert again == first
    assert other != first


def test_under_any_other_pruner_there_is_one_bracket_and_one_plan() -> None:
    study = a_study(pruner={"kind": "halving"})
    assert {bracket(study, a_trial(number)) for number in range(50)} == {0}
    assert own_plan(study, a_trial(7)) is study.plan


def _plans(study: Study) -> dict[int, Any]:
    trials = [a_trial(number, seed=5) for number in range(50)]
    return {bracket(study, trial): own_plan(study, trial) for trial in trials}


def test_each_bracket_begins_at_another_rung_and_the_last_has_none() -> None:
    plans = _plans(a_hyperband())
    assert [plans[each].rungs for each in range(3)] == [(10, 30), (30,), ()]
    assert {(plan.total_updates, plan.shown) for plan in plans.values()} == {(100, tuple(range(10, 101, 10)))}


def test_a_bracket_of_short_runs_leaves_out_those_before_its_first_rung() -> None:
    plans = _plans(a_hyperband(rescale=True))
    assert [plans[each].runs for each in range(3)] == [(10, 30, 100), (30, 100), (100,)]
    assert [plans[each].rungs for each in range(3)] == [(10, 40), (30,), ()]
    assert [plans[each].total_updates for each in range(3)] == [140, 130, 100]
    assert [plans[each].shown[:2] for each in range(3)] == [(10, 40), (30, 60), (30, 40)]
    assert [plans[each].shown[-1] for each in range(3)] == [140, 130, 100]


def test_rivals_are_the_trials_of_the_same_bracket_that_reached_the_rung() -> None:
    study = a_hyperband()
    trials = [a_trial(number, seed=5, at_rungs={30: 1.0} if number % 2 else {}) for number in range(40)]
    found = rivals(study, trials[0], 30, trials)
    own = bracket(study, trials[0])
    assert [each.number for each in found] == [
        each.number for each in trials[1:] if each.number % 2 and bracket(study, each) == own
    ]
    assert found
