"""The mounted optuna-dashboard: what its pages ask for works, and nothing can be written through it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.service.by_hand import claim, create, point, report, train
from tests.service.problems import read_problem
from tests.service.server import LiveServer

WRITES = [
    ("POST", "/api/studies"),
    ("DELETE", "/api/studies/{id}"),
    ("POST", "/api/studies/{id}/rename"),
    ("PUT", "/api/studies/{id}/note"),
    ("PUT", "/api/studies/{id}/1/note"),
    ("POST", "/api/trials/1/tell"),
    ("POST", "/api/trials/1/user-attrs"),
    ("POST", "/api/artifacts/{id}"),
    ("DELETE", "/api/artifacts/{id}/1"),
    ("POST", "/api/incompatible-rdb-schema"),
    ("POST", "/api/llm/generate_trial_filtering_query"),
    ("PATCH", "/dashboard/"),
    ("POST", "/csv/{id}"),
    ("OPTIONS", "/api/studies"),
    ("POST", "/favicon.ico"),
]


@pytest.fixture
def client(live_server: LiveServer) -> Iterator[httpx.Client]:
    with live_server.client() as client:
        yield client


def dashboard_id(client: httpx.Client, name: str = "default/by-hand") -> int:
    studies = client.get("/api/studies").json()["study_summaries"]
    return int(next(study["study_id"] for study in studies if study["study_name"] == name))


def stored(client: httpx.Client, number: int) -> dict[str, Any]:
    """What the database holds of a study, as the dashboard tells it; its lists of parameters have no order."""
    study = client.get(f"/api/studies/{number}").json()
    return {key: value for key, value in study.items() if not key.endswith("search_space")}


@pytest.mark.parametrize("method, path", WRITES)
def test_nothing_is_written_through_the_dashboard(client: httpx.Client, method: str, path: str) -> None:
    create(client, trials=1)
    train(client, 0.5)
    number = dashboard_id(client)
    before = stored(client, number)
    answer = client.request(method, path.format(id=number), json={"state": "Complete", "values": [-1e9], "body": "x"})
    read_problem(answer, 405, "read only")
    assert answer.headers["allow"] == "GET, HEAD"
    assert stored(client, number) == before


@pytest.mark.parametrize(
    "path", ["/", "/dashboard", "/dashboard/", "/dashboard/studies/1", "/dashboard/studies/1/trials"]
)
def test_every_page_of_the_dashboard_is_served(client: httpx.Client, path: str) -> None:
    answer = client.get(path, follow_redirects=True)
    assert answer.status_code == 200
    assert "/static/bundle.js" in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("encoding", ["identity", "gzip", None])
@pytest.mark.parametrize("path", ["/static/bundle.js", "/favicon.ico"])
def test_its_files_are_served_whatever_the_client_accepts(
    client: httpx.Client, path: str, encoding: str | None
) -> None:
    request = client.build_request("GET", path)
    del request.headers["Accept-Encoding"]
    if encoding is not None:
        request.headers["Accept-Encoding"] = encoding
    answer = client.send(request)
    assert answer.status_code == 200
    assert answer.content


def test_a_study_shows_its_trials_and_their_learning_curves(client: httpx.Client) -> None:
    create(client, trials=3)
    train(client, 0.5)
    (assignment,) = claim(client)
    report(client, assignment["fence"], point(5, 0.9), point(10, None))
    number = dashboard_id(client)
    study = client.get(f"/api/studies/{number}").json()
    done, running = study["trials"]
    assert (done["state"], done["values"]) == ("Complete", [0.5])
    assert [(one["step"], one["value"]) for one in done["intermediate_values"]] == [(10, 1.0), (20, 0.5)]
    assert running["state"] == "Running"
    assert "peak_lr" in {attribute["key"] for attribute in done["user_attrs"]}
    assert client.get(f"/api/studies/{number}/param_importances").status_code == 200
    assert client.get(f"/csv/{number}").status_code == 200


def test_a_study_with_the_id_of_a_deleted_one_is_not_shown_as_that_one(client: httpx.Client) -> None:
    create(client, trials=2)
    train(client, 0.5)
    train(client, 0.25)
    number = dashboard_id(client)
    assert len(client.get(f"/api/studies/{number}").json()["trials"]) == 2
    client.delete("/v1/studies/by-hand")
    create(client, name="next", trials=1)
    again = dashboard_id(client, "default/next")
    assert again == number, "the database gave the id again, which is what this test is about"
    assert client.get(f"/api/studies/{again}").json()["trials"] == []


def test_a_study_that_is_not_there_is_not_found(client: httpx.Client) -> None:
    assert client.get("/api/studies/4711").status_code == 404


def test_our_own_errors_stay_ours_beside_the_dashboard(client: httpx.Client) -> None:
    read_problem(client.get("/v1/nothing"), 404, "nothing at /v1/nothing")
