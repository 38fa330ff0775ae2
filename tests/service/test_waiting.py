"""A study that no worker can begin says so, and why."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from service.waiting import LATELY, why_it_waits
from tests.service.server import LiveServer

SPACE = {"optimizers": ["sgd"], "families": ["constant"]}
LACKS = "task fashion-mnist-lenet lacks files that it reads; no folder of /srv/images holds: test labels (t10k)"


@pytest.fixture
def client(live_server: LiveServer) -> Any:
    with live_server.client() as client:
        yield client


def reason(client: httpx.Client, name: str) -> str:
    answer = client.get(f"/v1/studies/{name}").json()
    assert answer["state"] == "queued"
    return str(answer["reason"])


def announce(client: httpx.Client, worker: str, tasks: list[str], left_out: dict[str, str] | None = None) -> None:
    known = {info["name"]: info for info in client.get("/v1/tasks").json()["items"]}
    said = {"worker": worker, "tasks": [known[name] for name in tasks], "left_out": left_out or {}}
    assert client.post("/v1/work/announce", json=said).status_code == 204


def post(client: httpx.Client, task: str) -> Any:
    answer = client.post("/v1/studies", json={"name": "waits", "task": task, "space": SPACE})
    assert answer.status_code == 201
    return answer.json()


def test_a_study_without_any_worker_says_so(client: httpx.Client) -> None:
    assert post(client, "fashion-mnist-lenet")["reason"] == "it waits for a worker: none has been heard of lately"


def test_a_study_whose_task_every_worker_leaves_out_tells_why(client: httpx.Client) -> None:
    announce(client, "ada", ["digits-mlp"])
    announce(client, "box", ["digits-mlp", "digits-cnn"], {"fashion-mnist-lenet": LACKS})
    post(client, "fashion-mnist-lenet")
    assert reason(client, "waits") == (
        "it waits for a worker that can train fashion-mnist-lenet: none of the 2 heard of lately can; "
        f"box leaves it out: {LACKS}"
    )


def test_a_study_that_a_worker_can_train_says_nothing(client: httpx.Client) -> None:
    announce(client, "ada", ["digits-mlp"])
    announce(client, "box", ["fashion-mnist-lenet"])
    assert post(client, "fashion-mnist-lenet")["reason"] == ""


def test_a_worker_that_has_been_silent_for_long_does_not_count(client: httpx.Client, live_server: LiveServer) -> None:
    announce(client, "box", ["fashion-mnist-lenet"])
    post(client, "fashion-mnist-lenet")
    store = live_server.app.state.opened.store
    study, workers = store.find_study("default", "waits"), store.workers()
    seen_at = workers[0].seen_at
    assert why_it_waits(study, workers, seen_at + LATELY) == ""
    assert "none has been heard of lately" in why_it_waits(study, workers, seen_at + 1.01 * LATELY)


def test_an_external_study_waits_for_nobody_in_particular(client: httpx.Client) -> None:
    body = {"name": "waits", "task": "external", "task_options": {"horizon": 100}, "space": SPACE}
    assert client.post("/v1/studies", json=body).json()["reason"] == ""
