"""What the rules found in a study: stored with it, shown with it, acknowledged by its owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from schedules import RULES
from search.presets import PRESETS
from tests.service.by_hand import as_object, external_study
from tests.service.problems import only_place, read_problem
from tests.service.server import LiveServer, serving

DOUBTFUL: dict[str, Any] = {
    "task_options": {"horizon": 200},
    "space": {"optimizers": ["adam"], "families": ["restarts"]},
    "pruner": {"kind": "median"},
}


@pytest.fixture
def client(live_server: LiveServer) -> Iterator[httpx.Client]:
    with live_server.client() as client:
        yield client


def post(client: httpx.Client, name: str = "doubtful", **others: Any) -> dict[str, Any]:
    answer = client.post("/v1/studies", json=external_study(name, **(DOUBTFUL | others)))
    assert answer.status_code == 201, answer.text
    return as_object(answer)


def acknowledged(study: dict[str, Any]) -> dict[str, bool]:
    return {finding["id"]: finding["acknowledged"] for finding in study["findings"]}


def test_an_enqueued_recipe_that_a_rule_refuses_is_refused_at_its_place(client: httpx.Client) -> None:
    post(client)
    recipe = {"optimizer": {"kind": "schedule_free_sgd"}, "peak_lr": 1.0, "schedule": {"kind": "linear"}}
    answer = client.post("/v1/studies/doubtful/trials", json={"recipe": recipe})
    assert only_place(read_problem(answer, 422, "takes a constant schedule")) == "body.recipe.schedule"


def test_a_study_shows_what_it_was_accepted_with(client: httpx.Client) -> None:
    study = post(client)
    levels = {finding["id"]: finding["level"] for finding in study["findings"]}
    assert levels == {
        "restarts-with-pruner": "warn",
        "adam-l2-with-restarts": "warn",
        "adaptive-beyond-decay": "note",
    }
    for finding in study["findings"]:
        assert finding["plans"] == ["adam+restarts"]
        assert finding["citation"] == RULES[finding["id"]].citation
        assert finding["acknowledged"] is False
    assert as_object(client.get("/v1/studies/doubtful"))["findings"] == study["findings"]


def test_findings_outlive_the_service(live_server: LiveServer) -> None:
    with live_server.client() as client:
        study = post(client)
    live_server.stop()
    with serving(live_server.settings) as again, again.client() as client:
        assert as_object(client.get("/v1/studies/doubtful"))["findings"] == study["findings"]


def test_what_the_request_acknowledges_is_shown_as_such(client: httpx.Client) -> None:
    study = post(client, acknowledge=["adam-l2-with-restarts"])
    assert acknowledged(study) == {
        "restarts-with-pruner": False,
        "adam-l2-with-restarts": True,
        "adaptive-beyond-decay": False,
    }


def test_a_warning_can_be_acknowledged_later(client: httpx.Client) -> None:
    post(client)
    patch = {"acknowledge": ["adam-l2-with-restarts", "restarts-with-pruner"]}
    changed = as_object(client.patch("/v1/studies/doubtful", json=patch))
    assert [rule for rule, known in acknowledged(changed).items() if known] == patch["acknowledge"]
    assert changed["request"]["acknowledge"] == patch["acknowledge"]
    other = as_object(client.patch("/v1/studies/doubtful", json={"priority": 3}))
    assert acknowledged(other) == acknowledged(changed)


def test_the_presets_can_be_posted_as_they_are_listed(client: httpx.Client) -> None:
    listed = as_object(client.get("/v1/presets"))
    assert [preset["name"] for preset in listed["items"]] == list(PRESETS)
    for preset in listed["items"]:
        answer = client.post("/v1/studies", json=preset["request"])
        assert answer.status_code == 201, answer.text
        assert all(acknowledged(as_object(answer)).values())
