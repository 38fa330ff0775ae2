"""The API's description and its page: complete, true, and without a request off the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from search.protocol import Announcement, ClaimRequest, FinishRequest, ReportRequest
from search.study import StudyRequest
from service.routes import examples
from service.routes.docs import ASSETS
from service.schemas import CheckBody, EnqueueBody, PreviewBody
from tests.service.by_hand import as_object
from tests.service.problems import read_problem
from tests.service.server import LiveServer

PROMISED = {
    "/v1/studies": {"get", "post"},
    "/v1/studies/{name}": {"get", "patch", "delete"},
    "/v1/studies/{name}/pause": {"post"},
    "/v1/studies/{name}/resume": {"post"},
    "/v1/studies/{name}/cancel": {"post"},
    "/v1/studies/{name}/events": {"get"},
    "/v1/studies/{name}/trials": {"get", "post"},
    "/v1/studies/{name}/trials/{number}": {"get"},
    "/v1/studies/{name}/trials/{number}/curve": {"get"},
    "/v1/studies/{name}/trials/{number}/weights": {"get", "put"},
    "/v1/studies/{name}/trials/{number}/attempts": {"get"},
    "/v1/studies/{name}/trials/{number}/attempts/{attempt}/log": {"get"},
    "/v1/studies/{name}/leaderboard": {"get"},
    "/v1/studies/{name}/best": {"get"},
    "/v1/studies/{name}/best/export": {"get"},
    "/v1/presets": {"get"},
    "/v1/families": {"get"},
    "/v1/schedules/preview": {"post"},
    "/v1/recipes/check": {"post"},
    "/v1/work/announce": {"post"},
    "/v1/work/claim": {"post"},
    "/v1/work/report": {"post"},
    "/v1/work/finish": {"post"},
    "/v1/work/release": {"post"},
    "/v1/tasks": {"get"},
    "/v1/workers": {"get"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
}

SHOWN: list[tuple[type[Any], dict[str, Any]]] = [
    (StudyRequest, examples.STUDY_EXAMPLES),
    (EnqueueBody, examples.ENQUEUE_EXAMPLES),
    (CheckBody, examples.CHECK_EXAMPLES),
    (PreviewBody, examples.PREVIEW_EXAMPLES),
    (Announcement, examples.ANNOUNCE_EXAMPLES),
    (ClaimRequest, examples.CLAIM_EXAMPLES),
    (ReportRequest, examples.REPORT_EXAMPLES),
    (FinishRequest, examples.FINISH_EXAMPLES),
]


class Links(HTMLParser):
    """Every address that a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.has_inline_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [value for name in ("src", "href") if (value := given.get(name)) is not None]
        self.has_inline_script |= tag == "script" and "src" not in given


@pytest.fixture
def client(live_server: LiveServer) -> Iterator[httpx.Client]:
    with live_server.client() as client:
        yield client


@pytest.fixture
def description(client: httpx.Client) -> dict[str, Any]:
    return as_object(client.get("/openapi.json"))


def operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(value: object) -> Iterator[str]:
    match value:
        case dict():
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for one in value.values():
                yield from references(one)
        case list():
            for one in value:
                yield from references(one)
        case _:
            pass


def test_the_description_has_the_promised_routes_and_no_others(description: dict[str, Any]) -> None:
    assert {path: set(methods) for path, methods in description["paths"].items()} == PROMISED


def test_every_route_is_described_with_its_errors(description: dict[str, Any]) -> None:
    names = []
    for path, method, operation in operations(description):
        names.append(operation["operationId"])
        assert operation["description"], (method, path)
        assert operation["tags"], (method, path)
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert set(answer["content"]) == {"application/problem+json"}, (method, path, status)
        assert {"422", "503"} <= set(operation["responses"]), (method, path)
        assert ("404" in operation["responses"]) or "{name}" not in path, (method, path)
    assert len(names) == len(set(names))


def test_every_reference_of_the_description_leads_somewhere(description: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}
    assert set(references(description)) <= known
    assert "#/components/schemas/Problem" in known
    assert "HTTPValidationError" not in description["components"]["schemas"]


@pytest.mark.parametrize("kind, shown", SHOWN, ids=lambda one: getattr(one, "__name__", ""))
def test_every_example_is_a_valid_request(kind: type[Any], shown: dict[str, Any]) -> None:
    for example in shown.values():
        TypeAdapter(kind).validate_python(example["value"])


def test_the_examples_of_studies_can_be_posted_as_they_stand(client: httpx.Client) -> None:
    for example in examples.STUDY_EXAMPLES.values():
        answer = client.post("/v1/studies", json=example["value"])
        assert answer.status_code == 201, answer.text


def test_the_page_loads_only_files_of_the_package(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    links = Links()
    links.feed(page.text)
    assert links.found == ["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/docs.js"]
    assert not links.has_inline_script, "the policy forbids scripts in the page"
    for link in links.found:
        assert client.get(link).status_code == 200
    policy = page.headers["content-security-policy"]
    assert not re.search(r"https?:|\*", policy)
    assert "default-src 'none'" in policy
    assert "validatorUrl: null" in client.get("/docs/docs.js").text


def test_the_styles_load_nothing_from_elsewhere() -> None:
    styles = (ASSETS / "swagger-ui.css").read_text(encoding="utf-8")
    assert not re.search(r"url\(\s*['\"]?(https?:)?//", styles)
    assert "@import" not in styles


@pytest.mark.parametrize("name", ["settings.py", "docs.html", "..%2Fsettings.py", "swagger-ui.LICENSE.txt", "%00"])
def test_no_other_file_is_served(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/docs/{name}")
    read_problem(answer, answer.status_code)
    assert answer.status_code in {404, 422}


def test_the_licence_of_the_vendored_files_lies_beside_them() -> None:
    assert "Apache License" in (ASSETS / "swagger-ui.LICENSE.txt").read_text(encoding="utf-8")
    assert (ASSETS / "swagger-ui.NOTICE.txt").exists()
