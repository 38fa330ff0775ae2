"""A worker against a real conductor: refusals, losses, absences, the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from search.errors import Conflict, Unavailable, Unsuitable
from search.pace import Pace
from search.protocol import Announcement, Assignment, Completed, Diverged, Failed, Point
from search.study import TrialState
from search.tasks.base import Data
from search.training.data import sha256_of
from search.training.lanes.driver import Feed, Report
from search.training.loop import Monitor
from search.training.trainer import Ended, Trainer
from search.worker import DEVICE_BROKEN, Train, Worker, worker_id
from tests.training.sized import SIZED
from tests.training.toys import CPU, Line
from tests.worker.office import Office

QUICK = Pace(claim=0.0, idle=0.001, first_pause=0.001, longest_pause=0.01, last_words=0.05)
Run = Callable[[Assignment, Monitor], Ended]


class Hand:
    """A worker, the signal that stops it, and what it trains with: one trial after the other, unless said otherwise."""

    def __init__(
        self, office: Office, run: Run | None = None, *, train: Train | None = None, pace: Pace = QUICK
    ) -> None:
        self.stop = threading.Event()
        announcement = Announcement(worker=worker_id(), tasks=(Line.info,))
        task = Line()
        self._run = run or Trainer(CPU, load=lambda _: task)
        self._is_single = False
        self._office = office
        train = train or self._one_by_one
        self.worker = Worker(office, announcement, train, self.stop, pace=pace)

    def run_until_idle(self) -> int:
        """Work until a claim finds nothing while nothing is held; the exit code."""
        self._office.on_idle = self.stop.set
        return self.worker.run()

    def run_one(self) -> None:
        """Train one trial, and say how it ended."""
        self._is_single = True
        self.worker.run()

    def _one_by_one(self, feed: Feed, report: Report) -> None:
        while (fed := feed(1)) is not None:
            ended = self._run(fed.assignment, fed.monitor)
            if self._is_single:
                self.stop.set()
            report(fed.assignment, ended)


def _states(office: Office) -> list[str]:
    return [trial.state.value for trial in office.trials]


def _raising(error: Exception, kind: str, times: int) -> Callable[[str], None]:
    """Raise an error for the first so many messages of a kind."""
    left = times

    def raise_some(said: str) -> None:
        nonlocal left
        if said == kind and left:
            left -= 1
            raise error

    return raise_some


# refusals


def test_a_service_that_refuses_the_worker_ends_it() -> None:
    office = Office()
    office.on_message = _raising(Unsuitable("worker names have no spaces"), "announce", 1)
    with pytest.raises(Unsuitable, match="worker names have no spaces"):
        Hand(office).worker.run()


def test_an_outcome_that_the_service_refuses_becomes_a_failure_that_says_so() -> None:
    office = Office(budget={"trials": 1})
    Hand(office, lambda *_: Ended(Diverged(update=99, rate=0.1), 0.0)).run_until_idle()
    (trial,) = office.trials
    assert trial.state is TrialState.FAILED
    assert trial.reason.startswith("the service refuses the outcome 'diverged': trial 0 cannot diverge at update 99")


def test_a_contradicted_finish_is_dropped_and_the_worker_goes_on() -> None:
    office = Office(budget={"trials": 1})
    office.on_message = _raising(Conflict("another outcome is recorded"), "finish", 1)
    Hand(office).run_until_idle()
    assert office.said.count("claim") == 3
    assert _states(office) == ["completed"]


# a day's work


def test_a_quick_trial_costs_one_claim_and_one_finish() -> None:
    office = Office(budget={"trials": 3})
    Hand(office).run_until_idle()
    assert office.said == ["announce", *["claim", "finish"] * 3, "claim"]
    assert all(trial.state.is_final for trial in office.trials)
    assert {trial.evaluated for trial in office.trials if trial.state is TrialState.COMPLETED} == {30}


def test_one_study_s_trials_start_from_the_same_weights() -> None:
    seen: list[torch.Tensor] = []

    class Kept(Line):
        def model(self, options: dict[str, Any]) -> nn.Module:
            model = super().model(options)
            seen.append(next(model.parameters()).detach().clone())
            return model

    office = Office(budget={"trials": 2})
    task = Kept()
    Hand(office, Trainer(CPU, load=lambda _: task)).run_until_idle()
    assert torch.equal(*seen)


def test_a_task_that_raises_fails_its_trial_with_the_traceback() -> None:
    class Faulty(Line):
        def model(self, options: dict[str, Any]) -> nn.Module:
            raise ZeroDivisionError("no such width")

    office = Office(budget={"trials": 1})
    Hand(office, Trainer(CPU, load=lambda _: Faulty())).run_until_idle()
    (trial,) = office.trials
    assert (trial.cause, trial.reason) == ("error", "task line raised ZeroDivisionError: no such width")
    assert "in model" in trial.log


class Elsewhere(Line):
    """The line on a machine whose data differs in one point."""

    def data(self, options: dict[str, Any]) -> Data:
        data = super().data(options)
        data.test.targets[0] += 1
        return data


def test_a_worker_says_what_data_a_trial_was_trained_on() -> None:
    office = Office(budget={"trials": 1})
    Hand(office).run_until_idle()
    assert office.conductor.study.data_sha256 == sha256_of(Line().data({"slope": 2.0}))


def test_a_worker_with_other_data_fails_its_trial_before_any_update() -> None:
    office = Office(budget={"trials": 2})
    Hand(office).run_one()
    Hand(office, Trainer(CPU, load=lambda _: Elsewhere())).run_one()
    trial = office.trials[1]
    ours, other = sha256_of(Line().data({"slope": 2.0})), sha256_of(Elsewhere().data({"slope": 2.0}))
    assert (trial.state, trial.cause, trial.update) == (TrialState.FAILED, "configuration", 0)
    assert trial.reason == (
        f"all trials of a study are trained on the same data: that of task line has the SHA-256 {other} here, "
        f"and {ours} where the study's first trial was trained"
    )


def test_a_study_and_its_worker_count_the_same_updates_under_options() -> None:
    options = {"batch_size": 100, "train_examples": 333, "label_noise": 0.1, "dtype": "bfloat16"}
    office = Office(SIZED.info, task_options=options, budget={"trials": 1}, epochs=2)
    Hand(office, Trainer(CPU, load=lambda _: SIZED)).run_until_idle()
    (trial,) = office.trials
    assert (trial.state, trial.update, trial.epoch) == (TrialState.COMPLETED, 6, 2.0)


def test_a_broken_device_ends_the_process_after_the_failure_is_told() -> None:
    office = Office(budget={"trials": 2})
    failed = Failed(cause="device", message="CUDA error: unspecified launch failure")
    hand = Hand(office, lambda *_: Ended(failed, 0.1, process_broken=True))
    assert hand.worker.run() == DEVICE_BROKEN
    assert office.said == ["announce", "claim", "finish"]


def test_a_worker_presents_itself_again_after_a_while() -> None:
    office = Office(budget={"trials": 2})
    Hand(office, pace=Pace(announce=0.0)).run_until_idle()
    assert office.said.count("announce") == 3


def test_no_two_workers_have_one_name() -> None:
    assert worker_id() != worker_id()


# when messages get lost


def test_a_claim_whose_answer_was_lost_is_answered_with_the_same_attempt() -> None:
    office = Office(budget={"trials": 1})

    def deafen(kind: str) -> None:
        office.is_dumb = kind == "claim" and office.said.count("claim") < 2

    office.on_message = deafen
    Hand(office).run_until_idle()
    assert office.said.count("claim") == 4
    (trial,) = office.trials
    assert (trial.state.is_final, trial.attempt, trial.lost_attempts) == (True, 1, 0)


def test_a_finish_whose_answer_was_lost_is_repeated_and_recorded_once() -> None:
    office = Office(budget={"trials": 1})

    def deafen(kind: str) -> None:
        office.is_dumb = kind == "finish" and "finish" not in office.said

    office.on_message = deafen
    Hand(office).run_until_idle()
    assert office.said.count("finish") == 2
    assert [trial.state.is_final for trial in office.trials] == [True]


def test_a_finish_is_repeated_until_the_service_is_back() -> None:
    office = Office(budget={"trials": 1})
    office.on_message = _raising(Unavailable("restarting", retry_after_seconds=0.01), "finish", 5)
    Hand(office).run_until_idle()
    assert [trial.state.is_final for trial in office.trials] == [True]


def test_a_worker_without_a_service_waits_for_it() -> None:
    office = Office(budget={"trials": 1})
    hand = Hand(office)

    office.on_message = _raising(Unavailable("not yet"), "announce", 4)
    thread = threading.Thread(target=hand.worker.run)
    thread.start()
    office.wait_for("finish")
    hand.stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert office.said[0] == "announce"


def test_more_points_than_one_message_holds_go_ahead_of_the_finish() -> None:
    office = Office(budget={"trials": 1}, epochs=250)

    def run(assignment: Assignment, monitor: Monitor) -> Ended:
        for update in range(1, assignment.horizon + 1):
            metrics: dict[str, float | None] = {"val_loss": 1 / update}
            monitor.evaluated(Point(update=update, epoch=update / 10, rate=0.1, metrics=metrics))
        return Ended(Completed(), 0.0)

    Hand(office, run, pace=Pace(idle=0.001, send=1e6)).run_until_idle()
    assert office.said == ["announce", "claim", "report", "report", "finish", "claim"]
    changes = office.conductor.take_changes()
    assert changes is not None
    assert [point.update for _, _, point in changes.points] == list(range(1, 2501))


# when the trial is lost, or the worker told to stop


def _until_told(assignment: Assignment, monitor: Monitor) -> Ended:
    """Train for ever, without evaluating."""
    pause = threading.Event()
    while monitor.tick(1) is None:
        pause.wait(0.001)
    return Ended(None, 0.0)


def test_a_lost_trial_is_dropped_without_a_word() -> None:
    office = Office(budget={"trials": 1}, lease_seconds=0.3)

    def lose(kind: str) -> None:
        if kind == "report":
            office.pass_time(1.0)

    office.on_message = lose
    Hand(office, _until_told).run_one()
    assert office.said == ["announce", "claim", "report"]
    assert _states(office) == ["queued"]


def test_a_finish_that_comes_too_late_changes_nothing() -> None:
    office = Office(budget={"trials": 1})

    def late(assignment: Assignment, monitor: Monitor) -> Ended:
        office.pass_time(61.0)
        return Ended(Completed(), 0.1)

    Hand(office, late).run_one()
    (trial,) = office.trials
    assert (trial.state, trial.lost_attempts) == (TrialState.QUEUED, 1)


def test_a_worker_told_to_stop_gives_its_trial_back_and_ends_in_order() -> None:
    office = Office(budget={"trials": 1})
    hand = Hand(office, _until_told)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(hand.worker.run()))
    thread.start()
    office.wait_for("claim")
    hand.stop.set()
    thread.join(30)
    assert codes == [0]
    assert office.said == ["announce", "claim", "release"]
    (trial,) = office.trials
    assert (trial.state, trial.lost_attempts) == (TrialState.QUEUED, 0)


def test_a_worker_told_to_stop_does_not_wait_long_for_an_absent_service() -> None:
    office = Office(budget={"trials": 1})
    hand = Hand(office)

    def go_away(kind: str) -> None:
        if kind == "finish":
            office.is_deaf = True
            hand.stop.set()

    office.on_message = go_away
    assert hand.worker.run() == 0
    assert _states(office) == ["running"]
