"""All trials of a study are trained on the same data: the first that ends says which."""

from __future__ import annotations

import pytest

from search.conductor import Conductor
from search.errors import Conflict
from search.protocol import Cancelled, Completed, Diverged, Failed, Outcome, Pruned
from search.study import TrialState
from tests.search.factories import NOON
from tests.search.playing import a_conductor, a_finish, a_point, a_report, claimed, rebuilt, the_curve, tokens

OURS, OTHER = "a" * 64, "b" * 64
PRUNING = {"kind": "median", "rungs": [0.5], "start_trials": 1}


def _finish(conductor: Conductor, number: int, worker: str, data: str | None, outcome: Outcome | None = None) -> None:
    """Let the worker claim a trial and end it on this data."""
    given = claimed(conductor, worker)
    assert given.fence.trial == number
    points = the_curve(given) if outcome is None else []
    receipt = conductor.finish(a_finish(given.fence, *points, outcome=outcome, data_sha256=data), NOON)
    assert receipt.status == "accepted"


@pytest.mark.parametrize("outcome", [Completed(), Diverged(update=3, rate=0.1)], ids=["completed", "diverged"])
def test_a_trial_on_other_data_that_began_before_any_was_known_is_failed(outcome: Outcome) -> None:
    conductor = a_conductor()
    first, second = claimed(conductor, "ada"), claimed(conductor, "bob")
    assert second.data_sha256 is None
    conductor.finish(a_finish(first.fence, *the_curve(first), data_sha256=OURS), NOON)
    conductor.finish(a_finish(second.fence, *the_curve(second), outcome=outcome, data_sha256=OTHER), NOON)
    trial = conductor.trials[1]
    assert (trial.state, trial.cause, trial.value) == (TrialState.FAILED, "configuration", None)
    assert trial.reason == (
        f"all trials of a study are trained on the same data: that of task toy has the SHA-256 {OTHER} here, "
        f"and {OURS} where the study's first trial was trained"
    )
    assert conductor.study.data_sha256 == OURS


def test_a_pruned_trial_on_other_data_is_failed_too() -> None:
    conductor = a_conductor(pruner=PRUNING)
    first, second = claimed(conductor, "ada"), claimed(conductor, "bob")
    conductor.report(a_report(first.fence, a_point(50, 0.1)), NOON)
    assert conductor.report(a_report(second.fence, a_point(50, 0.9)), NOON).action == "prune"
    conductor.finish(a_finish(first.fence, a_point(100, 0.1), data_sha256=OURS), NOON)
    conductor.finish(a_finish(second.fence, outcome=Pruned(), data_sha256=OTHER), NOON)
    assert (conductor.trials[1].state, conductor.trials[1].value) == (TrialState.FAILED, None)


def test_what_a_trial_measured_on_other_data_is_no_measure_for_others() -> None:
    conductor = a_conductor(pruner=PRUNING)
    first, second, third = (claimed(conductor, worker) for worker in ("ada", "bob", "cyd"))
    conductor.finish(a_finish(first.fence, a_point(100, 0.5), data_sha256=OURS), NOON)
    conductor.finish(a_finish(second.fence, a_point(50, 0.1), a_point(100, 0.1), data_sha256=OTHER), NOON)
    assert conductor.report(a_report(third.fence, a_point(50, 0.9)), NOON).action == "continue"


def test_a_repeated_finish_on_other_data_is_accepted_and_another_outcome_is_not() -> None:
    conductor = a_conductor()
    _finish(conductor, 0, "ada", OURS)
    given = claimed(conductor, "bob")
    finish = a_finish(given.fence, *the_curve(given), data_sha256=OTHER)
    assert [conductor.finish(finish, NOON).status for _ in range(2)] == ["accepted", "accepted"]
    with pytest.raises(Conflict, match="the trial is failed, and completed comes too late"):
        conductor.finish(a_finish(given.fence, *the_curve(given), data_sha256=OURS), NOON)


def test_a_failed_trial_does_not_say_what_the_data_is() -> None:
    conductor = a_conductor()
    _finish(conductor, 0, "ada", OTHER, Failed(cause="error", message="no such width"))
    _finish(conductor, 1, "ada", OURS)
    assert conductor.study.data_sha256 == OURS


def test_a_worker_that_knows_no_hash_is_taken_at_its_word() -> None:
    conductor = a_conductor()
    for number, data in enumerate((None, OURS, None)):
        _finish(conductor, number, "ada", data)
    assert [trial.state for trial in conductor.trials.values()] == [TrialState.COMPLETED] * 3
    assert conductor.study.data_sha256 == OURS


def test_every_assignment_after_the_first_end_names_the_data() -> None:
    conductor = a_conductor()
    _finish(conductor, 0, "ada", OURS)
    assert claimed(conductor, "ada").data_sha256 == OURS
    (again,) = conductor.resend("ada", (), NOON)
    assert again.data_sha256 == OURS


def test_a_study_built_again_still_knows_its_data() -> None:
    conductor = a_conductor()
    _finish(conductor, 0, "ada", OURS)
    changes = conductor.take_changes()
    assert changes is not None
    assert changes.study.data_sha256 == OURS
    conductor = rebuilt(conductor, tokens("new"))
    assert claimed(conductor).data_sha256 == OURS


def test_a_trial_that_outlives_its_study_still_says_what_the_data_is() -> None:
    conductor = a_conductor()
    given = claimed(conductor)
    conductor.cancel(NOON)
    conductor.finish(a_finish(given.fence, outcome=Cancelled(), data_sha256=OURS), NOON)
    assert conductor.study.data_sha256 == OURS
