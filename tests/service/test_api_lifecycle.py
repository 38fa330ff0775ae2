"""How the service starts, lets time pass, stands by, and fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from service.app import create_app
from service.store import DatabaseInUse, DatabaseUnreachable
from tests.service.by_hand import claim, create, external_study, report, train
from tests.service.problems import read_problem
from tests.service.server import PATIENCE_SECONDS, LiveServer, serving, settings_in


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def outlast_a_lease(live: LiveServer, clock: Clock) -> None:
    """Let 61 seconds pass, in steps short enough that the service was there all the time; the last tick is its own."""
    for _ in range(3):
        clock.pass_seconds(19)
        live.app.state.opened.ensemble.tick()
    clock.pass_seconds(4)


async def start_and_stop(app: FastAPI) -> None:
    async with app.router.lifespan_context(app):
        pass


def wait_until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 20):
        if holds():
            return
        pause.wait(0.05)
    raise AssertionError("it never came true")


@pytest.mark.anyio
async def test_a_second_service_on_the_same_database_file_does_not_start(live_server: LiveServer) -> None:
    with pytest.raises(DatabaseInUse, match="is in use by another service"):
        await start_and_stop(create_app(live_server.settings))


@pytest.mark.anyio
async def test_a_database_in_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, database_url=f"sqlite:///{tmp_path}/absent/etude.db")
    with pytest.raises(DatabaseUnreachable, match=r"absent/etude\.db cannot be opened"):
        await start_and_stop(create_app(settings))


def test_nothing_is_made_before_the_service_starts(tmp_path: Path) -> None:
    create_app(settings_in(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_lease_that_is_over_sets_its_trial_free(tmp_path: Path) -> None:
    clock = Clock()
    with serving(settings_in(tmp_path), clock=clock) as live, live.client() as client:
        create(client, trials=1)
        (lost,) = claim(client, worker="silent")
        outlast_a_lease(live, clock)
        wait_until(lambda: client.get("/v1/studies/by-hand/trials/0").json()["state"] == "queued")
        (again,) = claim(client, worker="other")
        assert again["fence"]["attempt"] == 2
        assert report(client, lost["fence"])["action"] == "lost"


def test_a_waiting_claim_gets_the_trial_of_a_lease_that_is_over(tmp_path: Path) -> None:
    clock = Clock()
    with serving(settings_in(tmp_path), clock=clock) as live, live.client() as client:
        create(client, trials=1)
        claim(client, worker="silent")
        outlast_a_lease(live, clock)
        (again,) = claim(client, worker="other", wait_seconds=20)
        assert again["fence"]["attempt"] == 2


def test_a_defect_is_logged_whole_and_told_without_internals(
    live_server: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("the secret of the house")

    live_server.app.add_api_route("/v1/defect", fail)
    with live_server.client() as client, caplog.at_level(logging.ERROR):
        answer = client.get("/v1/defect")
    document = read_problem(answer, 500, "its log says why")
    assert "secret" not in str(document)
    assert "the secret of the house" in caplog.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_database_that_fails_is_unavailable_and_named(live_server: LiveServer) -> None:
    store = live_server.app.state.opened.store
    with live_server.client() as client:
        create(client)
        with store.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE etude_trials RENAME TO elsewhere")
        answer = client.get("/v1/studies/by-hand/trials")
        read_problem(answer, 503, "etude_trials")
        assert int(answer.headers["retry-after"]) >= 1
        with store.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO etude_trials")
        assert client.get("/v1/studies/by-hand/trials").status_code == 200


@pytest.mark.postgres
def test_a_second_service_on_postgresql_stands_by_and_takes_over(postgres_url: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, database_url=postgres_url)
    with serving(settings) as leader, leader.client() as client:
        create(client, name="first", trials=1)
        with serving(settings) as second, second.client() as other:
            read_problem(other.get("/readyz"), 503, "lead")
            refused = other.post("/v1/studies", json=external_study("second"))
            read_problem(refused, 503, "lead")
            assert int(refused.headers["retry-after"]) >= 1
            assert other.get("/healthz").status_code == 200
            assert other.get("/v1/studies/first").json()["state"] == "queued"
            leader.stop()
            wait_until(lambda: other.get("/readyz").status_code == 200)
            assert train(other, 0.5, study="first") == 0
            assert other.get("/v1/studies/first").json()["state"] == "completed"


@pytest.mark.postgres
def test_a_study_runs_on_postgresql_and_the_dashboard_shows_it(postgres_url: str, tmp_path: Path) -> None:
    with serving(settings_in(tmp_path, database_url=postgres_url)) as live, live.client() as client:
        create(client, trials=2)
        train(client, 0.5)
        train(client, 0.4)
        assert client.get("/v1/studies/by-hand/leaderboard").json()["items"][0]["value"] == 0.4
        (study,) = client.get("/api/studies").json()["study_summaries"]
        shown = client.get(f"/api/studies/{study['study_id']}").json()
        assert [trial["values"] for trial in shown["trials"]] == [[0.5], [0.4]]


def test_the_last_page_of_a_full_list_ends_it(live_server: LiveServer) -> None:
    with live_server.client() as client:
        for name in ("a", "b"):
            create(client, name=name)
        page: httpx.Response = client.get("/v1/studies", params={"limit": 2})
        assert page.json()["next_cursor"] is None
