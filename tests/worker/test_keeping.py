"""A worker sends the weights and the log of a trial, and neither ever costs the trial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import safetensors.torch

from search.errors import Conflict, SearchError, Unavailable
from search.training.trainer import Trainer
from search.uploads import MOST_UPLOADS
from tests.training.toys import CPU, Line
from tests.worker.office import CONSTANT, Office
from tests.worker.test_worker import Hand

TRAINER = Trainer(CPU, load=lambda _: Line())


def _office(keep: str = "best", trials: int = 1) -> Office:
    return Office(budget={"trials": trials}, keep={"weights": keep}, space={**CONSTANT, "optimizers": ["adamw"]})


def _failing(error: SearchError) -> Callable[[str], None]:
    def fail(kind: str) -> None:
        if kind == "weights":
            raise error

    return fail


# refusals


@pytest.mark.parametrize("error", [Conflict("a better trial has ended"), Unavailable("away"), SearchError("broken")])
def test_weights_that_are_not_taken_do_not_cost_the_trial(error: SearchError) -> None:
    office = _office(trials=2)
    asked: list[str] = []
    fail = _failing(error)

    def count(kind: str) -> None:
        asked.append(kind)
        fail(kind)

    office.on_message = count
    Hand(office).run_until_idle()
    assert {trial.state.value for trial in office.trials} == {"completed"}
    assert asked.count("weights") >= (MOST_UPLOADS if isinstance(error, Unavailable) else 1)
    assert office.weights == {}


def test_a_model_that_cannot_be_written_as_a_file_does_not_cost_the_trial() -> None:
    def unwritable() -> bytes:
        raise TypeError("a set is no tensor")

    office = _office()
    Hand(office, lambda *given: replace(TRAINER(*given), weights=unwritable)).run_until_idle()
    assert [trial.state.value for trial in office.trials] == ["completed"]
    assert office.said == ["announce", "claim", "finish", "claim"]


# what is sent


def test_only_weights_that_are_wanted_are_sent() -> None:
    office = _office("none", trials=3)
    Hand(office).run_until_idle()
    assert "weights" not in office.said


def test_each_trial_that_becomes_the_best_sends_its_weights() -> None:
    office = _office(trials=6)
    Hand(office).run_until_idle()
    best, became = float("inf"), []
    for trial in office.trials:
        if trial.value is not None and trial.value < best:
            best = trial.value
            became.append(trial.number)
    assert list(office.weights) == became
    assert set(safetensors.torch.load(office.weights[0])) == {"weight", "bias"}


def test_weights_are_sent_again_until_the_service_is_back() -> None:
    office = _office()
    left = 3

    def fail(kind: str) -> None:
        nonlocal left
        if kind == "weights" and left:
            left -= 1
            raise Unavailable("restarting", retry_after_seconds=0.01)

    office.on_message = fail
    Hand(office).run_until_idle()
    assert list(office.weights) == [0]


def test_the_log_of_an_attempt_travels_with_its_end() -> None:
    office = _office("none")
    Hand(office, lambda *given: replace(TRAINER(*given), log="epoch 1\n")).run_until_idle()
    changes = office.conductor.take_changes()
    assert changes is not None
    assert [(each.ending, each.log) for each in changes.attempts] == [("completed", "epoch 1\n")]
