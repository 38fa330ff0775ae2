"""Every error as a problem document (RFC 9457): the one place that knows status codes."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, JsonValue
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search.errors import Conflict, NotFound, SearchError, Unavailable, Unsuitable
from service.store.errors import NameTaken

STATUS: Mapping[type[SearchError], int] = {NotFound: 404, Conflict: 409, Unsuitable: 422, Unavailable: 503}
MOST_PLACES = 20
LONGEST_RULE = 500
LONGEST_VALUE = 200
MEDIA_TYPE = "application/problem+json"

logger = logging.getLogger("etude.service")


class Place(BaseModel):
    """One thing that is wrong with a request.

    Attributes:
        where: the place, for example ``body.space.ranges.peak_lr.sgd``.
        rule: what must hold there.
        value: what was found; shortened, and ``null`` where there was nothing.
    """

    model_config = ConfigDict(frozen=True)

    where: str
    rule: str
    value: JsonValue = None


class Problem(BaseModel):
    """What went wrong, as RFC 9457 says it.

    Attributes:
        type: names the kind of problem.
        title: the kind in words.
        status: the HTTP status.
        detail: what broke, the rule and the value, in one sentence.
        errors: each place in the request that must change.
    """

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[Place, ...] = ()


def problem(
    status: int, detail: str, *, errors: Sequence[Place] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """A response that carries a problem document."""
    phrase = HTTPStatus(status).phrase
    document = Problem(
        type=f"urn:etude:problem:{phrase.lower().replace(' ', '-')}",
        title=phrase,
        status=status,
        detail=plain(detail, 2000),
        errors=tuple(errors),
    )
    return JSONResponse(document.model_dump(), status, dict(headers or {}), media_type=MEDIA_TYPE)


def plain(text: str, longest: int = LONGEST_VALUE) -> str:
    """The text, shortened, with nothing that JSON or a terminal chokes on."""
    kept = text[:longest].encode("utf-8", "backslashreplace").decode()
    return kept if len(text) <= longest else f"{kept}… ({len(text)} characters)"


def shown(value: object) -> JsonValue:
    """A value found in a request, made short and safe to send back."""
    match value:
        case None | bool():
            return value
        case int():
            return value if abs(value) < 2**53 else plain(str(value)) if abs(value) < 10**300 else "a huge integer"
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return plain(value)
        case bytes():
            return plain(value[: LONGEST_VALUE + 1].decode("utf-8", "backslashreplace"))
        case _:
            return _shown_container(value)


def _shown_container(value: object) -> JsonValue:
    try:
        text = json.dumps(value, allow_nan=False, default=str)
    except (ValueError, RecursionError, TypeError):
        return "a value that JSON cannot carry"
    return json.loads(text) if len(text) <= LONGEST_VALUE else plain(text)


def dotted(location: Sequence[str | int]) -> str:
    """A place in the request as one word: ``body.budget.trials``."""
    return plain(".".join(plain(str(part), 80) for part in location), 500)


def _place(error: Mapping[str, Any]) -> Place:
    """One finding of pydantic's, in our words."""
    if error["type"] == "json_invalid":
        reason = error.get("ctx", {}).get("error", "")
        return Place(where="body", rule=f"the body must be JSON: {reason} (at character {error['loc'][-1]})")
    value = None if error["type"] == "missing" else shown(error.get("input"))
    rule = plain(str(error["msg"]).removeprefix("Value error, "), LONGEST_RULE)
    return Place(where=dotted(error["loc"]), rule=rule, value=value)


def _sentence(places: Sequence[Place], total: int) -> str:
    first = places[0]
    found = "" if first.value is None else f" (found {json.dumps(first.value, ensure_ascii=False)})"
    more = "" if total == 1 else f"; and {total - 1} more"
    return f"{first.where}: {first.rule}{found}{more}"


async def invalid_request(_: Request, error: Exception) -> Response:
    """A request that does not have the shape that the route asks for."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    places = [_place(one) for one in found[:MOST_PLACES]]
    return problem(422, _sentence(places, len(found)), errors=places)


async def search_error(request: Request, error: Exception) -> Response:
    """A request that the search refuses, by what the caller should do next."""
    assert isinstance(error, SearchError)
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    match error:
        case Unsuitable(where=where) | NameTaken(where=where) if where:
            part = "query" if request.method == "GET" else "body"
            place = Place(where=dotted((part, *where)), rule=plain(str(error), LONGEST_RULE), value=shown(error.value))
            return problem(status, str(error), errors=[place])
        case Unavailable():
            seconds = max(1, math.ceil(error.retry_after_seconds))
            return problem(status, str(error), headers={"Retry-After": str(seconds)})
        case _:
            return problem(status, str(error))


async def http_error(request: Request, error: Exception) -> Response:
    """What routing refuses: no such path, no such method, a body too large."""
    assert isinstance(error, HTTPException)
    match error.status_code:
        case 404:
            detail = f"there is nothing at {request.url.path}"
        case 405:
            allowed = _methods_at(request) or (error.headers or {}).get("Allow", "others")
            detail = f"{request.url.path} does not take {request.method}; it takes {allowed}"
            return problem(405, detail, headers={**(error.headers or {}), "Allow": allowed})
        case _:
            detail = error.detail
    return problem(error.status_code, detail, headers=error.headers)


def _methods_at(request: Request) -> str:
    """The methods of all routes at the request's path; routing itself names only those of the first."""
    found: set[str] = set()
    for route in _routes(request.app.router.routes):
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return ", ".join(sorted(found))


def _routes(given: Iterable[BaseRoute]) -> Iterator[Route]:
    for each in given:
        if isinstance(each, Route):
            yield each
        # Newer versions of FastAPI keep an included router as it is, older ones take its routes out.
        included = getattr(each, "original_router", None)
        if included is not None:
            yield from _routes(included.routes)


class Unfailing:
    """ASGI middleware that answers what nobody foresaw: logged whole, told without internals."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def begin(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, begin)
        except Exception:
            if has_begun or scope["type"] != "http":
                raise
            logger.exception("%s %s failed", scope["method"], plain(scope["path"]))
            await problem(500, "the service failed at this request; its log says why")(scope, receive, send)


def install(app: FastAPI) -> None:
    """Let every error of the application leave as a problem document."""
    app.add_exception_handler(RequestValidationError, invalid_request)
    app.add_exception_handler(SearchError, search_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_middleware(Unfailing)
