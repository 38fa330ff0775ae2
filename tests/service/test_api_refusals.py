"""What a client may get wrong, each with the place, the rule and the value, and without any change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.service.by_hand import create, external_study
from tests.service.problems import only_place, read_problem
from tests.service.server import LiveServer, serving, settings_in

LONG = "x" * 10_000


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with serving(settings_in(tmp_path_factory.mktemp("refusals"))) as live:
        with live.client() as client:
            create(client, name="there", trials=2)
        yield live


@pytest.fixture
def client(live: LiveServer) -> Iterator[httpx.Client]:
    """A client; whatever the test sends, nothing in the database changes."""
    with live.client() as client:
        before = snapshot(client)
        yield client
        assert snapshot(client) == before


def snapshot(client: httpx.Client) -> list[Any]:
    paths = ("/v1/studies?limit=1000", "/v1/studies/there/trials", "/v1/workers", "/v1/tasks")
    return [client.get(path).json() for path in paths]


def study(**others: Any) -> dict[str, Any]:
    return {"task": "digits-mlp", **others}


RANGES = {"low": 0.1, "high": 1.0}

STUDIES: dict[str, tuple[Any, str, str]] = {
    "unknown task": (study(task="digits-mpl"), "body.task", "digits-mpl"),
    "unknown family": (study(space={"families": ["cosinus"]}), "body.space.families.0", "cosinus"),
    "unknown optimizer": (study(space={"optimizers": ["adadelta"]}), "body.space.optimizers.0", "adadelta"),
    "unknown metric": (study(objective={"metric": "val_los"}), "body.objective.metric", "val_los"),
    "unknown rule": (study(acknowledge=["no-such-rule"]), "body.acknowledge.0", "no-such-rule"),
    "a rule that refuses, acknowledged": (
        study(acknowledge=["adaptive-beyond-decay", "decay-too-short"]),
        "body.acknowledge.1",
        "what the rule 'decay-too-short' finds is refused, and cannot be acknowledged",
    ),
    "another sampler's option": (study(sampler={"kind": "tpe", "steps": 3}), "body.sampler.steps", "sampler 'grid'"),
    "too many steps": (study(sampler={"kind": "grid", "steps": {"x": 99}}), "body.sampler.steps.x", "equal to 50"),
    "steps on nothing": (study(sampler={"kind": "grid", "steps": {"x": 9}}), "body.sampler.steps.x", "no recipe"),
    "a grid beyond the budget": (study(sampler={"kind": "grid", "steps": 2}), "body.sampler.steps", "800 points"),
    "unknown field": (study(trails=60), "body.trails", "Extra inputs"),
    "unknown nested field": (study(budget={"trails": 60}), "body.budget.trails", "Extra inputs"),
    "unknown kind of device": (study(devices={"kinds": ["tpu"]}), "body.devices.kinds.0", "tpu"),
    "no kind of device": (study(devices={"kinds": []}), "body.devices.kinds", "at least one kind of device"),
    "no trial on a device": (study(trials_per_device=0), "body.trials_per_device", "greater than or equal to 1"),
    "unknown option": (study(task_options={"layers": 3}), "body.task_options.layers", "layers"),
    "no task": ({"name": "nameless"}, "body.task", "required"),
    "no object": ([], "body", "dictionary|object"),
    "wrong type": (study(epochs="twenty"), "body.epochs", "integer"),
    "zero budget": (study(budget={"trials": 0}), "body.budget.trials", "greater than or equal to 1"),
    "endless budget": (study(budget={"trials": 10**9}), "body.budget.trials", "less than or equal"),
    "huge seed": (study(seed=2**32), "body.seed", "less than"),
    "long name": (study(name=LONG), "body.name", "pattern"),
    "capital name": (study(name="Digits"), "body.name", "pattern"),
    "path in a name": (study(name="../etc"), "body.name", "pattern"),
    "long task": (study(task=LONG), "body.task", "at most 63"),
    "long label": (study(labels={"team": LONG}), "body.labels.team", "at most 200"),
    "horizon too short": (
        external_study("short", task_options={"horizon": 1, "metrics": {"val_loss": "minimize"}},
                       space={"families": ["multi_factor"]}),
        "body",
        "multi_factor",
    ),
}  # fmt: skip

RANGE_FAULTS: dict[str, tuple[Any, str]] = {
    "upside down": ({"peak_lr": {"sgd": {"low": 1.0, "high": 0.01}}}, "low"),
    "huge": ({"peak_lr": {"sgd": {"low": 0.1, "high": "inf"}}}, "finite"),
    "nan": ({"peak_lr": {"sgd": {"low": "nan", "high": 1.0}}}, "finite"),
    "negative": ({"peak_lr": {"sgd": {"low": -1.0, "high": 1.0}}}, "-1|0"),
    "absent optimizer": ({"peak_lr": {"adagrad": RANGES}}, "adagrad"),
    "unknown parameter": ({"paek_lr": {"sgd": RANGES}}, "paek_lr"),
    "too warm": ({"warmup_fraction": {"low": 0.0, "high": 2.0}}, "warmup_fraction|2"),
}


@pytest.mark.parametrize("fault", STUDIES)
def test_a_wrong_study_is_refused_at_its_place(client: httpx.Client, fault: str) -> None:
    request, where, rule = STUDIES[fault]
    document = read_problem(client.post("/v1/studies", json=request), 422, rule)
    assert only_place(document).startswith(where)


@pytest.mark.parametrize("fault", RANGE_FAULTS)
def test_a_range_that_cannot_be_is_refused_at_its_place(client: httpx.Client, fault: str) -> None:
    ranges, rule = RANGE_FAULTS[fault]
    document = read_problem(client.post("/v1/studies", json=study(space={"ranges": ranges})), 422, rule)
    assert document["errors"][0]["where"].startswith("body.space")


@pytest.mark.parametrize("milestones", [[0.75, 0.5], [0.5, 0.5], [0.0, 0.5], [0.5, 1.0], [], ["NaN"]], ids=str)
def test_milestones_out_of_order_are_refused(client: httpx.Client, milestones: list[Any]) -> None:
    schedule = {"kind": "multi_factor", "milestones": milestones, "gamma": 0.1}
    document = read_problem(client.post("/v1/schedules/preview", json={"schedule": schedule, "horizon": 100}), 422)
    assert document["errors"][0]["where"].startswith("body.schedule.multi_factor.milestones")


@pytest.mark.parametrize(
    "path, body",
    [
        ("/v1/schedules/preview", {"schedule": {"kind": "plateau"}, "horizon": 0}),
        ("/v1/schedules/preview", {"schedule": {"kind": "unknown"}, "horizon": 100}),
        ("/v1/schedules/preview", {"schedule": "cosine", "horizon": 100}),
        ("/v1/schedules/preview", {"schedule": {"kind": "constant"}, "horizon": 100, "peak_lr": "inf"}),
        ("/v1/recipes/check", {"recipe": {}, "horizon": 100}),
        ("/v1/work/claim", {"worker": "w", "tasks": []}),
        ("/v1/work/claim", {"worker": LONG, "tasks": ["external"]}),
        ("/v1/work/claim", {"worker": "w\n", "tasks": ["external"]}),
        ("/v1/work/claim", {"worker": "w", "tasks": ["external"], "wait_seconds": 3600}),
        ("/v1/work/claim", {"worker": "w", "tasks": ["external"], "lanes": 0}),
        ("/v1/work/report", {"reports": []}),
        ("/v1/work/finish", {"finishes": [{"outcome": {"kind": "won"}}]}),
        ("/v1/work/announce", {"worker": "w", "tasks": [{"name": "t", "metrics": {}, "updates_per_epoch": 1}]}),
        ("/v1/studies/there/trials", {"recipe": {"peak_lr": 0.1}}),
    ],
    ids=str,
)
def test_a_wrong_body_is_refused_on_every_route(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    document = read_problem(client.post(path, json=body), 422)
    assert document["errors"]


BODIES: dict[str, tuple[bytes, str]] = {
    "a literal NaN": (b'{"task": "digits-mlp", "budget": {"target": NaN}}', "NaN is no JSON number"),
    "a literal Infinity": (b'{"task": "digits-mlp", "budget": {"target": -Infinity}}', "-Infinity is no JSON number"),
    "a number beyond a float": (b'{"task": "digits-mlp", "budget": {"target": 1e999}}', "does not fit a 64-bit float"),
    "a number of 10,000 digits": (b'{"task": "digits-mlp", "seed": ' + b"9" * 10_000 + b"}", "too many digits"),
    "10,000 brackets": (b"[" * 10_000 + b"]" * 10_000, "nested deeper than 100 levels"),
    "10,000 objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested deeper than 100 levels"),
    "no UTF-8": (b'{"task": "\xff\xfe"}', "not UTF-8"),
    "UTF-16": ('{"task": "digits-mlp"}'.encode("utf-16"), "not UTF-8"),
    "half a surrogate pair": (b'{"task": "digits-mlp", "labels": {"a": "\\ud800"}}', "surrogate"),
    "a NUL": (b'{"task": "digits-mlp", "labels": {"a": "\\u0000"}}', "NUL"),
    "a NUL in a key": (b'{"task": "digits-mlp", "labels": {"\\u0000": "a"}}', "NUL"),
    "half a document": (b'{"task": "digits-mlp"', "must be JSON"),
    "a comment": (b'{"task": "digits-mlp"} // mine', "must be JSON"),
    "nothing": (b"", "required"),
    "null": (b"null", "required|object|dictionary"),
}


@pytest.mark.parametrize("fault", BODIES)
def test_a_body_that_is_not_strict_json_is_refused(client: httpx.Client, fault: str) -> None:
    body, rule = BODIES[fault]
    answer = client.post("/v1/studies", content=body, headers={"Content-Type": "application/json"})
    assert only_place(read_problem(answer, 422, rule)) == "body"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", LONG])
def test_a_body_of_another_type_is_refused(client: httpx.Client, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = client.post("/v1/studies", content=json.dumps(study()).encode(), headers=headers)
    read_problem(answer, 415, "must be application/json")


def test_a_body_of_50_megabytes_is_refused_by_its_length(client: httpx.Client) -> None:
    body = b'{"task": "' + b"x" * 50_000_000 + b'"}'
    answer = client.post("/v1/studies", content=body, headers={"Content-Type": "application/json"})
    read_problem(answer, 413, "16777216 bytes at most")


def test_a_body_that_does_not_say_its_length_is_refused_where_it_grows_too_large(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"task": "'
        for _ in range(50):
            yield b"x" * 1_000_000

    answer = client.post("/v1/studies", content=endless(), headers={"Content-Type": "application/json"})
    read_problem(answer, 413, "16777216 bytes at most")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/nothing",
        "/v1/studies/absent",
        "/v1/studies/absent/trials",
        "/v1/studies/absent/events",
        "/v1/studies/there?project=other",
        "/v1/studies/there/trials/7",
        "/v1/studies/there/trials/7/curve",
        "/v1/studies/there/best",
        "/v1/studies/there/best/export",
        "/docs/../settings.py",
        "/openapi.yaml",
    ],
)
def test_what_is_not_there_is_not_found(client: httpx.Client, path: str) -> None:
    read_problem(client.get(path), 404)


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/studies/{LONG}",
        "/v1/studies/Not-A-Name",
        "/v1/studies/%00",
        "/v1/studies/%FF",
        "/v1/studies/there/trials/-1",
        "/v1/studies/there/trials/99999999999999999999",
        "/v1/studies/there/trials/first",
        "/v1/studies?limit=0",
        "/v1/studies?limit=1001",
        "/v1/studies?state=asleep",
        "/v1/studies?project=No%00",
        "/v1/studies?cursor=made-up",
        "/v1/studies?cursor=YWZ0ZXI6OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5",
        f"/v1/studies?cursor={LONG}",
        "/v1/studies/there/trials?state=done",
        "/v1/studies/there/trials?cursor=%F0%9F%8D%8B",
        "/v1/studies/there/leaderboard?limit=-1",
        "/v1/studies/there/best?to=keras",
        "/v1/studies/there/best/export?to=keras",
        "/v1/studies/there/trials/0/curve?attempt=0",
    ],
)
def test_a_wrong_path_or_query_is_refused_at_its_place(client: httpx.Client, path: str) -> None:
    place = only_place(read_problem(client.get(path), 422))
    assert place.startswith(("path.", "query."))


@pytest.mark.parametrize("number", ["-1", "first", "1e3", "9" * 30])
def test_a_wrong_last_event_id_is_refused(client: httpx.Client, number: str) -> None:
    answer = client.get("/v1/studies/there/events", headers={"Last-Event-ID": number})
    assert only_place(read_problem(answer, 422)) == "header.last-event-id"


@pytest.mark.parametrize("method, path", [("PUT", "/v1/studies"), ("POST", "/healthz"), ("DELETE", "/v1/work/claim")])
def test_a_method_that_a_path_does_not_take_is_refused(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    read_problem(answer, 405, f"does not take {method}")
    assert answer.headers["allow"]


def test_a_refused_method_names_those_of_every_route_at_the_path(client: httpx.Client) -> None:
    answer = client.put("/v1/studies/there")
    read_problem(answer, 405, "takes .*GET.*PATCH")
    assert {"GET", "PATCH"} <= set(answer.headers["allow"].split(", "))


def test_a_name_already_taken_is_a_conflict_at_its_place(client: httpx.Client) -> None:
    document = read_problem(client.post("/v1/studies", json=external_study("there")), 409, "'there'")
    assert only_place(document) == "body.name"
    assert document["errors"][0]["value"] == "there"


def test_a_recipe_too_long_for_its_study_is_refused(client: httpx.Client) -> None:
    recipe = {
        "optimizer": {"kind": "sgd"},
        "peak_lr": 0.1,
        "schedule": {"kind": "multi_factor", "milestones": [0.9999991, 0.9999992, 0.9999993], "gamma": 0.1},
    }
    answer = client.post("/v1/studies/there/trials", json={"recipe": recipe})
    assert only_place(read_problem(answer, 422, "would act as one")) == "body.recipe.schedule"


@pytest.mark.parametrize(
    "patch, where",
    [
        ({"priority": 5000}, "body.priority"),
        ({"budget": {"trials": 0}}, "body.budget.trials"),
        ({"budget": {"trails": 9}}, "body.budget.trails"),
        ({"budget": {"seconds": -1}}, "body.budget.seconds"),
        ({"task": "digits-cnn"}, "body.task"),
        ({"labels": {"a": 1}}, "body.labels.a"),
        ({"acknowledge": ["run-too-short"]}, "body.acknowledge.0"),
    ],
    ids=str,
)
def test_a_wrong_change_of_a_study_is_refused(client: httpx.Client, patch: dict[str, Any], where: str) -> None:
    assert only_place(read_problem(client.patch("/v1/studies/there", json=patch), 422)) == where


def test_many_faults_are_told_shortly(client: httpx.Client) -> None:
    request = study(labels={f"{LONG}{number}": LONG for number in range(40)})
    document = read_problem(client.post("/v1/studies", json=request), 422, "and .* more")
    assert len(document["errors"]) == 20


def test_a_value_that_was_found_is_shown_shortened(client: httpx.Client) -> None:
    document = read_problem(client.post("/v1/studies", json=study(name=LONG)), 422)
    value = document["errors"][0]["value"]
    assert value.startswith("xxx")
    assert value.endswith("(10000 characters)")
