"""Studies and trials over HTTP, trained by hand."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import httpx
import pytest

from service.routes.examples import RECIPE
from tests.service.by_hand import (
    EVALUATIONS,
    HORIZON,
    as_object,
    claim,
    create,
    external_study,
    finish,
    point,
    report,
    train,
)
from tests.service.problems import read_problem
from tests.service.server import LiveServer, serving


@pytest.fixture
def client(live_server: LiveServer) -> Iterator[httpx.Client]:
    with live_server.client() as client:
        yield client


def test_a_study_is_created_where_its_location_says(client: httpx.Client) -> None:
    answer = client.post("/v1/studies", json=external_study("first"))
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/studies/first"
    assert client.get(answer.headers["location"]).json() == answer.json()
    study = as_object(answer)
    assert study["state"] == "queued"
    assert study["plan"]["horizon"] == HORIZON
    assert study["counts"] == dict.fromkeys(study["counts"], 0)
    assert study["progress"] == {"finished": 0, "budget": 3, "fraction": 0.0, "seconds": None, "seconds_left": None}
    assert study["best"] is None


def test_a_study_without_a_name_is_given_one(client: httpx.Client) -> None:
    request = external_study() | {"name": None}
    names = {as_object(client.post("/v1/studies", json=request))["name"] for _ in range(3)}
    assert len(names) == 3


def test_projects_keep_their_studies_apart(client: httpx.Client) -> None:
    create(client, name="same")
    answer = client.post("/v1/studies", params={"project": "vision"}, json=external_study("same"))
    assert answer.headers["location"] == "/v1/studies/same?project=vision"
    assert client.get(answer.headers["location"]).json()["project"] == "vision"
    assert [study["project"] for study in client.get("/v1/studies").json()["items"]] == ["default"]


def test_a_study_runs_from_the_first_claim_to_the_last_finish(client: httpx.Client) -> None:
    create(client, trials=3)
    losses = [0.5, 0.2, 0.4]
    for loss in losses:
        train(client, loss)
    study = as_object(client.get("/v1/studies/by-hand"))
    assert study["state"] == "completed"
    assert study["counts"]["completed"] == 3
    assert study["progress"]["fraction"] == 1.0
    assert study["progress"]["seconds_left"] == 0.0
    assert study["best"]["value"] == 0.2
    assert claim(client) == [], "the budget is used up"


def test_a_claim_says_all_that_a_program_needs(client: httpx.Client) -> None:
    create(client, trials=1)
    (assignment,) = claim(client)
    assert assignment["fence"].keys() == {"project", "study", "trial", "attempt", "lease"}
    assert assignment["horizon"] == HORIZON
    assert assignment["evaluate_every"] == HORIZON // EVALUATIONS
    assert assignment["recipe"]["schedule"]
    assert assignment["lease_seconds"] == 60.0


def test_a_report_is_seen_while_the_trial_runs(client: httpx.Client) -> None:
    create(client, trials=1)
    (assignment,) = claim(client)
    verdict = report(client, assignment["fence"], point(5, 0.9), point(10, None))
    assert verdict["action"] == "continue"
    trial = client.get("/v1/studies/by-hand/trials/0").json()
    assert (trial["state"], trial["update"], trial["metrics"]) == ("running", 10, {"val_loss": None})
    assert trial["worker"] == "hand"
    curve = client.get("/v1/studies/by-hand/trials/0/curve").json()
    assert [(one["update"], one["metrics"]["val_loss"]) for one in curve["points"]] == [(5, 0.9), (10, None)]


def test_a_curve_bears_the_number_of_the_attempt_that_its_points_are_of(client: httpx.Client) -> None:
    create(client, trials=1)
    (assignment,) = claim(client)
    report(client, assignment["fence"], point(5, 0.9))
    client.post("/v1/work/release", json={"fences": [assignment["fence"]]})
    claim(client)
    path = "/v1/studies/by-hand/trials/0/curve"
    newest, empty = client.get(path).json(), client.get(path, params={"attempt": 2}).json()
    assert (newest["attempt"], [one["update"] for one in newest["points"]]) == (1, [5])
    assert (empty["attempt"], empty["points"]) == (2, [])
    read_problem(client.get(path, params={"attempt": 3}), 404, "no attempt 3")


def test_a_stranger_to_the_lease_is_told_that_it_is_lost(client: httpx.Client) -> None:
    create(client, trials=1)
    (assignment,) = claim(client)
    forged = assignment["fence"] | {"lease": "made-up"}
    assert report(client, forged, point(5, 0.1))["action"] == "lost"
    assert finish(client, forged, {"kind": "completed"})["status"] == "lost"
    assert client.get("/v1/studies/by-hand/trials/0").json()["update"] == 0


def test_a_released_trial_is_claimed_again(client: httpx.Client) -> None:
    create(client, trials=1)
    (assignment,) = claim(client)
    answer = client.post("/v1/work/release", json={"fences": [assignment["fence"]]})
    assert answer.json()["receipts"][0]["status"] == "accepted"
    (again,) = claim(client, worker="other")
    assert again["fence"]["trial"] == 0
    attempts = client.get("/v1/studies/by-hand/trials/0").json()["attempts"]
    assert [attempt["ending"] for attempt in attempts] == ["released", None]


def test_a_second_outcome_is_a_conflict_and_the_first_stays(client: httpx.Client) -> None:
    create(client, trials=1)
    (assignment,) = claim(client)
    fence = assignment["fence"]
    diverged = {"kind": "diverged", "update": 3, "rate": 0.5}
    for _ in range(2):
        assert finish(client, fence, diverged)["status"] == "accepted"
    other = {"finishes": [{"fence": fence, "outcome": {"kind": "cancelled"}}]}
    read_problem(client.post("/v1/work/finish", json=other), 409)
    assert client.get("/v1/studies/by-hand/trials/0").json()["state"] == "diverged"


def test_a_loss_that_is_not_finite_is_null_in_every_answer(client: httpx.Client) -> None:
    create(client, trials=1)
    train(client, None)
    assert client.get("/v1/studies/by-hand/trials/0").json()["metrics"] == {"val_loss": None}
    curve = client.get("/v1/studies/by-hand/trials/0/curve").json()
    assert curve["points"][-1]["metrics"] == {"val_loss": None}


def test_a_task_that_raised_shows_its_sentence_and_its_traceback(client: httpx.Client) -> None:
    create(client, trials=1)
    (assignment,) = claim(client)
    log = "Traceback (most recent call last):\n  …\nKeyError: 'images'"
    finish(
        client, assignment["fence"], {"kind": "failed", "cause": "error", "message": "KeyError: 'images'", "log": log}
    )
    (row,) = client.get("/v1/studies/by-hand/trials", params={"state": "failed"}).json()["items"]
    assert "KeyError: 'images'" in row["reason"]
    assert "log" not in row
    assert client.get("/v1/studies/by-hand/trials/0").json()["log"] == log


def test_pages_hold_each_trial_once_in_order(client: httpx.Client) -> None:
    create(client, trials=7)
    for loss in range(7):
        train(client, float(loss))
    seen: list[int] = []
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {"limit": 3} | ({} if cursor is None else {"cursor": cursor})
        page = client.get("/v1/studies/by-hand/trials", params=params).json()
        seen += [trial["number"] for trial in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == list(range(7))


def test_studies_are_listed_newest_first_and_by_state(client: httpx.Client) -> None:
    for name in ("old", "new"):
        create(client, name=name)
    client.post("/v1/studies/old/pause")
    listed = client.get("/v1/studies").json()
    assert [study["name"] for study in listed["items"]] == ["new", "old"]
    page = client.get("/v1/studies", params={"limit": 1}).json()
    rest = client.get("/v1/studies", params={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert [study["name"] for study in page["items"] + rest["items"]] == ["new", "old"]
    paused = client.get("/v1/studies", params={"state": "paused"}).json()
    assert [study["name"] for study in paused["items"]] == ["old"]


def test_the_leaderboard_ranks_what_completed(client: httpx.Client) -> None:
    create(client, trials=3)
    for loss in (0.5, 0.2, 0.4):
        train(client, loss)
    board = client.get("/v1/studies/by-hand/leaderboard").json()
    assert (board["metric"], board["direction"]) == ("val_loss", "minimize")
    assert [(row["rank"], row["number"], row["value"]) for row in board["items"]] == [
        (1, 1, 0.2),
        (2, 2, 0.4),
        (3, 0, 0.5),
    ]
    assert len(client.get("/v1/studies/by-hand/leaderboard?limit=1").json()["items"]) == 1


def test_the_best_recipe_comes_as_json_and_as_a_program(client: httpx.Client) -> None:
    create(client, trials=1)
    read_problem(client.get("/v1/studies/by-hand/best"), 404, "no completed trial")
    train(client, 0.25)
    best = client.get("/v1/studies/by-hand/best").json()
    assert best["value"] == 0.25
    assert best["recipe"] == client.get("/v1/studies/by-hand/trials/0").json()["recipe"]
    checked = client.post("/v1/recipes/check", json={"recipe": best["recipe"], "horizon": best["horizon"]})
    assert checked.json()["digest"] == best["digest"]
    program = client.get("/v1/studies/by-hand/best", params={"to": "torch"})
    assert program.headers["content-type"].startswith("text/x-python")
    ast.parse(program.text)
    assert "import torch" in program.text


def test_a_recipe_of_ones_own_is_the_next_trial(client: httpx.Client) -> None:
    create(client, trials=2)
    answer = client.post("/v1/studies/by-hand/trials", json={"recipe": RECIPE})
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/studies/by-hand/trials/0"
    assert answer.json()["origin"] == "enqueued"
    (assignment,) = claim(client)
    assert assignment["fence"]["trial"] == 0
    assert assignment["recipe"]["peak_lr"] == RECIPE["peak_lr"]


def test_a_paused_study_hands_out_nothing_and_what_runs_finishes(client: httpx.Client) -> None:
    create(client, trials=2)
    (assignment,) = claim(client)
    assert client.post("/v1/studies/by-hand/pause").json()["state"] == "paused"
    assert claim(client, worker="other") == []
    assert finish(client, assignment["fence"], {"kind": "completed"}, point(HORIZON, 0.3))["status"] == "accepted"
    assert client.post("/v1/studies/by-hand/resume").json()["state"] == "running"
    assert len(claim(client, worker="other")) == 1


def test_a_cancelled_study_tells_its_workers(client: httpx.Client) -> None:
    create(client, trials=2)
    (assignment,) = claim(client)
    assert client.post("/v1/studies/by-hand/cancel").status_code == 200
    assert report(client, assignment["fence"])["action"] == "cancel"
    finish(client, assignment["fence"], {"kind": "cancelled"})
    assert client.get("/v1/studies/by-hand").json()["state"] == "cancelled"
    read_problem(client.post("/v1/studies/by-hand/resume"), 409)


def test_labels_priority_and_budget_change_and_the_rest_stays(client: httpx.Client) -> None:
    create(client, trials=1, labels={"team": "vision"})
    patch = {"priority": 7, "budget": {"seconds": 3600}}
    request = as_object(client.patch("/v1/studies/by-hand", json=patch))["request"]
    assert (request["priority"], request["labels"]) == (7, {"team": "vision"})
    assert (request["budget"]["trials"], request["budget"]["seconds"]) == (1, 3600)


def test_a_raised_budget_reopens_a_completed_study(client: httpx.Client) -> None:
    create(client, trials=1)
    train(client, 0.5)
    assert client.get("/v1/studies/by-hand").json()["state"] == "completed"
    reopened = as_object(client.patch("/v1/studies/by-hand", json={"budget": {"trials": 2}}))
    assert reopened["state"] in {"queued", "running"}
    assert train(client, 0.4) == 1


def test_a_deleted_study_is_gone(client: httpx.Client) -> None:
    create(client, trials=1)
    train(client, 0.5)
    answer = client.delete("/v1/studies/by-hand")
    assert (answer.status_code, answer.content) == (204, b"")
    read_problem(client.get("/v1/studies/by-hand"), 404)
    read_problem(client.delete("/v1/studies/by-hand"), 404)
    create(client, trials=1)


def test_a_worker_and_its_tasks_are_known_once_announced(client: httpx.Client) -> None:
    task = {"name": "my-task", "metrics": {"val_loss": "minimize"}, "updates_per_epoch": 10}
    said = {"worker": "box:0", "host": "box", "device": {"kind": "cuda", "name": "H200"}, "tasks": [task]}
    assert client.post("/v1/work/announce", json=said).status_code == 204
    (worker,) = client.get("/v1/workers").json()["items"]
    assert (worker["worker"], worker["device"]["kind"], worker["tasks"]) == ("box:0", "cuda", ["my-task"])
    tasks = {task["name"] for task in client.get("/v1/tasks").json()["items"]}
    assert tasks >= {"digits-mlp", "digits-cnn", "external", "my-task"}
    assert client.post("/v1/studies", json={"task": "my-task", "epochs": 20}).status_code == 201


def test_a_service_started_again_knows_everything(live_server: LiveServer, client: httpx.Client) -> None:
    create(client, trials=2)
    train(client, 0.5)
    (assignment,) = claim(client)
    before = client.get("/v1/studies/by-hand/trials").json()
    live_server.stop()
    with serving(live_server.settings) as again, again.client() as other:
        after = other.get("/v1/studies/by-hand/trials").json()
        assert after == before
        assert finish(other, assignment["fence"], {"kind": "completed"}, point(HORIZON, 0.4))["status"] == "accepted"
        assert other.get("/v1/studies/by-hand").json()["state"] == "completed"
