"""Programs that are not ours: one that trains over HTTP alone, and those that read the database."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest

from search.choices import PrunerChoice
from search.space import Space
from search.study import Budget, StudyRequest
from tests.acceptance.conftest import House
from tests.acceptance.running import completed, environment, final_counts, hold_trials, serving, stored_study, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

PROGRAM = Path(__file__).with_name("external_program.py")
LONGEST_PROGRAM = 40


def test_a_short_program_that_knows_only_http_trains_a_study(tmp_path: Path) -> None:
    text = PROGRAM.read_text()
    assert len(text.splitlines()) <= LONGEST_PROGRAM
    with serving(tmp_path / "one", workers=0) as service, service.client() as client:
        request = StudyRequest(
            name="mine",
            task="external",
            task_options={"horizon": 50, "metrics": {"val_loss": "minimize"}, "evaluations": 10},
            space=Space(optimizers=("sgd",), families=("constant", "cosine")),
            pruner=PrunerChoice(kind="halving", start_trials=3),
            budget=Budget(trials=15),
        )
        client.create_study(request)
        # Isolated: nothing of this repository can be imported there.
        command = [sys.executable, "-I", str(PROGRAM), service.url, "mine"]
        subprocess.run(command, env=environment(), check=True, timeout=60, cwd=tmp_path)
        study = client.study("mine")
        completed(study, 15)
        assert set(final_counts(study)) >= {"completed", "pruned"}
        best = client.best("mine")
        assert best.value < 1.0
        assert len(client.curve("mine", best.trial.number).points) == 10


@pytest.mark.filterwarnings("ignore:Some regimes")
def test_stock_tools_read_the_database_while_a_study_runs(house: House, tmp_path: Path) -> None:
    with house.service.client() as client, _stock_dashboard(house.database_url, tmp_path) as dashboard:
        hold_trials(client, house.gate.shut, name="watched", trials=8, held=2)
        listed = _get(f"{dashboard}/api/studies")["study_summaries"]
        (number,) = [study["study_id"] for study in listed if study["study_name"] == "default/watched"]
        shown = _get(f"{dashboard}/api/studies/{number}")
        assert [trial["state"] for trial in shown["trials"]] == ["Running", "Running"]
        with stored_study("watched", house.database_url) as running:
            assert [trial.state.name for trial in running.trials] == ["RUNNING", "RUNNING"]
        house.gate.open()
        completed(house.service.wait_for_end("watched"), 8)
    with stored_study("watched", house.database_url) as stored:
        assert len(stored.trials) == 8
        assert optuna.visualization.plot_intermediate_values(stored).data
        assert "plan" in optuna.importance.get_param_importances(stored)


@contextmanager
def _stock_dashboard(database_url: str, directory: Path) -> Iterator[str]:
    """optuna-dashboard as its own program, as a user starts it."""
    program = Path(sys.executable).with_name("optuna-dashboard")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(program), database_url, "--host", "127.0.0.1", "--port", str(port)]
    log = directory / "dashboard.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment(), stdout=output, stderr=subprocess.STDOUT)
    try:
        until(lambda: _listens(port), "optuna-dashboard listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def _get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=20) as answer:
        found = json.load(answer)
    assert isinstance(found, dict)
    return found
