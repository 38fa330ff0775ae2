"""Trials from a feed into lanes: all come out, whatever memory, tasks and devices do."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from schedules import Cosine
from search.protocol import Assignment, Completed, Failed
from search.training.lanes.driver import Fed, LaneTrainer
from search.training.trainer import Ended
from tests.training.lanes.runs import alone, many_recipes, numbered, recipe_of
from tests.training.toys import CPU, Line, Watcher, a_recipe
from tests.training.twin import Layers

TRIALS = [numbered(number, recipe, horizon=20, seed=3) for number, recipe in enumerate(many_recipes())]


def trained(
    task: Line, assignments: list[Assignment], n_lanes: int
) -> tuple[dict[int, Ended], dict[int, Watcher], list[int]]:
    """Train a feed; how each trial ended, what its monitor saw, and the order of the ends."""
    watchers = {assignment.fence.trial: Watcher() for assignment in assignments}
    waiting = deque(Fed(assignment, watchers[assignment.fence.trial]) for assignment in assignments)
    ends: dict[int, Ended] = {}

    given_back: list[Fed] = []

    def feed(n_free: int) -> Fed | None:
        return waiting.popleft() if waiting and not given_back else None

    def report(assignment: Assignment, ended: Ended) -> None:
        number = assignment.fence.trial
        assert number not in ends
        if ended.outcome is None:
            given_back.append(Fed(assignment, watchers[number]))
        else:
            ends[number] = ended

    trainer = LaneTrainer(CPU, lambda *_: n_lanes, load=lambda _: task)
    while waiting:
        trainer.train_lanes(feed, report)
        waiting.extendleft(given_back)
        given_back.clear()
    return ends, watchers, list(ends)


def updates(watcher: Watcher) -> list[int]:
    return [point.update for point in watcher.points]


# refusals


def test_a_trial_that_cannot_be_trained_fails_and_its_neighbours_train_on() -> None:
    wrong = numbered(50, a_recipe(), updates_per_epoch=11)
    unknown = numbered(51, a_recipe(), task_options={"width": 3})
    ends, _, _ = trained(Layers(), [TRIALS[0], wrong, TRIALS[1], unknown], 3)
    for number in (50, 51):
        outcome = ends[number].outcome
        assert isinstance(outcome, Failed)
        assert outcome.cause == "configuration"
    assert all(isinstance(ends[number].outcome, Completed) for number in (0, 1))


# all come out


@pytest.mark.parametrize("n_lanes", [1, 3, 16])
def test_every_trial_of_the_feed_is_trained_as_it_is_alone(n_lanes: int) -> None:
    ends, watchers, _ = trained(Layers(), TRIALS, n_lanes)
    assert set(ends) == {trial.fence.trial for trial in TRIALS}
    for trial in TRIALS[:4]:
        twin, _ = alone(Layers(), trial)
        found = watchers[trial.fence.trial].curve("val_loss")
        assert found == pytest.approx(twin.curve("val_loss"), rel=1e-9)


def test_a_trial_of_other_options_is_given_back_until_the_lanes_are_empty() -> None:
    other = numbered(20, recipe_of("sgd", Cosine()), task_options={"slope": -3.0})
    ends, watchers, order = trained(Layers(), [TRIALS[0], TRIALS[1], other, TRIALS[2]], 2)
    assert set(ends) == {0, 1, 2, 20}
    assert order.index(20) > order.index(1)
    assert watchers[20].curve("val_loss") == pytest.approx(alone(Layers(), other)[0].curve("val_loss"), rel=1e-9)


class Scarce(Layers):
    """Runs out of memory in lanes, as often as it is told, once some updates are made."""

    def __init__(self, times: int, message: str = "DefaultCPUAllocator: can't allocate memory") -> None:
        super().__init__()
        self._left = times
        self._n_calls = 0
        self._message = message

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self._n_calls += 1
        if torch._C._functorch.is_batchedtensor(outputs) and self._left and self._n_calls > 13:
            self._left -= 1
            self._n_calls = 0
            raise RuntimeError(self._message)
        return super().loss(outputs, targets)


def test_out_of_memory_halves_the_lanes_and_loses_no_trial() -> None:
    ends, watchers, _ = trained(Scarce(2), TRIALS, 8)
    assert {number: type(ended.outcome) for number, ended in ends.items()} == dict.fromkeys(range(11), Completed)
    for watcher in watchers.values():
        assert updates(watcher) == [10, 20]


def test_what_fails_for_all_lanes_together_is_tried_with_each_trial_alone() -> None:
    ends, watchers, _ = trained(Scarce(1, "the loss is in a bad mood"), TRIALS[:5], 4)
    assert all(isinstance(ended.outcome, Completed) for ended in ends.values())
    assert [updates(watcher) for watcher in watchers.values()] == [[10, 20]] * 5


def test_a_device_that_fails_ends_all_its_trials_and_the_process() -> None:
    ends, _, _ = trained(Scarce(1, "CUDA error: an illegal memory access was encountered"), TRIALS[:3], 3)
    for ended in ends.values():
        assert isinstance(ended.outcome, Failed)
        assert (ended.outcome.cause, ended.process_broken) == ("device", True)


class Unvectorised(Layers):
    """A model that no array can be built for."""

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(super().model(options), _Branch())


class _Branch(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs if inputs.sum().item() > -1e9 else -inputs


def test_lanes_that_cannot_be_had_are_done_without() -> None:
    ends, _, _ = trained(Unvectorised(), TRIALS[:3], 3)
    assert all(isinstance(ended.outcome, Completed) for ended in ends.values())
