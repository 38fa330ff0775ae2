"""A study that was stopped in the middle goes on exactly like one that never stopped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from search.conductor import Conductor
from search.protocol import Assignment, Diverged, Pruned
from search.study import Trial, TrialState
from tests.search.factories import NOON, a_recipe
from tests.search.playing import Clock, a_conductor, a_finish, a_report, rebuilt, state_of, the_curve, tokens

N_TRIALS = 24
FIELDS: dict[str, Any] = {
    "seed": 13,
    "budget": {"trials": N_TRIALS},
    "pruner": {"kind": "median", "rungs": [0.5], "start_trials": 3},
    "space": {"optimizers": ["sgd", "adamw"], "families": ["constant", "cosine", "plateau"]},
}


PRUNERS: tuple[dict[str, Any], ...] = (
    {"kind": "halving", "rungs": [0.2, 0.5], "start_trials": 2, "rescale": True},
    {"kind": "hyperband", "rungs": [0.2, 0.5], "start_trials": 2},
    {"kind": "hyperband", "rungs": [0.2, 0.5], "start_trials": 2, "rescale": True},
    {"kind": "patient", "patience": 1, "min_delta": 0.02, "spare_fraction": 0.2},
)


def _play(stops: set[int], **fields: Any) -> Conductor:
    """Run a study with three workers in lockstep; at each of these steps, build it again from its values."""
    new_token = tokens()
    conductor = a_conductor(new_token, **{**FIELDS, **fields})
    conductor.enqueue(a_recipe(), NOON)
    clock = Clock()
    held: dict[str, Assignment] = {}
    step = 0
    while not state_of(conductor).is_final:
        for worker in ("ada", "bob", "cyd"):
            if step in stops:
                conductor = rebuilt(conductor, new_token)
            _take_a_step(conductor, worker, held, clock)
            step += 1
    assert step > max(stops, default=0)
    return conductor


def _take_a_step(conductor: Conductor, worker: str, held: dict[str, Assignment], clock: Clock) -> None:
    """Claim a trial, report all but its last 50 updates, or send its end: whatever comes next for this worker."""
    now = clock.advance(1.0)
    given = held.get(worker)
    if given is None:
        new = conductor.claim(worker, now)
        if new is not None:
            held[worker] = new
        return
    number, total = given.fence.trial, sum(given.runs) or given.horizon
    if conductor.trials[number].update == 0:
        conductor.report(a_report(given.fence, *the_curve(given, range(10, total - 49, 10))), now)
        if number % 9 == 4 and given.fence.attempt == 1:
            conductor.release(given.fence, now)
            del held[worker]
        return
    del held[worker]
    if conductor.trials[number].prune is not None:
        conductor.finish(a_finish(given.fence, outcome=Pruned()), now)
    elif number % 7 == 3:
        conductor.finish(a_finish(given.fence, outcome=Diverged(update=total - 45, rate=0.1)), now)
    else:
        conductor.finish(a_finish(given.fence, *the_curve(given, range(total - 40, total + 1, 10))), now)


@pytest.fixture(scope="module")
def unstopped() -> Mapping[int, Trial]:
    """The trials of the study that never stopped."""
    return dict(_play(set()).trials)


def test_the_study_played_here_has_trials_of_every_kind(unstopped: Mapping[int, Trial]) -> None:
    states = {trial.state for trial in unstopped.values()}
    assert states == {TrialState.COMPLETED, TrialState.PRUNED, TrialState.DIVERGED}
    assert len(unstopped) == N_TRIALS
    assert {trial.attempt for trial in unstopped.values()} == {1, 2}
    assert len({trial.recipe.digest for trial in unstopped.values()}) == N_TRIALS


@pytest.mark.parametrize("stop", [1, 7, 20, 31, 44, 60])
def test_a_stopped_study_goes_on_like_the_unstopped_one(unstopped: Mapping[int, Trial], stop: int) -> None:
    continued = _play({stop}).trials
    assert list(continued.values()) == list(unstopped.values())


def test_a_study_stopped_at_every_step_goes_on_like_the_unstopped_one(unstopped: Mapping[int, Trial]) -> None:
    continued = _play(set(range(60))).trials
    assert list(continued.values()) == list(unstopped.values())


@pytest.mark.parametrize("kind", ["random", "qmc", "grid", "cmaes"])
def test_with_every_sampler_a_study_stopped_at_every_step_goes_on_like_the_unstopped_one(kind: str) -> None:
    steps = {"steps": {"lr_position": 9}} if kind == "grid" else {}
    fields = {"sampler": {"kind": kind, **steps}, "budget": {"trials": N_TRIALS if kind != "grid" else 60}}
    unstopped = _play(set(), **fields)
    assert list(_play(set(range(60)), **fields).trials.values()) == list(unstopped.trials.values())


@pytest.mark.parametrize("pruner", PRUNERS, ids=lambda pruner: pruner["kind"] + "-rescaled" * pruner.get("rescale", 0))
def test_whatever_its_pruner_a_stopped_study_goes_on_like_the_unstopped_one(pruner: dict[str, Any]) -> None:
    unstopped = _play(set(), pruner=pruner)
    continued = _play(set(range(40)), pruner=pruner)
    assert list(continued.trials.values()) == list(unstopped.trials.values())
    assert {TrialState.COMPLETED, TrialState.PRUNED} <= {trial.state for trial in unstopped.trials.values()}


def test_a_study_that_stops_for_want_of_improvement_stops_where_the_unstopped_one_does() -> None:
    budget = {"trials": N_TRIALS, "no_improvement_trials": 6}
    unstopped, continued = (_play(stops, budget=budget) for stops in (set(), set(range(20))))
    assert unstopped.study == continued.study
    assert (unstopped.study.stopped_by, len(unstopped.trials) < N_TRIALS) == ("no_improvement", True)
    assert list(continued.trials.values()) == list(unstopped.trials.values())


def test_a_stopped_study_with_another_seed_is_another_study(unstopped: Mapping[int, Trial]) -> None:
    other = _play({20}, seed=12).trials
    assert [trial.recipe for trial in other.values()] != [trial.recipe for trial in unstopped.values()]


def test_a_study_whose_budget_grew_goes_on_like_one_rebuilt_after_it() -> None:
    def grown(*, stopped: bool) -> list[Trial]:
        new_token = tokens()
        conductor = a_conductor(new_token, **{**FIELDS, "budget": {"trials": 4}})
        now = NOON
        for budget in (4, 24):
            amended = conductor.study.request.budget.model_copy(update={"trials": budget})
            conductor.amend(budget=amended, now=now)
            if stopped:
                conductor = rebuilt(conductor, new_token)
            while (given := conductor.claim("ada", now)) is not None:
                now += timedelta(seconds=1)
                conductor.finish(a_finish(given.fence, *the_curve(given)), now)
        return list(conductor.trials.values())

    assert grown(stopped=True) == grown(stopped=False)
    assert len(grown(stopped=True)) == 24
