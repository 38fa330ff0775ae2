"""Pruners and limits of the budget in the API: what is refused, and what a study and its trials say of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.service.by_hand import as_object, claim, create, finish, point, report, train
from tests.service.problems import only_place, read_problem
from tests.service.server import LiveServer


@pytest.fixture
def client(live_server: LiveServer) -> Iterator[httpx.Client]:
    with live_server.client() as client:
        yield client


def study(**others: Any) -> dict[str, Any]:
    return {"task": "digits-mlp", **others}


STUDIES: dict[str, tuple[Any, str, str]] = {
    "patience without the pruner": (study(pruner={"kind": "halving", "patience": 3}), "body.pruner.patience", "has no"),
    "unknown pruner": (study(pruner={"kind": "shears"}), "body.pruner.kind", "hyperband"),
    "rungs out of order": (study(pruner={"kind": "median", "rungs": [0.5, 0.2]}), "body.pruner.rungs.1", "must rise"),
    "no patience": (study(pruner={"kind": "patient", "patience": 0}), "body.pruner.patience", "greater than or equal"),
    "endless patience": (study(pruner={"kind": "patient", "patience": 99}), "body.pruner.patience", "99 of them"),
    "endless stall": (study(stall_seconds=1e9), "body.stall_seconds", "at most 604800 s"),
    "no trials without improvement": (
        study(budget={"no_improvement_trials": 0}), "body.budget.no_improvement_trials", "greater than or equal to 1"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", STUDIES)
def test_a_wrong_choice_is_refused_at_its_place(client: httpx.Client, fault: str) -> None:
    request, where, rule = STUDIES[fault]
    document = read_problem(client.post("/v1/studies", json=request), 422, rule)
    assert only_place(document) == where
    assert client.get("/v1/studies").json()["items"] == []


def test_a_study_says_which_limit_of_its_budget_ended_it(client: httpx.Client) -> None:
    create(client, trials=9)
    for loss in (0.5, 0.6):
        train(client, loss)
    assert client.get("/v1/studies/by-hand").json()["stopped_by"] is None
    patch = {"budget": {"no_improvement_trials": 1}}
    ended = as_object(client.patch("/v1/studies/by-hand", json=patch))
    assert (ended["state"], ended["stopped_by"]) == ("completed", "no_improvement")
    assert ended["reason"] == "trial 0 brought 0.5, and 1 trial since no better value"
    reopened = as_object(client.patch("/v1/studies/by-hand", json={"budget": {"no_improvement_trials": None}}))
    assert (reopened["state"], reopened["stopped_by"], reopened["reason"]) == ("running", None, "")


def test_a_trial_of_several_runs_counts_its_updates_over_all_of_them(client: httpx.Client) -> None:
    create(client, trials=1, pruner={"kind": "median", "rungs": [0.5], "rescale": True})
    (assignment,) = claim(client)
    assert (assignment["runs"], assignment["horizon"], assignment["report_points"]) == ([10, 20], 20, [10])
    report(client, assignment["fence"], point(10, 0.4), point(25, 0.5))
    trial = client.get("/v1/studies/by-hand/trials/0").json()
    assert (trial["update"], trial["total_updates"], trial["horizon"], trial["best"]) == (25, 30, 20, 0.5)
    finish(client, assignment["fence"], {"kind": "completed"}, point(30, 0.3))
    assert client.get("/v1/studies/by-hand/best").json()["value"] == 0.3
