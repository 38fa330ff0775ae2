"""One HTTP connection to the service: requests out, typed answers or classed errors back."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from search.errors import Conflict, NotFound, SearchError, Unavailable, Unsuitable

DEFAULT_URL = "http://127.0.0.1:8000"
CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0

Answer = TypeVar("Answer", bound=BaseModel)
Params = Mapping[str, str | int | float | None]


class Place(BaseModel):
    """One thing wrong with a request: where it stands, which rule it breaks, what was found there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    where: str | tuple[str | int, ...] = ""
    rule: str = ""
    value: Any = None

    def __str__(self) -> str:
        where = self.where if isinstance(self.where, str) else ".".join(map(str, self.where))
        found = "" if self.value is None else f" (found: {_short(self.value)})"
        return f"{where}: {self.rule}{found}" if where else f"{self.rule}{found}"


class Problem(BaseModel):
    """A problem document, RFC 9457: what broke, the rule, the value and where."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str = "about:blank"
    title: str = ""
    status: int
    detail: str = ""
    errors: tuple[Place, ...] = ()

    def __str__(self) -> str:
        sentence = self.detail or self.title or f"the service answered {self.status}"
        return "\n".join([sentence, *(f"  {place}" for place in self.errors)])


class ApiError(SearchError):
    """The service refused a request, and said why in a problem document."""

    def __init__(self, problem: Problem) -> None:
        Exception.__init__(self, str(problem))
        self.problem = problem

    def __str__(self) -> str:
        return str(self.problem)


class ApiNotFound(ApiError, NotFound):
    """404: there is no such thing."""


class ApiConflict(ApiError, Conflict):
    """409: the state forbids it."""


class ApiUnsuitable(ApiError, Unsuitable):
    """422 and its relatives: the request itself is wrong."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        first = problem.errors[0] if problem.errors else Place()
        self.where = (first.where,) if isinstance(first.where, str) else first.where
        self.value = first.value


class KeyRefused(ApiError):
    """401, 403, 421: the door is closed: the key is missing or wrong, or the host name is not known."""


ERRORS: Mapping[int, type[ApiError]] = {
    400: ApiUnsuitable,
    401: KeyRefused,
    403: KeyRefused,
    404: ApiNotFound,
    409: ApiConflict,
    413: ApiUnsuitable,
    415: ApiUnsuitable,
    421: KeyRefused,
    422: ApiUnsuitable,
}
NOT_NOW = (429, 502, 503, 504)


class Connection:
    """Requests to one service with one key.

    Args:
        url: of the service; ``ETUDE_URL`` or ``http://127.0.0.1:8000`` when not given.
        api_key: sent as a bearer key; ``ETUDE_API_KEY`` when not given.
        transport: replaces the network in tests.

    Raises:
        Unsuitable: the URL is not an http or https address, or the key cannot be a key.
    """

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = _checked(url or os.environ.get("ETUDE_URL") or DEFAULT_URL).rstrip("/")
        key = _checked_key(api_key or os.environ.get("ETUDE_API_KEY"))
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            # A proxy from the environment cannot reach this machine's own loopback.
            trust_env=not _is_loopback(self.url),
            transport=transport,
            verify=_trust(self.url),
        )

    def close(self) -> None:
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        *,
        body: BaseModel | None = None,
        params: Params | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> Answer:
        """Send a request and read its answer as ``answer``.

        Raises:
            ApiError: the service refused; the class says what to do next.
            Unavailable: the service cannot be reached, or answers that it cannot now.
        """
        response = self.send(method, path, body=body, params=params, read_seconds=read_seconds)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise SearchError(
                f"{method} {path}: the service's answer is not a {answer.__name__}; "
                f"its version may differ from this client's: {error.errors()[0]['msg']}"
            ) from error

    def send(
        self,
        method: str,
        path: str,
        *,
        body: BaseModel | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        accept: str = "application/json",
        read_seconds: float = READ_SECONDS,
    ) -> httpx.Response:
        """Send a request; the answer as it came, if it is a success."""
        with self._reaching():
            response = self._http.request(
                method,
                path,
                content=body.model_dump_json() if isinstance(body, BaseModel) else body,
                headers={"Accept": accept, **_content_type(body), **(headers or {})},
                params=_given(params),
                timeout=httpx.Timeout(read_seconds, connect=CONNECT_SECONDS),
            )
        raise_for_problem(response)
        return response

    @contextmanager
    def stream(
        self, path: str, *, headers: Mapping[str, str], params: Params | None = None, quiet_seconds: float
    ) -> Iterator[httpx.Response]:
        """Open a stream of server-sent events, which may say nothing for ``quiet_seconds`` at most."""
        sent = {"Accept": "text/event-stream", **headers}
        timeout = httpx.Timeout(quiet_seconds, connect=CONNECT_SECONDS)
        opened = self._http.stream("GET", path, headers=sent, params=_given(params), timeout=timeout)
        with self._reaching(), opened as response:
            if response.is_error:
                response.read()
                raise_for_problem(response)
            yield response

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (httpx.TransportError, ssl.SSLError) as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"the service at {self.url} cannot be reached: {reason}") from error


def _content_type(body: BaseModel | bytes | None) -> dict[str, str]:
    match body:
        case None:
            return {}
        case bytes():
            return {"Content-Type": "application/octet-stream"}
        case _:
            return {"Content-Type": "application/json"}


def raise_for_problem(response: httpx.Response) -> None:
    """Raise what an answer that is no success means."""
    if response.is_success:
        return
    problem = _problem(response)
    if response.status_code in NOT_NOW or _is_failed_work(response):
        raise Unavailable(str(problem), retry_after_seconds=_retry_after(response))
    raise ERRORS.get(response.status_code, ApiError)(problem)


def _is_failed_work(response: httpx.Response) -> bool:
    """Whether the service broke at a worker's message: one defect must not cost the trial that it trains."""
    return response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR and response.url.path.startswith("/v1/work/")


def _problem(response: httpx.Response) -> Problem:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        sentence = f"{response.url} answered {response.status_code} {response.reason_phrase}"
        return Problem(status=response.status_code, detail=sentence)


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else 5.0


def _given(params: Params | None) -> dict[str, str | int | float | None]:
    return {name: value for name, value in (params or {}).items() if value is not None}


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
        is_address = parsed.scheme in ("http", "https") and bool(parsed.host)
    except httpx.InvalidURL:
        is_address = False
    if not is_address:
        raise Unsuitable(
            f"the service's address must start with http:// or https://, not {url!r}", where=("url",), value=url
        )
    return url


def _checked_key(key: str | None) -> str | None:
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        # The value is a secret, so the message does not show it.
        raise Unsuitable(
            "the API key (ETUDE_API_KEY) must be made of printable ASCII characters without spaces", where=("api_key",)
        )
    return key


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _trust(url: str) -> ssl.SSLContext | bool:
    """Whom to trust: the usual authorities; on loopback also the service's own certificate, whatever name it bears."""
    if not url.startswith("https:"):
        # Reading the authorities takes longer than a request; a context without any trusts nobody.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    certificate = os.environ.get("ETUDE_TLS_CERT")
    if not certificate or not _is_loopback(url):
        return True
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context


def _short(value: object, limit: int = 80) -> str:
    if isinstance(value, str) and len(value) > limit:
        return f"{value[:limit]!r}… ({len(value)} characters)"
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
