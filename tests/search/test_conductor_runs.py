"""Trials of several runs: what a worker may say of them, and what their curve is worth."""

from __future__ import annotations

from typing import Any

import pytest

from schedules import MultiFactor
from search.conductor import Conductor
from search.errors import Unsuitable
from search.protocol import Assignment, Diverged, Pruned
from search.study import TrialState
from tests.search.factories import NOON, a_recipe
from tests.search.playing import a_conductor, a_finish, a_point, a_report, claimed

PRUNER: dict[str, Any] = {"kind": "median", "rungs": [0.2, 0.5], "start_trials": 1, "rescale": True}
COSINE = {"families": ["cosine"]}


def a_conductor_of_runs(**pruner: Any) -> Conductor:
    return a_conductor(pruner=PRUNER | pruner, space=COSINE)


def _completed(conductor: Conductor, losses: dict[int, float]) -> Assignment:
    given = claimed(conductor)
    conductor.finish(a_finish(given.fence, *[a_point(update, loss) for update, loss in losses.items()]), NOON)
    return given


def test_a_point_after_the_last_run_is_refused() -> None:
    conductor = a_conductor_of_runs()
    given = claimed(conductor)
    message = "trial 0 ends after 170 updates, those of its 3 runs, but the message speaks of 180"
    with pytest.raises(Unsuitable, match=message):
        conductor.report(a_report(given.fence, a_point(180, 0.5)), NOON)


def test_a_trial_is_not_completed_by_a_short_run() -> None:
    conductor = a_conductor_of_runs()
    given = claimed(conductor)
    with pytest.raises(Unsuitable, match="before its last evaluation, at update 170, is reported"):
        conductor.finish(a_finish(given.fence, a_point(20, 0.5), a_point(70, 0.4)), NOON)


def test_a_trial_cannot_diverge_after_its_last_run() -> None:
    conductor = a_conductor_of_runs()
    given = claimed(conductor)
    with pytest.raises(Unsuitable, match="the last update of its 170 has index 169"):
        conductor.finish(a_finish(given.fence, outcome=Diverged(update=170, rate=0.1)), NOON)


def test_a_recipe_that_does_not_fit_the_shortest_run_is_refused() -> None:
    recipe = a_recipe(MultiFactor(milestones=(0.5, 0.51)))
    a_conductor(space=COSINE).enqueue(recipe, NOON)
    with pytest.raises(Unsuitable, match="of a horizon of 20") as refused:
        a_conductor_of_runs().enqueue(recipe, NOON)
    assert refused.value.value == 20


def test_an_assignment_names_the_runs_and_asks_for_a_report_at_the_end_of_each() -> None:
    given = claimed(a_conductor_of_runs())
    assert (given.runs, given.horizon, given.report_points) == ((20, 50, 100), 100, (20, 70))


def test_trials_are_compared_at_the_end_of_a_short_run_and_not_in_its_middle() -> None:
    conductor = a_conductor_of_runs()
    _completed(conductor, {20: 0.5, 70: 0.3, 170: 0.2})
    given = claimed(conductor)
    assert conductor.report(a_report(given.fence, a_point(10, 9.0)), NOON).action == "continue"
    told = conductor.report(a_report(given.fence, a_point(20, 0.6)), NOON)
    assert (told.action, told.reason) == (
        "prune",
        "val_loss 0.6 at update 20 of 170 is worse than the median 0.5 of 1 rivals",
    )
    conductor.finish(a_finish(given.fence, outcome=Pruned()), NOON)
    trial = conductor.trials[1]
    assert (trial.state, trial.value, trial.update) == (TrialState.PRUNED, 0.6, 20)


def test_the_best_value_and_the_value_are_those_of_the_last_run() -> None:
    conductor = a_conductor_of_runs()
    given = _completed(conductor, {20: 0.1, 70: 0.05, 80: 0.4, 120: 0.2, 170: 0.3})
    trial = conductor.trials[given.fence.trial]
    assert (trial.value, trial.best, dict(trial.at_rungs)) == (0.3, 0.2, {20: 0.1, 70: 0.05})


def test_a_spared_trial_keeps_the_reason_through_its_further_runs() -> None:
    conductor = a_conductor_of_runs(spare_fraction=1.0)
    _completed(conductor, {20: 0.5, 70: 0.3, 170: 0.2})
    given = claimed(conductor)
    for update in (20, 70):
        assert conductor.report(a_report(given.fence, a_point(update, 0.6)), NOON).action == "continue"
    spared = conductor.trials[1].spared
    assert spared is not None
    assert spared.startswith("spared to measure what pruning costs: val_loss 0.6 at update 20 of 170")
