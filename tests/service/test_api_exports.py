"""The best recipe of a study, written for every target."""

from __future__ import annotations

import ast
import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from schedules import Cosine, Plateau, Recipe, Sgd
from schedules.export import MEDIA_TYPES, TARGETS, Target, export
from service.client import Client
from tests.service.by_hand import HORIZON, create, train
from tests.service.problems import only_place, read_problem
from tests.service.server import LiveServer

PATH = "/v1/studies/by-hand/best/export"
RECIPE = Recipe(optimizer=Sgd(), peak_lr=0.5, schedule=Cosine())


@pytest.fixture
def client(live_server: LiveServer) -> Iterator[httpx.Client]:
    with live_server.client() as client:
        yield client


def run(client: httpx.Client, recipe: Recipe) -> None:
    """Make a recipe the best one."""
    create(client, trials=1)
    answer = client.post("/v1/studies/by-hand/trials", json={"recipe": recipe.model_dump(mode="json")})
    assert answer.status_code == 201, answer.text
    train(client, 0.25)


def test_a_study_without_a_completed_trial_has_nothing_to_export(client: httpx.Client) -> None:
    create(client, trials=1)
    read_problem(client.get(PATH), 404, "no completed trial")


def test_a_target_that_cannot_hold_the_recipe_is_refused_at_its_place(client: httpx.Client) -> None:
    run(client, RECIPE.model_copy(update={"schedule": Plateau()}))
    problem = read_problem(client.get(PATH, params={"to": "csv"}), 422, "depends on the metric of a run")
    assert only_place(problem).endswith("to")


@pytest.mark.parametrize("target", TARGETS)
def test_the_best_recipe_is_written_for_every_target(
    client: httpx.Client, live_server: LiveServer, target: Target
) -> None:
    run(client, RECIPE)
    answer = client.get(PATH, params={"to": target})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(MEDIA_TYPES[target])
    per_epoch: int = client.get("/v1/studies/by-hand").json()["plan"]["updates_per_epoch"]
    assert answer.text == export(RECIPE, HORIZON, target, updates_per_epoch=per_epoch)
    with Client(live_server.url) as typed:
        assert typed.export_best("by-hand", target) == answer.text


def test_without_a_target_it_is_code_for_torch(client: httpx.Client) -> None:
    run(client, RECIPE)
    assert set(_imports(client.get(PATH).text)) == {"torch"}


def _imports(code: str) -> list[str]:
    return [alias.name for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import) for alias in node.names]


def test_the_json_reads_back_as_the_recipe(client: httpx.Client) -> None:
    run(client, RECIPE)
    document: dict[str, Any] = json.loads(client.get(PATH, params={"to": "json"}).text)
    assert Recipe.model_validate(document["recipe"]) == RECIPE
    assert (document["digest"], document["horizon"]) == (RECIPE.digest, HORIZON)


def test_the_curve_has_one_row_for_each_update(client: httpx.Client) -> None:
    run(client, RECIPE)
    header, *rows = csv.reader(io.StringIO(client.get(PATH, params={"to": "csv"}).text))
    assert header == ["update [updates made]", "epoch [epochs passed]", "learning rate [1 per update]"]
    assert [float(row[2]) for row in rows] == [RECIPE.rate(t, HORIZON) for t in range(HORIZON)]
