"""A worker that trains four trials at once, against a real conductor: every way in which a trial can end."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from torch import Tensor, nn

from search.errors import Unavailable
from search.protocol import Fence
from search.study import Trial, TrialState
from search.training.lanes.driver import LaneTrainer
from search.worker import DEVICE_BROKEN
from tests.training.toys import CPU, Line
from tests.worker.office import CONSTANT, Office
from tests.worker.test_desk import until
from tests.worker.test_worker import Hand

CALM: dict[str, Any] = {**CONSTANT, "optimizers": ["adamw"]}
MEDIAN = {"kind": "median", "start_trials": 2}
FOREVER = 100_000


def office_of(trials: int = 12, **fields: Any) -> Office:
    return Office(**{"budget": {"trials": trials}, "sampler": {"kind": "random"}, **fields})


def hand(office: Office, n_lanes: int = 4, task: Line | None = None) -> Hand:
    line = task or Line()
    trainer = LaneTrainer(CPU, lambda *_: n_lanes, load=lambda _: line)
    return Hand(office, train=trainer.train_lanes)


def in_background(worker: Hand) -> threading.Thread:
    thread = threading.Thread(target=worker.worker.run)
    thread.start()
    return thread


def points_of(office: Office) -> dict[int, list[int]]:
    changes = office.conductor.take_changes()
    assert changes is not None
    found: dict[int, list[int]] = {}
    for number, _, point in changes.points:
        found.setdefault(number, []).append(point.update)
    return found


def states(office: Office) -> list[str]:
    return [trial.state.value for trial in office.trials]


# endings


def test_a_study_in_lanes_has_the_values_of_one_trial_after_the_other() -> None:
    alone, together = office_of(), office_of()
    hand(alone, 1).run_until_idle()
    hand(together, 4).run_until_idle()

    def told(trial: Trial) -> tuple[Any, ...]:
        return trial.number, trial.recipe, trial.state, trial.update, trial.cause

    assert [told(trial) for trial in together.trials] == [told(trial) for trial in alone.trials]
    for ours, theirs in zip(together.trials, alone.trials, strict=True):
        assert ours.value == (None if theirs.value is None else pytest.approx(theirs.value, rel=1e-9))
    assert together.conductor.study.data_sha256 == alone.conductor.study.data_sha256


def test_each_trial_has_each_of_its_points_once() -> None:
    office = office_of(space=CALM)
    hand(office).run_until_idle()
    assert states(office) == ["completed"] * 12
    assert points_of(office) == {number: [10, 20, 30] for number in range(12)}


class Exploding(Line):
    """Explodes under a large rate."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return super().loss(outputs, targets) * 1e3


def test_a_trial_that_diverges_leaves_its_neighbours_alone() -> None:
    office = office_of(space={**CONSTANT, "optimizers": ["adamw", "sgd"]}, epochs=40)
    hand(office, task=Exploding()).run_until_idle()
    assert set(states(office)) == {"completed", "diverged"}


def test_a_pruned_trial_stops_where_it_was_judged() -> None:
    office = office_of(space=CALM, pruner=MEDIAN)
    hand(office).run_until_idle()
    pruned = [trial for trial in office.trials if trial.state is TrialState.PRUNED]
    assert pruned
    assert {trial.update for trial in pruned} <= {10, 20}
    assert set(states(office)) == {"completed", "pruned"}


def test_cancelled_trials_stop_and_the_study_ends() -> None:
    office = office_of(space=CALM, epochs=FOREVER, lease_seconds=0.3)
    worker = hand(office)
    thread = in_background(worker)
    until(lambda: states(office) == ["running"] * 4)
    with office.heard:
        office.conductor.cancel(office.now)
    until(lambda: states(office) == ["cancelled"] * 4)
    worker.stop.set()
    thread.join(30)


class Moody(Line):
    """Raises in the model of every third trial."""

    def __init__(self) -> None:
        super().__init__()
        self.n_measured = 0

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        self.n_measured += 1
        if self.n_measured == 5:
            raise ZeroDivisionError("no such metric")
        return super().metrics(outputs, targets)


def test_a_task_that_raises_for_one_trial_fails_this_one_only() -> None:
    office = office_of(space=CALM)
    hand(office, task=Moody()).run_until_idle()
    assert sorted(states(office)) == ["completed"] * 11 + ["failed"]
    (failed,) = [trial for trial in office.trials if trial.state is TrialState.FAILED]
    assert failed.reason == "task line raised ZeroDivisionError: no such metric"


class Breaking(Line):
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


def test_a_broken_device_ends_the_process_after_all_failures_are_told() -> None:
    office = office_of(space=CALM)
    assert hand(office, task=Breaking()).worker.run() == DEVICE_BROKEN
    assert {trial.cause for trial in office.trials} <= {"device", None}
    assert all(trial.state is not TrialState.RUNNING for trial in office.trials)


# losses and absences


def test_a_lost_lease_costs_its_lane_only() -> None:
    office = office_of(4, space=CALM, epochs=FOREVER, lease_seconds=0.3)
    worker = hand(office)
    thread = in_background(worker)
    until(lambda: states(office) == ["running"] * 4)
    with office.heard:
        lease = office.conductor.trials[2].lease
        assert lease is not None
        office.conductor.release(Fence(study="first", trial=2, attempt=1, lease=lease.token), office.now)
    until(lambda: office.conductor.trials[2].attempt == 2)
    worker.stop.set()
    thread.join(30)
    assert [(trial.state.value, trial.attempt) for trial in office.trials] == [
        ("queued", 2 if number == 2 else 1) for number in range(4)
    ]


def test_a_service_that_is_away_for_a_while_misses_nothing() -> None:
    office = office_of(space=CALM, pruner=MEDIAN)
    left = 40

    def away(kind: str) -> None:
        nonlocal left
        if office.said.count("claim") > 1 and left:
            left -= 1
            raise Unavailable("restarting", retry_after_seconds=0.01)

    office.on_message = away
    hand(office).run_until_idle()
    assert all(trial.state.is_final and trial.attempt == 1 for trial in office.trials)
    assert left == 0


def test_a_worker_told_to_stop_gives_everything_back() -> None:
    office = office_of(space=CALM, epochs=FOREVER)
    worker = hand(office)
    thread = in_background(worker)
    until(lambda: states(office) == ["running"] * 4)
    worker.stop.set()
    thread.join(30)
    assert [(trial.state.value, trial.lost_attempts) for trial in office.trials] == [("queued", 0)] * 4


# what does not fit


def test_trials_of_several_runs_are_trained_alone_by_the_same_worker() -> None:
    rescaled = {"kind": "halving", "rescale": True}
    office = office_of(6, space=CALM, pruner=rescaled, epochs=9)
    hand(office).run_until_idle()
    assert all(trial.state in (TrialState.COMPLETED, TrialState.PRUNED) for trial in office.trials)


class Scarce(Line):
    """Runs out of memory in its first lanes, once each has been evaluated."""

    def __init__(self) -> None:
        super().__init__()
        self.n_left, self.n_calls = 1, 0

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(super().model(options), nn.Identity())

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.n_calls += 1
        if self.n_left and self.n_calls > 20:
            self.n_left -= 1
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return super().loss(outputs, targets)


def test_memory_that_runs_out_costs_no_attempt_and_doubles_no_point() -> None:
    office = office_of(8, space=CALM)
    hand(office, task=Scarce()).run_until_idle()
    assert [(trial.state.value, trial.attempt) for trial in office.trials] == [("completed", 1)] * 8
    assert points_of(office) == {number: [10, 20, 30] for number in range(8)}
