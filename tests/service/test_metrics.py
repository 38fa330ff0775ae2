"""Figures for Prometheus: whose key opens them, what they say, and how little a client can put into them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from search.protocol import Failed
from service.ensemble import Ensemble
from service.metrics import Metrics
from service.sight import Sight
from service.store import open_store
from tests.databases import DATABASES
from tests.search.playing import LEASE_SECONDS, Clock
from tests.service.by_hand import HORIZON, claim, create, finish, point, report, train
from tests.service.playing import a_request, an_ensemble, claim_one, the_curve
from tests.service.playing import finish as finish_one
from tests.service.playing import report as report_one
from tests.service.problems import read_problem
from tests.service.server import LiveServer, serving, settings_in

KEY = "a-key-of-the-administrator"
WORKER_KEY = "a-key-of-the-local-workers"
COMMON = ("process_", "python_")


@pytest.fixture
def client(live_server: LiveServer) -> Iterator[httpx.Client]:
    with live_server.client() as client:
        yield client


def figures(client: httpx.Client) -> dict[str, float]:
    """Every sample as it is written: name, labels and value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def read(text: str) -> dict[str, float]:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        f"{each.name}{{{','.join(f'{name}={value}' for name, value in sorted(each.labels.items()))}}}": each.value
        for each in samples
    }


def of_watch(metrics: Metrics) -> dict[str, float]:
    return read(metrics.written("")[0].decode())


def test_figures_are_shut_to_the_local_workers_key(tmp_path: Path) -> None:
    locked = serving(settings_in(tmp_path, api_key=KEY, worker_key=WORKER_KEY))
    with locked as live, live.client() as nobody, live.client(key=WORKER_KEY) as worker, live.client(key=KEY) as admin:
        read_problem(nobody.get("/metrics"), 401, "needs a key")
        read_problem(worker.get("/metrics"), 403, "administrator's key only")
        assert admin.get("/metrics").status_code == 200


@pytest.mark.parametrize("path", ["/nowhere", "/v1/studies/none-such/trials", "/static/none-such.js"])
def test_a_made_up_path_makes_no_series_of_its_own(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404
    assert not [name for name in figures(client) if path in name or "none-such" in name]


def test_requests_are_counted_by_route_and_class_of_status(client: httpx.Client) -> None:
    for path in ("/v1/studies/one", "/v1/studies/two", "/v1/studies", "/nowhere", "/dashboard/"):
        client.get(path)
    found = figures(client)
    counted = {name: value for name, value in found.items() if name.startswith("etude_http_requests_total")}
    assert counted == {
        "etude_http_requests_total{route=/healthz,status=2xx}": 1,
        "etude_http_requests_total{route=/v1/studies/{name},status=4xx}": 2,
        "etude_http_requests_total{route=/v1/studies,status=2xx}": 1,
        "etude_http_requests_total{route=none,status=4xx}": 1,
        "etude_http_requests_total{route=/dashboard,status=2xx}": 1,
    }


def test_a_request_refused_at_the_door_is_counted(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path, api_key=KEY)) as live, live.client() as nobody, live.client(key=KEY) as client:
        nobody.get("/v1/studies")
        assert figures(client)["etude_http_requests_total{route=none,status=4xx}"] == 1


def test_a_running_study_is_seen_with_its_trials_and_its_queue(client: httpx.Client) -> None:
    create(client, trials=4)
    train(client, 0.5)
    claim(client)
    found = figures(client)
    where = "project=default"
    assert found[f"etude_trials{{{where},state=completed,study=by-hand}}"] == 1
    assert found[f"etude_trials{{{where},state=running,study=by-hand}}"] == 1
    assert found[f"etude_queue_trials{{{where},study=by-hand}}"] == 2
    assert found["etude_studies{state=running}"] == 1
    assert found["etude_leader{}"] == 1


def test_a_trial_that_waits_to_be_tried_again_is_in_the_queue(client: httpx.Client) -> None:
    create(client, trials=1)
    (given,) = claim(client)
    client.post("/v1/work/release", json={"fences": [given["fence"]]})
    assert figures(client)["etude_queue_trials{project=default,study=by-hand}"] == 1


def test_a_study_that_is_over_is_named_no_more(client: httpx.Client) -> None:
    create(client, trials=1)
    train(client, 0.5)
    found = figures(client)
    assert not [name for name in found if "by-hand" in name]
    assert found["etude_studies{state=completed}"] == 1


def test_what_a_trial_costs_is_timed_and_what_it_said_is_counted(client: httpx.Client) -> None:
    create(client, trials=1)
    assert claim(client, tasks=["another"]) == []
    (given,) = claim(client)
    report(client, given["fence"], point(5, 0.9), point(10, 0.8))
    finish(client, given["fence"], {"kind": "completed"}, point(HORIZON, 0.5))
    assert claim(client) == []
    found = figures(client)
    counts = {each: found[f"etude_operation_seconds_count{{operation={each}}}"] for each in ("ask", "report", "finish")}
    assert counts == {"ask": 1, "report": 1, "finish": 1}
    assert found["etude_operation_seconds_count{operation=commit}"] == 3
    assert found["etude_points_total{}"] == 3
    assert found["etude_reports_total{answer=continue}"] == 1
    assert found["etude_attempts_ended_total{ending=completed}"] == 1


@pytest.mark.parametrize("database", DATABASES)
def test_a_lost_lease_is_counted_once(database: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("sqlite_url" if database == "sqlite" else "postgres_url")
    clock, metrics = Clock(), Metrics("1.0")
    with an_ensemble(url, clock, watch=metrics) as ensemble:
        ensemble.create_study("default", a_request())
        lost = claim_one(ensemble)
        clock.advance(LEASE_SECONDS + 1)
        ensemble.tick()
        ensemble.tick()
        assert finish_one(ensemble, lost).status == "lost"
        again = claim_one(ensemble, "bob")
        finish_one(ensemble, again, Failed(cause="error", message="it broke"))
    found = of_watch(metrics)
    assert found["etude_attempts_ended_total{ending=lost}"] == 1
    assert found["etude_attempts_ended_total{ending=failed}"] == 1
    assert found["etude_attempts_ended_total{ending=completed}"] == 0


def test_a_service_that_stands_by_says_so_and_counts_no_trial_twice(postgres_url: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, database_url=postgres_url)
    with serving(settings) as leader, serving(settings) as waiting, leader.client() as first:
        create(first)
        there = figures(first)
        with waiting.client() as second:
            here = figures(second)
    assert (there["etude_leader{}"], here["etude_leader{}"]) == (1, 0)
    assert [name for name in there if name.startswith(("etude_trials", "etude_studies"))]
    assert not [name for name in here if name.startswith(("etude_trials", "etude_studies", "etude_queue"))]


def test_the_local_workers_are_counted_once_there_are_some(live_server: LiveServer, client: httpx.Client) -> None:
    class Started:
        alive = 2
        problems = ("the worker on cpu is given up",)

    assert not [name for name in figures(client) if name.startswith("etude_local_workers")]
    live_server.app.state.local_workers = Started()
    found = figures(client)
    assert found["etude_local_workers{state=alive}"] == 2
    assert found["etude_local_workers{state=given_up}"] == 1


def test_each_application_counts_for_itself_and_nothing_enters_the_shared_registry(client: httpx.Client) -> None:
    other = Metrics("1.0")
    create(client)
    claim(client)
    assert of_watch(other)["etude_operation_seconds_count{operation=ask}"] == 0
    names = {family.name for family in prometheus_client.REGISTRY.collect()}
    assert not [name for name in names if name.startswith("etude")]


def test_every_figure_is_named_by_our_rule_and_explained_in_a_sentence(client: httpx.Client) -> None:
    create(client)
    families = list(text_string_to_metric_families(client.get("/metrics").text))
    ours = [family for family in families if not family.name.startswith(COMMON)]
    assert len(ours) >= 11
    assert [family.name for family in ours if not re.fullmatch(r"etude_[a-z]+(_[a-z]+)*", family.name)] == []
    assert [family.name for family in ours if not re.fullmatch(r"[A-Z].{10,}\.", family.documentation)] == []


def test_a_reader_that_asks_for_openmetrics_gets_it(client: httpx.Client) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize("database", DATABASES)
def test_a_worker_that_trains_is_seen_with_its_speed(database: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("sqlite_url" if database == "sqlite" else "postgres_url")
    clock, metrics = Clock(), Metrics("1.0")
    store = open_store(url, clock=clock)
    ensemble = Ensemble(store, clock, LEASE_SECONDS)
    ensemble.start()
    metrics.registry.register(Sight(ensemble, store, local_workers=lambda: None))
    ensemble.create_study("default", a_request())
    given = claim_one(ensemble, "ada")
    clock.advance(4)
    report_one(ensemble, given.fence, *the_curve(given)[:2])
    assert of_watch(metrics)["etude_worker_updates_per_second{worker=ada}"] == 5
    finish_one(ensemble, given)
    assert "etude_worker_updates_per_second{worker=ada}" not in of_watch(metrics)
    store.close()
