from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from starlette.routing import BaseRoute, Mount, Route

from service.app import create_app
from service.auth import OPEN_PATHS
from tests.service.by_hand import external_study
from tests.service.problems import read_problem
from tests.service.server import LiveServer, serving, settings_in

KEY = "a-key-of-the-administrator"
WORKER_KEY = "a-key-of-the-local-workers"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
SHUT = {401, 403, 404, 405}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A service with keys."""
    directory = tmp_path_factory.mktemp("locked")
    settings = settings_in(directory, api_key=KEY, worker_key=WORKER_KEY, allowed_hosts="etude.example.org")
    with serving(settings) as live:
        yield live


@pytest.fixture(scope="module")
def unlocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A service on loopback without a key."""
    with serving(settings_in(tmp_path_factory.mktemp("unlocked"))) as live:
        yield live


def paths(routes: Sequence[BaseRoute]) -> Iterator[str]:
    """A path for each route, those of included routers and mounts too."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from paths(included.routes)
            continue
        match route:
            case Mount():
                yield f"{route.path}/"
                yield f"{route.path}/studies/1"
            case Route():
                yield re.sub(r"{[^}]*}", "1", route.path)
            case _:
                raise AssertionError(f"classify {route!r}: nothing says how it is guarded")


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()


def test_every_route_and_method_is_shut_without_a_key(locked: LiveServer) -> None:
    tried = set(paths(locked.app.routes)) | {"/docs", "/docs/swagger-ui.css", "/openapi.json", "/nowhere", "/"}
    assert len(tried) > 30
    assert {"/dashboard/", "/api/", "/static/", "/artifacts/", "/csv/", "/favicon.ico", "/v1/work/claim"} <= tried
    with locked.client() as nobody, locked.client(key="not-the-right-key") as stranger:
        for path in sorted(tried):
            for method in METHODS:
                for client in (nobody, stranger):
                    answer = client.request(method, path)
                    if path in OPEN_PATHS and method == "GET":
                        assert answer.status_code == 200, (method, path)
                    else:
                        assert answer.status_code in SHUT, (method, path, answer.status_code)


def test_a_refusal_asks_browsers_for_the_key(locked: LiveServer) -> None:
    with locked.client() as nobody:
        answer = nobody.get("/v1/studies")
    read_problem(answer, 401, "needs a key")
    assert answer.headers["www-authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY}x",
        f"Token {KEY}",
        KEY,
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(KEY.encode()).decode(),
        basic("wrong"),
        "Bearer \xff\xfe",
    ],
)
def test_what_is_not_the_key_is_refused(locked: LiveServer, authorization: str) -> None:
    with locked.client() as client:
        answer = client.get("/v1/studies", headers={b"Authorization": authorization.encode("latin-1")})
    read_problem(answer, 401, "key")


@pytest.mark.parametrize("authorization", [f"Bearer {KEY}", f"bearer {KEY}", basic(KEY), f"Bearer {WORKER_KEY}"])
def test_each_key_opens_as_bearer_and_as_password(locked: LiveServer, authorization: str) -> None:
    with locked.client() as client:
        assert client.get("/v1/studies", headers={"Authorization": authorization}).status_code == 200


def test_a_write_by_basic_needs_our_own_origin(locked: LiveServer) -> None:
    with locked.client() as client:
        headers = {"Authorization": basic(KEY)}
        request = external_study("by-basic")
        read_problem(client.post("/v1/studies", json=request, headers=headers), 403, "Origin")
        foreign = {**headers, "Origin": "https://evil.example"}
        read_problem(client.post("/v1/studies", json=request, headers=foreign), 403, "evil.example")
        own = {**headers, "Origin": locked.url}
        assert client.post("/v1/studies", json=request, headers=own).status_code == 201


def test_a_write_behind_a_proxy_that_ends_tls_is_our_own(locked: LiveServer) -> None:
    headers = {"Authorization": basic(KEY), "Host": "etude.example.org", "Origin": "https://etude.example.org"}
    with locked.client() as client:
        answer = client.post("/v1/studies", json=external_study("by-proxy"), headers=headers)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example", "[::1", "2130706433"]
)
def test_a_foreign_host_name_is_refused_on_loopback_too(unlocked: LiveServer, host: str) -> None:
    with unlocked.client() as client:
        answer = client.get("/v1/studies", headers={"Host": host})
    read_problem(answer, 421, "ETUDE_ALLOWED_HOSTS")


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "LOCALHOST", "127.0.0.1:8000", "[::1]:8000"])
def test_loopback_names_are_answered(unlocked: LiveServer, host: str) -> None:
    with unlocked.client() as client:
        assert client.get("/v1/studies", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_health_is_answered_under_any_name(locked: LiveServer, path: str) -> None:
    with locked.client() as client:
        assert client.get(path, headers={"Host": "10.0.0.7"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_write_from_a_page_of_another_site_changes_nothing(
    unlocked: LiveServer, method: str, headers: dict[str, str]
) -> None:
    with unlocked.client() as client:
        client.post("/v1/studies", json=external_study("guarded"))
        path = "/v1/studies" if method == "POST" else "/v1/studies/guarded"
        answer = client.request(method, path, json=external_study("foreign"), headers=headers)
        read_problem(answer, 403, "pages of")
        names = {study["name"] for study in client.get("/v1/studies").json()["items"]}
    assert names == {"guarded"}


def test_a_program_without_origin_writes_on_loopback(unlocked: LiveServer) -> None:
    with unlocked.client() as client:
        assert client.post("/v1/recipes/check", json={}).status_code == 422
        own = client.post("/v1/recipes/check", json={}, headers={"Origin": unlocked.url})
        assert own.status_code == 422


def test_every_answer_is_hardened_and_shared_with_no_other_site(locked: LiveServer) -> None:
    with locked.client() as nobody, locked.client(key=KEY) as client:
        for answer in (
            nobody.get("/v1/studies"),
            client.get("/v1/studies", headers={"Origin": "https://evil.example"}),
            client.get("/nowhere"),
            client.get("/dashboard/"),
            client.get("/docs"),
        ):
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["content-security-policy"]
            assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_keys_stand_in_no_answer_and_no_representation(locked: LiveServer) -> None:
    assert KEY not in repr(locked.settings)
    assert WORKER_KEY not in repr(locked.settings)
    with locked.client(key=KEY) as client:
        assert KEY not in client.get("/openapi.json").text


def test_a_key_that_does_not_fit_the_pattern_of_a_header_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        create_app(settings_in(tmp_path, api_key="schlüssel-mit-umlaut"))


def test_the_answer_to_a_wrong_host_is_short(unlocked: LiveServer) -> None:
    with unlocked.client() as client:
        answer = client.get("/v1/studies", headers={"Host": "x" * 10_000})
    assert isinstance(answer, httpx.Response)
    read_problem(answer, 421, "ETUDE_ALLOWED_HOSTS")
