"""The pruner ``patient``: when a trial has stood still for too long, and when standing still is no fault."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules import Constant, Cosine, Plateau, Restarts, Schedule, Swa, Warmup, Wsd
from search.curve import absorb
from search.pruning import decide, judged
from search.study import Direction, Study, Trial
from tests.search.factories import a_recipe, a_study, a_trial
from tests.search.playing import a_point

FALLING = [1.0, 0.5, 0.4, 0.3, 0.2]


def patient(patience: int = 2, *, direction: Direction = "minimize", **pruner: Any) -> Study:
    metric = "val_loss" if direction == "minimize" else "val_accuracy"
    return a_study(pruner={"kind": "patient", "patience": patience, **pruner}, objective={"metric": metric})


def after(study: Study, losses: Iterable[float | None], schedule: Schedule | None = None, **fields: Any) -> Trial:
    """Return a trial that reported these values, one every 10 updates."""
    trial = a_trial(recipe=a_recipe(schedule), **fields)
    for number, loss in enumerate(losses, start=1):
        point = a_point(10 * number, loss, val_accuracy=loss)
        trial, points = absorb(trial, study.plan, [point])
        trial = judged(study, trial, points, [])
    return trial


def test_a_trial_that_improves_goes_on() -> None:
    assert after(patient(), FALLING).prune is None


def test_a_trial_is_pruned_after_so_many_evaluations_without_improvement() -> None:
    still = [1.0, 0.5, 0.6, 0.5]
    assert after(patient(), still[:3]).prune is None
    assert after(patient(), still).prune == (
        "val_loss has not improved on 0.5 since update 20, at update 40 of 100; 2 evaluations are borne"
    )


def test_a_pruned_trial_is_worth_what_it_had_where_it_was_pruned() -> None:
    trial = after(patient(), [1.0, 0.5, 0.6, 0.7])
    assert trial.at_rungs == {30: 0.6, 40: 0.7}
    assert (trial.improved_to, trial.improved_at) == (0.5, 20)


def test_small_steps_add_up_to_an_improvement() -> None:
    study = patient(3, min_delta=0.1)
    assert after(study, [1.0, 0.94, 0.88, 0.82, 0.76, 0.70]).prune is None
    assert after(study, [1.0, 0.98, 0.96, 0.94]).prune == (
        "val_loss has not improved by 0.1 on 1 since update 10, at update 40 of 100; 3 evaluations are borne"
    )


def test_an_improvement_by_exactly_the_least_amount_counts() -> None:
    assert after(patient(1, min_delta=0.25), [1.0, 0.75, 0.5, 0.25]).prune is None


def test_a_metric_that_should_rise_stalls_when_it_falls() -> None:
    study = patient(direction="maximize")
    assert after(study, [0.1, 0.2, 0.3, 0.4]).prune is None
    assert after(study, FALLING).prune is not None


def test_values_that_are_not_finite_are_no_improvement() -> None:
    assert after(patient(), [1.0, None, None]).prune is not None
    assert after(patient(), [None, None, None]).prune == (
        "val_loss has not improved since update 0, at update 30 of 100; 2 evaluations are borne"
    )


def test_a_trial_that_stands_still_until_its_late_decay_is_not_cut_for_it() -> None:
    wsd = Warmup(fraction=0.1, then=Wsd(decay_fraction=0.5))
    plateau = [1.0, 0.9, 0.9, 0.9, 0.9]  # the decay begins at update 55
    assert after(patient(), [*plateau, 0.8, 0.7, 0.6, 0.5], wsd).prune is None
    assert after(patient(), [*plateau, 0.9, 0.9], wsd).prune is None
    assert after(patient(), [*plateau, 0.9, 0.9, 0.9], wsd).prune is not None


def test_a_restart_is_not_measured_by_the_end_of_the_cycle_before_it() -> None:
    restarts = Restarts(then=Cosine(), cycles=2)
    before = [1.0, 0.8, 0.6, 0.3, 0.1]  # the second cycle begins at update 50
    assert after(patient(), [*before, 0.9, 0.7, 0.5, 0.3], restarts).prune is None


def test_averaged_weights_are_awaited() -> None:
    study = patient()
    recipe = a_recipe(Constant()).model_copy(update={"averaging": Swa(start_fraction=0.5)})
    trial = a_trial(recipe=recipe)
    for update in range(10, 51, 10):
        trial, points = absorb(trial, study.plan, [a_point(update, 1.0)])
        trial = judged(study, trial, points, [])
    assert (trial.prune, trial.improved_to) == (None, None)


def test_a_schedule_that_waits_for_a_standstill_itself_is_given_that_time_too() -> None:
    waiting = Warmup(fraction=0.1, then=Plateau(patience=2, cooldown=1))
    assert after(patient(2), [1.0, *[1.0] * 6], waiting).prune is None
    assert after(patient(2), [1.0, *[1.0] * 7], waiting).prune is not None


def test_a_spared_trial_goes_on_and_keeps_the_first_reason() -> None:
    trial = after(patient(spare_fraction=1.0), [1.0, 1.0, 1.0, 1.0, 1.0])
    assert trial.prune is None
    assert trial.spared == (
        "spared to measure what pruning costs: val_loss has not improved on 1 since update 10, at update 30 of 100; "
        "2 evaluations are borne"
    )


def test_a_decision_to_go_on_says_how_long_the_trial_has_stood_still() -> None:
    study = patient()
    decision = decide(study.request.pruner, study.plan, after(study, [1.0, 0.5, 0.6]), 30, [])
    assert decision.reason == (
        "val_loss may still improve on 0.5 since update 20, at update 30 of 100; 2 evaluations are borne"
    )


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=9), st.integers(1, 8), st.floats(0, 1))
def test_what_is_known_of_a_curve_does_not_depend_on_how_it_was_sent(
    losses: list[float], patience: int, min_delta: float
) -> None:
    study = patient(patience, min_delta=min_delta)
    points = [a_point(10 * number, loss) for number, loss in enumerate(losses, start=1)]
    trial, new = absorb(a_trial(), study.plan, points)
    at_once, one_by_one = judged(study, trial, new, []), after(study, losses)
    assert at_once.prune == one_by_one.prune
    assert one_by_one.prune or at_once.improved_at == one_by_one.improved_at


@pytest.mark.parametrize("update", [10, 20])
def test_a_trial_is_not_judged_before_it_can_have_stalled(update: int) -> None:
    assert update not in patient().plan.rungs
