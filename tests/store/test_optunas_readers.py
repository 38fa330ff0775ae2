"""Optuna's own functions and a stock dashboard read a study while it runs and after, however its trials ended."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import optuna
import optuna_dashboard
import pytest
from optuna import visualization
from optuna.importance import FanovaImportanceEvaluator

from search.study import Study, TrialState
from service.store import Store
from tests.store.optunas_view import storage_of, study_of, without_optunas_warnings
from tests.store.stored import a_trial, commit_trials, run_trial, some_study

PLOTS: list[Callable[[optuna.Study], Any]] = [
    visualization.plot_contour,
    visualization.plot_edf,
    visualization.plot_intermediate_values,
    visualization.plot_optimization_history,
    visualization.plot_parallel_coordinate,
    visualization.plot_param_importances,
    visualization.plot_rank,
    visualization.plot_slice,
    visualization.plot_timeline,
]

ENDS = (TrialState.COMPLETED, TrialState.PRUNED, TrialState.DIVERGED, TrialState.CANCELLED, TrialState.FAILED)


def _fill(store: Store, *, running: bool) -> Study:
    """A study with trials that ended in each way, one of a person, and two that did not end where it runs."""
    study = some_study(store)
    for number in range(20):
        state = ENDS[number % 5] if number % 2 else TrialState.COMPLETED
        loss = 1 / (number + 1)
        value = loss if state in (TrialState.COMPLETED, TrialState.PRUNED) else None
        last = None if state is TrialState.DIVERGED else loss
        run_trial(store, study, number, {10: 2 * loss, 20: loss, 30: last}, a_trial(number, state, value=value))
    own = a_trial(20, TrialState.COMPLETED, value=0.5, origin="enqueued", parameters={}, distributions={})
    commit_trials(store, study, own)
    if running:
        waiting = a_trial(22, TrialState.QUEUED, attempt=0, started_at=None, parameters={}, distributions={})
        commit_trials(store, study, a_trial(21), waiting)
    return study


@pytest.fixture(params=["running", "over"])
def filled(store: Store, request: pytest.FixtureRequest) -> Store:
    _fill(store, running=request.param == "running")
    return store


def test_optuna_draws_every_plot_of_a_study(filled: Store) -> None:
    with study_of(filled) as study, without_optunas_warnings():
        drawn = {plot.__name__: json.loads(plot(study).to_json()) for plot in PLOTS}
    assert [name for name, figure in drawn.items() if not figure["data"]] == []
    assert len(drawn["plot_intermediate_values"]["data"]) >= 16


def test_optuna_finds_what_was_important(filled: Store) -> None:
    with study_of(filled) as study, without_optunas_warnings():
        found = optuna.importance.get_param_importances(study)
    assert set(found) == {"plan", "lr_position", "warmup_fraction"}
    assert math.isclose(sum(found.values()), 1.0)


def test_optunas_fanova_finds_what_was_important_among_sampled_trials(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, *[a_trial(number, TrialState.COMPLETED) for number in range(8)])
    with study_of(store) as theirs, without_optunas_warnings():
        found = optuna.importance.get_param_importances(theirs, evaluator=FanovaImportanceEvaluator(seed=0))
    assert set(found) == {"plan", "lr_position", "warmup_fraction"}


def test_optuna_makes_a_table_of_the_trials(filled: Store) -> None:
    with study_of(filled) as study:
        assert study.best_trial.number == 18
        assert len(study.get_trials(states=(optuna.trial.TrialState.PRUNED,))) == 4


@pytest.fixture
def dashboard(filled: Store) -> Iterator[httpx.Client]:
    """The dashboard's own application on the storage that Optuna makes of our URL."""
    with storage_of(filled) as storage, without_optunas_warnings():
        application = optuna_dashboard.wsgi(storage)
        transport = httpx.WSGITransport(app=application)
        with httpx.Client(transport=transport, base_url="http://dashboard") as client:
            yield client


def test_the_dashboard_lists_the_study(dashboard: httpx.Client) -> None:
    (summary,) = dashboard.get("/api/studies").raise_for_status().json()["study_summaries"]
    assert summary["study_name"] == "default/first"


def test_the_dashboard_reads_every_trial(dashboard: httpx.Client) -> None:
    detail = dashboard.get("/api/studies/1").raise_for_status().json()
    states = [trial["state"] for trial in detail["trials"]]
    assert states[:20].count("Complete") == 12
    assert states[:20].count("Pruned") == 4
    assert states[:20].count("Fail") == 4
    diverged = next(trial for trial in detail["trials"] if _attribute(trial, "etude_state") == "diverged")
    assert [point["value"] for point in diverged["intermediate_values"]][-1] == "nan"
    assert float(_attribute(diverged, "peak_lr")) > 0


def _attribute(trial: dict[str, Any], key: str) -> str:
    return str(next(each["value"] for each in trial["user_attrs"] if each["key"] == key))


@pytest.mark.parametrize("what", ["param_importances", "plot/contour", "plot/timeline", "plot/rank"])
def test_the_dashboard_computes_on_the_study(dashboard: httpx.Client, what: str) -> None:
    assert dashboard.get(f"/api/studies/1/{what}").status_code == 200


@pytest.mark.slow
def test_a_stock_dashboard_process_reads_the_database_while_the_study_runs(store: Store) -> None:
    study = _fill(store, running=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "optuna-dashboard"), store.url, "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/api/studies/{study.optuna_id}"
        assert len(_wait_for_answer(url, process)["trials"]) == 23
        run_trial(store, study, 23, {10: 0.5}, a_trial(23, TrialState.COMPLETED))
        assert store.counts(study.id)[TrialState.RUNNING] == 1
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for_answer(url: str, process: subprocess.Popen[bytes]) -> Any:
    deadline = time.monotonic() + 60
    while True:
        try:
            return httpx.get(url, trust_env=False, timeout=30).raise_for_status().json()
        except httpx.TransportError:
            assert process.poll() is None, "the dashboard ended"
            assert time.monotonic() < deadline, "the dashboard does not answer"
            time.sleep(0.05)
