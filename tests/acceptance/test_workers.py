"""``etude workers`` while two real workers train."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from search.study import Budget, StudyRequest
from tests.acceptance.running import Running, completed, environment, etude, serving, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


def _listed(service: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(etude("workers", "--json", "--url", service.url).stdout)
    return found


def test_both_workers_are_shown_training_with_their_speed(tmp_path: Path) -> None:
    with serving(tmp_path / "one", workers=2) as service, service.client() as client:
        service.wait_for_workers(2)
        client.create_study(StudyRequest(name="long", task="digits-mlp", epochs=2000, budget=Budget(trials=2)))

        def both_train() -> bool:
            listed = _listed(service)
            return [each["state"] for each in listed] == ["training"] * 2 and all(
                (each["updates_per_second"] or 0.0) > 0.0 for each in listed
            )

        until(both_train, f"both workers train\n{service.log()}")
        listed = _listed(service)
        assert sorted(each["trials"][0]["trial"] for each in listed) == [0, 1]
        assert [each["device"]["index"] for each in listed] == [0, 1]
        assert all(each["device"]["memory_bytes"] > 0 for each in listed)
        table = etude("workers", "--url", service.url).stdout
        assert table.count("training") == 2
        client.cancel_study("long")


def test_two_workers_of_one_device_take_turns_where_it_has_one_place(tmp_path: Path) -> None:
    with serving(tmp_path / "one", workers=0) as service, service.client() as client:
        command = [sys.executable, "-m", "service", "worker", "--device", "cpu:0", "--url", service.url]
        env = environment(ACCEPTANCE_HOME=str(tmp_path))
        workers = [subprocess.Popen(command, env=env) for _ in range(2)]
        service.wait_for_workers(2)
        request = StudyRequest(name="alone", task="digits-mlp", epochs=3, trials_per_device=1, budget=Budget(trials=8))
        client.create_study(request)
        completed(service.wait_for_end("alone"), 8)
        trials = [client.trial("alone", number) for number in range(8)]
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        assert [worker.wait(60) for worker in workers] == [0, 0]
    spans = sorted((trial.started_at, trial.finished_at) for trial in trials if trial.started_at and trial.finished_at)
    assert len(spans) == 8
    assert all(ended <= begun for (_, ended), (begun, _) in pairwise(spans))
