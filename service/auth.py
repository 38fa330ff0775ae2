"""Who may speak to the service: the door that every request passes before any route sees it.

Three questions, in this order. Is the service addressed by a name of its own? A page of another site whose name
was pointed at this machine is not. Does the request carry a key? Does a write that a browser sends come from our
own pages? The first and the last are asked on loopback and without keys too.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import urlsplit

from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import plain, problem
from service.settings import ANY_ADDRESS, Settings

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Answered without a key and under any host name: load balancers and container engines ask them."""

ADMINISTRATORS_PATHS = frozenset({"/metrics"})
"""Answered to the administrator's key only: figures name the studies of all projects. Workers have no use for them."""

READS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
ASK_FOR_A_KEY = {"WWW-Authenticate": 'Basic realm="etude", charset="UTF-8"'}

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The content policy of every answer that does not bring its own."""


class Door:
    """ASGI middleware that lets a request in or answers it with a problem document."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._keys = tuple(key.encode() for key in (settings.api_key, settings.worker_key) if key is not None)
        self._workers_key = None if settings.worker_key is None else settings.worker_key.encode()
        self._needs_key = settings.api_key is not None
        own = set() if settings.host in ANY_ADDRESS else {settings.host.strip("[]").lower()}
        self._hosts = LOOPBACK_NAMES | own | {name.strip("[]").lower() for name in settings.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                refusal = self._refusal(scope)
                await (self._app if refusal is None else refusal)(scope, receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1008})
            case _:
                await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["path"] in OPEN_PATHS:
            return None
        headers = Headers(scope=scope)
        return (
            self._wrong_host(headers)
            or self._wrong_key(headers, scope["path"])
            or (None if scope["method"] in READS else _foreign_write(headers, self._needs_key))
        )

    def _wrong_host(self, headers: Headers) -> Response | None:
        name = _name(headers.get("host", ""))
        if "*" in self._hosts or name in self._hosts:
            return None
        return problem(
            421,
            f"this service does not answer to the host name {plain(name)!r}: if it is its own, "
            "its operator names it in ETUDE_ALLOWED_HOSTS",
        )

    def _wrong_key(self, headers: Headers, path: str) -> Response | None:
        if not self._needs_key:
            return None
        sent = headers.get("authorization")
        if sent is None:
            rule = "this service needs a key: send it as `Authorization: Bearer KEY`, or as the password in a browser"
            return problem(401, rule, headers=ASK_FOR_A_KEY)
        key = _key(sent)
        # Each is compared, so that the time taken does not tell which one was nearly right.
        matches = [hmac.compare_digest(key, valid) for valid in self._keys]
        if not any(matches):
            return problem(401, "the key is not valid here", headers=ASK_FOR_A_KEY)
        if path in ADMINISTRATORS_PATHS and key == self._workers_key:
            return problem(403, f"{path} is answered to the administrator's key only, and this is the local workers'")
        return None


class Hardened:
    """ASGI middleware that gives every answer the headers which keep browsers from lending it out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def harden(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": hardened(message.get("headers", []))}
            await send(message)

        await self._app(scope, receive, harden if scope["type"] == "http" else send)


def hardened(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers with ours in place of any of the same name, and our content policy where there is none."""
    ours = {name.lower().encode(): value.encode() for name, value in SECURITY_HEADERS.items()}
    # A page must not be lent to other sites, whatever the application inside says.
    kept = [(name, value) for name, value in headers if not _is_replaced(name.lower(), ours)]
    if not any(name.lower() == b"content-security-policy" for name, _ in kept):
        kept.append((b"content-security-policy", POLICY.encode()))
    return [*kept, *ours.items()]


def _is_replaced(name: bytes, ours: dict[bytes, bytes]) -> bool:
    return name in ours or name.startswith(b"access-control-")


def _key(authorization: str) -> bytes:
    """The key in an Authorization header, bearer or Basic; empty when there is none."""
    scheme, _, rest = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip().encode()
        case "basic":
            try:
                return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
            except binascii.Error:
                return b""
        case _:
            return b""


def _foreign_write(headers: Headers, needs_key: bool) -> Response | None:
    """A write from a page that is not ours; browsers say where a write comes from, other programs need not."""
    origin = headers.get("origin")
    if origin is not None:
        if _is_own(origin, headers.get("host", "")):
            return None
        return problem(
            403, f"writes from pages of {plain(origin)!r} are refused: only this service's own pages may write"
        )
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return problem(403, "writes from pages of another site are refused: only this service's own pages may write")
    if needs_key and headers.get("authorization", "").lower().startswith("basic"):
        # A browser adds Basic by itself to whatever any page sends here; a program can send the key as a bearer.
        return problem(
            403, "a write by Basic needs an Origin header that names this service: programs send a bearer key"
        )
    return None


def _is_own(origin: str, host: str) -> bool:
    """Whether an Origin names the host that the request was sent to. The scheme may differ behind a TLS proxy."""
    try:
        parts = urlsplit(origin)
        sent_to = urlsplit(f"{parts.scheme}://{host}")
        default = {"http": 80, "https": 443}[parts.scheme]
        return (parts.hostname, parts.port or default) == (sent_to.hostname, sent_to.port or default)
    except (ValueError, KeyError):
        return False


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
