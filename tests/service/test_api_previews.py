"""Many schedules in one preview, as points and as pictures, by ``Accept``."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from schedules import Cosine, Recipe
from service.client import Client
from service.routes.accept import preferred
from service.routes.examples import RECIPE
from tests.schedules.pictures import elements, names, texts
from tests.service.problems import only_place, read_problem
from tests.service.server import LiveServer, serving, settings_in

PATH = "/v1/schedules/preview"
JSON, SVG, PNG = "application/json", "image/svg+xml", "image/png"
COSINE, LINEAR = {"schedule": {"kind": "cosine"}}, {"schedule": {"kind": "linear"}, "label": "a line"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with serving(settings_in(tmp_path_factory.mktemp("previews"))) as live:
        yield live


@pytest.fixture
def client(live: LiveServer) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


def picture(client: httpx.Client, kind: str, **body: Any) -> httpx.Response:
    answer = client.post(PATH, json=body, headers={"Accept": kind})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["vary"] == "Accept"
    return answer


@pytest.mark.parametrize(
    "body, where, rule",
    [
        ({}, "body", "one of them is needed, got none"),
        ({**COSINE, "recipe": RECIPE}, "body", "got schedule and recipe"),
        ({**COSINE, "schedules": [COSINE]}, "body", "got schedule and schedules"),
        ({"schedules": []}, "body.schedules", "from 1 to 20 curves, got 0"),
        ({"schedules": [COSINE] * 21}, "body.schedules", "at most 20 items"),
        ({"schedules": [COSINE, {"label": "nothing"}]}, "body.schedules.1", "a schedule or a recipe"),
        ({"schedules": [{**COSINE, "label": "x" * 201}]}, "body.schedules.0.label", "at most 200 characters"),
        ({"schedules": [{**COSINE, "peak_lr": 0.1}, LINEAR]}, "body.schedules", "'a line' has none"),
        (
            {"schedules": [COSINE, {"schedule": {"kind": "multi_factor"}}], "horizon": 2},
            "body.schedules.1",
            "would never",
        ),
        ({**COSINE, "horizon": 0}, "body.horizon", "greater than or equal to 1"),
        ({**COSINE, "horizon": 1_000_000_001}, "body.horizon", "less than or equal to 1000000000"),
        ({**COSINE, "updates_per_epoch": 0}, "body.updates_per_epoch", "greater than or equal to 1"),
        ({**COSINE, "rate_axis": "square"}, "body.rate_axis", "'linear' or 'log'"),
        ({**COSINE, "theme": "sepia"}, "body.theme", "'auto', 'light' or 'dark'"),
        ({**COSINE, "zoom": 4.5}, "body.zoom", "less than or equal to 4"),
        ({**COSINE, "limit": 1}, "body.limit", "greater than or equal to 2"),
    ],
)
@pytest.mark.parametrize("kind", [JSON, SVG, PNG])
def test_what_cannot_be_drawn_is_refused_in_every_form(
    client: httpx.Client, body: dict[str, Any], where: str, rule: str, kind: str
) -> None:
    answer = client.post(PATH, json=body, headers={"Accept": kind})
    assert only_place(read_problem(answer, 422, rule)) == where


def test_a_recipe_whose_parts_do_not_go_together_is_refused(client: httpx.Client) -> None:
    momentum = {"low": 0.5, "curve": {"kind": "linear"}}
    recipe = {"optimizer": {"kind": "adagrad"}, "peak_lr": 0.1, "schedule": {"kind": "linear"}, "momentum": momentum}
    read_problem(client.post(PATH, json={"recipe": recipe}), 422, "momentum above 0")


@pytest.mark.parametrize(
    "accept, kind",
    [
        ("", JSON),
        ("*/*", JSON),
        ("image/*", SVG),
        ("image/png", PNG),
        ("IMAGE/PNG ; q=0.5", PNG),
        ("image/png, image/svg+xml", PNG),
        ("image/svg+xml, image/png", SVG),
        ("image/svg+xml;q=0.5, image/png;q=0.9", PNG),
        ("image/*;q=0.9, application/json;q=1.0", JSON),
        ("image/*, image/svg+xml;q=0", PNG),
        ("application/json;q=0, */*;q=0.1", SVG),
        ("image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8", PNG),
        ("text/html", JSON),
        ("image/png;q=nonsense", PNG),
        ("[a-z]*/*, ?mage/png, */png", JSON),
    ],
)
def test_what_is_wanted_most_is_sent(accept: str, kind: str) -> None:
    assert preferred(accept, (JSON, SVG, PNG)) == kind


def test_many_schedules_are_answered_in_the_order_of_the_request(client: httpx.Client) -> None:
    body = {"schedules": [LINEAR, {**COSINE, "peak_lr": 0.5}], "horizon": 10, "peak_lr": 0.25}
    answer = picture(client, JSON, **body).json()
    first, second = answer["schedules"]
    assert (answer["horizon"], first["label"], second["label"]) == (10, "a line", "cosine")
    assert (first["peak_lr"], second["peak_lr"]) == (0.25, 0.5)
    for point in second["points"]:
        assert point["multiplier"] == Cosine()(point["update"], 10)
        assert point["rate"] == 0.5 * point["multiplier"]


def test_a_recipe_is_drawn_at_its_own_rate(client: httpx.Client) -> None:
    recipe = Recipe.model_validate(RECIPE)
    drawn = picture(client, JSON, recipe=RECIPE, horizon=100).json()
    assert [point["rate"] for point in drawn["points"]] == [recipe.rate(t, 100) for t in range(100)]
    assert drawn["summary"] == recipe.summary()
    assert picture(client, JSON, recipe=RECIPE, horizon=100, peak_lr=0.7).json()["peak_lr"] == 0.7


def test_what_happens_in_a_run_is_told_with_the_points(client: httpx.Client) -> None:
    schedule = {"kind": "warmup", "fraction": 0.1, "then": {"kind": "cyclic", "rise_fraction": 0.25}}
    drawn = picture(client, JSON, schedule=schedule, horizon=100).json()
    assert drawn["marks"] == [
        {"update": 10, "kind": "warmup", "meaning": "warm-up ends"},
        {"update": 55, "kind": "cycle", "meaning": "cycle begins"},
    ]


def test_many_schedules_are_drawn_into_one_picture(client: httpx.Client) -> None:
    body = {"schedules": [COSINE, LINEAR], "title": "two", "rate_axis": "log", "updates_per_epoch": 50}
    drawn = picture(client, SVG, **body).text
    assert names(drawn) == ["cosine", "a line"]
    assert {"two", "epochs of 50 updates", "share of the peak rate, logarithmic"} <= {*texts(drawn)}


def test_a_label_is_never_markup(client: httpx.Client) -> None:
    label = '"><script>alert(1)</script><image href="http://example.org/x"/>'
    drawn = picture(client, SVG, schedules=[{**COSINE, "label": label}, LINEAR], title=label).text
    assert elements(drawn) == {"svg", "title", "style", "rect", "path", "text"}
    assert names(drawn)[0] == label


@pytest.mark.parametrize("zoom", [1.0, 2.0])
def test_a_png_has_the_size_that_is_asked_for(client: httpx.Client, zoom: float) -> None:
    image = picture(client, PNG, schedules=[COSINE, LINEAR], zoom=zoom, theme="dark").content
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">I", image[16:20]) == (760 * zoom,)


def test_the_client_draws_in_every_form(live: LiveServer) -> None:
    with Client(live.url) as client:
        assert client.preview(Cosine(), horizon=10).points[0].rate == 1.0
        assert client.preview_svg(Cosine(), horizon=10).startswith("<svg")
        assert client.preview_png(Cosine(), horizon=10)[1:4] == b"PNG"
