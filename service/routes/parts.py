"""What routes ask of a request: the opened service, names, pages, and strict JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, NoReturn

from anyio import CapacityLimiter
from fastapi import Depends, HTTPException, Path, Query, Request, Response
from fastapi.routing import APIRoute

from search.protocol import Name
from search.study import Study
from service.artifacts import Artifacts
from service.ensemble import Ensemble
from service.events import Bell
from service.store import Store

DEEPEST_JSON = 100
PROBLEM = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}

REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"description": "The key is missing or not valid.", **PROBLEM},
    403: {"description": "A write from a page of another site.", **PROBLEM},
    413: {"description": "The body is too large.", **PROBLEM},
    415: {"description": "The body is not JSON.", **PROBLEM},
    421: {"description": "The service does not answer to this host name.", **PROBLEM},
    422: {"description": "The request is wrong; `errors` names each place, rule and value.", **PROBLEM},
    500: {"description": "The service failed.", **PROBLEM},
    503: {"description": "Not now: send the same request again after `Retry-After` seconds.", **PROBLEM},
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such thing.", **PROBLEM}}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"description": "The state forbids it.", **PROBLEM}}


@dataclass(frozen=True)
class Opened:
    """The running service: what the lifespan opened, for routes to use.

    Attributes:
        silence: a worker that has not been heard of for so long is taken to be gone.
    """

    store: Store
    ensemble: Ensemble
    bell: Bell
    claim_turns: CapacityLimiter
    artifacts: Artifacts
    clock: Callable[[], datetime]
    silence: timedelta


async def opened(request: Request) -> Opened:
    """The running service."""
    service: Opened = request.app.state.opened
    return service


Service = Annotated[Opened, Depends(opened)]
Project = Annotated[Name, Query(description="The project that the study belongs to.")]
StudyName = Annotated[Name, Path(description="The study's name.")]
TrialNumber = Annotated[int, Path(ge=0, lt=2**31, description="The trial's number within its study.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many items are wanted at most.")]


def named_study(name: StudyName, service: Service, project: Project = "default") -> Study:
    """The study that the path names."""
    return service.store.find_study(project, name)


NamedStudy = Annotated[Study, Depends(named_study)]


class StrictRequest(Request):
    """A request whose JSON is what the standard says: no NaN, no number beyond a float, no broken text."""

    async def json(self) -> Any:
        if not hasattr(self, "_strict_json"):
            self._strict_json = parse(await self.body())
        return self._strict_json


class StrictRoute(APIRoute):
    """A route that refuses bodies which are not strict JSON."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]  # a coroutine function is one
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def handle_strictly(request: Request) -> Response:
            if takes_body:
                _refuse_other_content(request)
            return await handle(StrictRequest(request.scope, request.receive))

        return handle_strictly


def _refuse_other_content(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_empty = request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
    if is_empty or kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return
    found = f"not {kind[:100]!r}" if kind else "and the request names none"
    raise HTTPException(415, f"the body's content type must be application/json, {found}")


def parse(body: bytes) -> Any:
    """Read strict JSON.

    Raises:
        JSONDecodeError: it is none; the message names the rule.
    """
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError("it is not UTF-8", "", error.start) from error
    except RecursionError as error:
        raise json.JSONDecodeError(f"it is nested deeper than {DEEPEST_JSON} levels", "", 0) from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise json.JSONDecodeError(_rule(error), "", 0) from error
    _refuse_odd(body, value)
    return value


class _Refused(ValueError):
    """A number that the standard or a float does not know."""


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is no JSON number; a value that is not finite is sent as null")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Refused(f"the number {text[:50]} does not fit a 64-bit float")
    return number


def _rule(error: ValueError) -> str:
    # Python refuses to read integers of thousands of digits, with a sentence about its own settings.
    return str(error) if isinstance(error, _Refused) else "a number has too many digits"


_ODD = re.compile("[\x00\ud800-\udfff]")
_ESCAPED = re.compile(rb"\\u(0000|[dD][89a-fA-F])")


def _refuse_odd(body: bytes, value: Any) -> None:
    """Refuse what no database can keep: deep nesting, NUL, and halves of surrogate pairs."""
    may_be_odd = _ESCAPED.search(body) is not None
    if not may_be_odd and body.count(b"[") + body.count(b"{") <= DEEPEST_JSON:
        return
    for text in _texts(value):
        if may_be_odd and _ODD.search(text):
            raise json.JSONDecodeError("a text holds a NUL or half of a surrogate pair", "", 0)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys included, level by level."""
    level = [value]
    for _ in range(DEEPEST_JSON):
        below: list[Any] = []
        for one in level:
            match one:
                case str():
                    yield one
                case dict():
                    yield from one
                    below.extend(one.values())
                case list():
                    below.extend(one)
                case _:
                    pass
        level = below
    if level:
        raise json.JSONDecodeError(f"it is nested deeper than {DEEPEST_JSON} levels", "", 0)
