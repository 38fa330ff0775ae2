"""Families, previews and checks: everything a form needs before there is any study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from schedules import FAMILIES, JOINS, OPTIMIZERS, Cosine, Recipe
from search.presets import PRESETS
from service.client import Client
from service.routes.examples import RECIPE
from tests.service.problems import only_place, read_problem
from tests.service.server import LiveServer, serving, settings_in


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with serving(settings_in(tmp_path_factory.mktemp("schedules"))) as live:
        yield live


@pytest.fixture
def client(live: LiveServer) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


def preview(client: httpx.Client, schedule: dict[str, Any], **others: Any) -> dict[str, Any]:
    answer = client.post("/v1/schedules/preview", json={"schedule": schedule, **others})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_every_family_and_optimizer_is_listed_with_its_ranges(client: httpx.Client) -> None:
    listed = client.get("/v1/families").json()
    families = {family["kind"]: family for family in listed["families"]}
    optimizers = {optimizer["kind"]: optimizer for optimizer in listed["optimizers"]}
    assert set(families) == set(FAMILIES)
    assert set(optimizers) == set(OPTIMIZERS)
    assert families["cosine"]["searched"]["final_ratio"]["low"] < families["cosine"]["searched"]["final_ratio"]["high"]
    assert families["cosine"]["parameters"]["properties"]["final_ratio"]
    for optimizer in optimizers.values():
        assert optimizer["ranges"]["peak_lr"]["scale"] == "log"
        assert optimizer["description"]


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_every_family_can_be_previewed_in_points_and_as_a_picture(client: httpx.Client, kind: str) -> None:
    family = FAMILIES[kind]
    schedule = family.build({name: one.default for name, one in family.searched.items()}).model_dump(mode="json")
    drawn = preview(client, schedule, horizon=200)
    assert drawn["kind"] == kind
    assert [point["update"] for point in drawn["points"]] == list(range(200))
    assert all(0 <= point["multiplier"] <= 1 for point in drawn["points"])
    answer = client.post(
        "/v1/schedules/preview", json={"schedule": schedule, "horizon": 200}, headers={"Accept": "image/svg+xml"}
    )
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert ET.fromstring(answer.text).tag.endswith("svg")


def test_the_points_are_the_schedules_own(client: httpx.Client) -> None:
    drawn = preview(client, {"kind": "cosine", "final_ratio": 0.1}, horizon=10, peak_lr=0.5)
    schedule = Cosine(final_ratio=0.1)
    for point in drawn["points"]:
        assert point["multiplier"] == schedule(point["update"], 10)
        assert point["rate"] == 0.5 * point["multiplier"]


@pytest.mark.parametrize("horizon", [1, 3, 1_000_000_000])
def test_any_length_of_run_is_drawn_in_at_most_as_many_points_as_asked(client: httpx.Client, horizon: int) -> None:
    drawn = preview(client, RECIPE["schedule"] if horizon > 1 else {"kind": "constant"}, horizon=horizon, limit=50)
    assert 1 <= len(drawn["points"]) <= 50


@pytest.mark.parametrize(
    "accept, kind",
    [
        ("image/svg+xml", "image/svg+xml"),
        ("image/*", "image/svg+xml"),
        ("image/svg+xml;q=0.9, application/json;q=0.1", "image/svg+xml"),
        ("application/json, image/svg+xml", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
    ],
)
def test_accept_chooses_between_points_and_a_picture(client: httpx.Client, accept: str, kind: str) -> None:
    body = {"schedule": {"kind": "constant"}, "horizon": 10}
    answer = client.post("/v1/schedules/preview", json=body, headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(kind)


def test_a_recipe_is_checked_and_given_its_fingerprint(client: httpx.Client) -> None:
    answer = client.post("/v1/recipes/check", json={"recipe": RECIPE, "horizon": 740})
    recipe = Recipe.model_validate(RECIPE)
    checked = answer.json()
    assert checked["digest"] == recipe.digest
    assert checked["summary"] == recipe.summary()
    assert checked["fair_from"] == recipe.schedule.fair_from(740)
    assert Recipe.model_validate(checked["recipe"]) == recipe


def test_a_recipe_that_cannot_be_trained_is_told_so_with_all_reasons(client: httpx.Client) -> None:
    recipe = RECIPE | {"averaging": {"kind": "ema"}, "momentum": {"low": 0.95, "curve": {"kind": "constant"}}}
    checked = client.post("/v1/recipes/check", json={"recipe": recipe, "horizon": 1}).json()
    assert checked["can_be_trained"] is False
    assert checked["fair_from"] is None
    refused = {finding["id"]: finding for finding in checked["findings"]}
    assert set(refused) == {"peak-below-floor", "phases-beyond-run", "averaging-too-late"}
    assert all(finding["level"] == "refuse" for finding in refused.values())
    assert refused["peak-below-floor"]["where"] == ["momentum", "low"]
    assert "https://" in refused["peak-below-floor"]["citation"]


def test_a_check_knows_the_pruner_that_the_recipe_would_meet(client: httpx.Client) -> None:
    body = {"recipe": RECIPE | {"schedule": {"kind": "restarts"}}, "horizon": 100}
    alone, pruned = (
        client.post("/v1/recipes/check", json={**body, "pruner": pruner}).json() for pruner in ("none", "median")
    )
    assert alone["findings"] == []
    assert [finding["id"] for finding in pruned["findings"]] == ["restarts-with-pruner"]
    assert pruned["can_be_trained"] is True


def test_a_check_of_no_recipe_is_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/recipes/check", json={"recipe": RECIPE | {"peak_lr": -1.0}, "horizon": 1})
    assert only_place(read_problem(answer, 422)) == "body.recipe.peak_lr"


def test_the_client_reads_families_and_checks(live: LiveServer) -> None:
    with Client(live.url) as client:
        assert {join.kind for join in client.families().joins} == set(JOINS)
        checked = client.check_recipe(Recipe.model_validate(RECIPE), 740, pruner="median")
        assert checked.can_be_trained
        assert [preset.name for preset in client.presets()] == list(PRESETS)
