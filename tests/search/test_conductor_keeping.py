"""Whose weights a study asks for, and what its attempts said."""

from __future__ import annotations

import pytest

from search.conductor import Conductor
from search.protocol import Completed, Diverged, Receipt
from tests.search.factories import NOON
from tests.search.playing import a_conductor, a_finish, a_point, claimed


def _ended(conductor: Conductor, loss: float | None, **metrics: float) -> Receipt:
    """End a trial with this loss at its horizon."""
    given = claimed(conductor)
    return conductor.finish(a_finish(given.fence, a_point(given.horizon, loss, **metrics), outcome=Completed()), NOON)


@pytest.mark.parametrize(
    "keep, wanted", [("best", [True, False, True, False]), ("all", [True] * 3 + [False]), ("none", [False] * 4)]
)
def test_the_weights_are_wanted_that_the_study_keeps(keep: str, wanted: list[bool]) -> None:
    conductor = a_conductor(keep={"weights": keep})
    assert [_ended(conductor, loss).wants_weights for loss in (0.5, 0.7, 0.25, None)] == wanted


def test_the_best_is_the_largest_where_the_objective_is_to_be_maximized() -> None:
    conductor = a_conductor(objective={"metric": "val_accuracy"})
    receipts = [_ended(conductor, 0.5, val_accuracy=accuracy) for accuracy in (0.5, 0.25, 0.7)]
    assert [receipt.wants_weights for receipt in receipts] == [True, False, True]


def test_of_equal_trials_the_first_is_the_best() -> None:
    conductor = a_conductor()
    assert [_ended(conductor, 0.5).wants_weights for _ in range(2)] == [True, False]


def test_a_trial_that_did_not_complete_is_not_asked_for_its_weights() -> None:
    conductor = a_conductor(keep={"weights": "all"})
    given = claimed(conductor)
    receipt = conductor.finish(a_finish(given.fence, outcome=Diverged(update=3, rate=0.1)), NOON)
    assert not receipt.wants_weights


def test_a_repeated_finish_is_asked_again_while_its_trial_is_the_best() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    finish = a_finish(given.fence, a_point(given.horizon, 0.5), outcome=Completed())
    assert [conductor.finish(finish, NOON).wants_weights for _ in range(2)] == [True, True]
    _ended(conductor, 0.25)
    assert not conductor.finish(finish, NOON).wants_weights


def test_an_attempt_that_completed_keeps_what_it_said() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    finish = a_finish(given.fence, a_point(given.horizon, 0.5), outcome=Completed())
    conductor.finish(finish.model_copy(update={"log": "epoch 1"}), NOON)
    changes = conductor.take_changes()
    assert changes is not None
    assert [(each.ending, each.log) for each in changes.attempts] == [("completed", "epoch 1")]
