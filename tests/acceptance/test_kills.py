"""Processes that are killed outright: nothing is lost, nothing is done twice, budgets hold."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from search.study import Budget, StudyRequest, TrialState
from service.client import Client
from tests.acceptance.conftest import Gate
from tests.acceptance.running import CALM, completed, hold_trials, is_alive, serving, stored_study, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

LEASE_SECONDS = 2


def test_a_killed_worker_loses_its_trial_to_another_and_the_budget_holds(gate: Gate, tmp_path: Path) -> None:
    lease = ("--lease-seconds", str(LEASE_SECONDS))
    with serving(tmp_path / "one", *lease, workers=2, env=gate.environment) as service, service.client() as client:
        pids = service.wait_for_workers(2)
        hold_trials(client, gate.shut, name="held", trials=6, held=2)
        os.kill(pids[0], signal.SIGKILL)
        until(lambda: not is_alive(pids[0]), "the worker is gone")
        gate.open()
        completed(service.wait_for_end("held"), 6)
        _each_trial_ended_once(client, trials=6, retried=1)


def test_a_killed_service_continues_its_study_to_exactly_its_budget(
    database_url: str, gate: Gate, tmp_path: Path
) -> None:
    flags = ("--database-url", database_url, "--lease-seconds", str(LEASE_SECONDS))
    home = tmp_path / "one"
    with serving(home, *flags, workers=1, env=gate.environment) as service, service.client() as client:
        pids = service.wait_for_workers(1)
        hold_trials(client, gate.shut, name="held", trials=6, held=1)
        service.kill()
        gate.open()
        until(lambda: not any(map(is_alive, pids)), "the workers of a killed service end by themselves")
        port = service.port
    with serving(home, *flags, port=port, workers=1, env=gate.environment) as again, again.client() as client:
        completed(again.wait_for_end("held"), 6)
        _each_trial_ended_once(client, trials=6, retried=1)
    with stored_study("held", database_url) as stored:
        assert [trial.state.name for trial in stored.trials] == ["COMPLETE"] * 6


def test_a_killed_worker_with_many_lanes_loses_no_trial_and_doubles_none(database_url: str, tmp_path: Path) -> None:
    flags = ("--database-url", database_url, "--lease-seconds", str(LEASE_SECONDS))
    with serving(tmp_path / "one", *flags, workers=2, lanes=8) as service, service.client() as client:
        pids = service.wait_for_workers(2)
        budget = Budget(trials=48)
        client.create_study(StudyRequest(name="many", task="digits-mlp", epochs=8, space=CALM, budget=budget))
        until(lambda: client.study("many").counts[TrialState.COMPLETED] > 4, "some trials end")
        os.kill(pids[0], signal.SIGKILL)
        completed(service.wait_for_end("many"), 48)
        listed = list(client.trials("many"))
        assert [trial.number for trial in listed] == list(range(48))
        assert {trial.state for trial in listed} == {TrialState.COMPLETED}
        for trial in listed:
            updates = [point.update for point in client.curve("many", trial.number).points]
            assert updates == sorted(set(updates))
            assert len(updates) == 8
    with stored_study("many", database_url) as stored:
        assert [trial.state.name for trial in stored.trials] == ["COMPLETE"] * 48


def _each_trial_ended_once(client: Client, *, trials: int, retried: int) -> None:
    """Every number is there once, completed, with each of its points once; the lost attempts are told as such."""
    listed = list(client.trials("held"))
    assert [trial.number for trial in listed] == list(range(trials))
    assert sorted(trial.attempt for trial in listed) == [1] * (trials - retried) + [2] * retried
    for trial in listed:
        endings = [attempt.ending for attempt in client.trial("held", trial.number).attempts]
        assert endings == ["lost"] * (trial.attempt - 1) + ["completed"]
        updates = [point.update for point in client.curve("held", trial.number).points]
        assert updates == [8, 16, 24, 32, 40, 48, 56, 64]
