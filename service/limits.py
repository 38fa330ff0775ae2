"""How much one request may send."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import problem

LARGEST_BODY_BYTES = 16 * 1024 * 1024


class BodyLimit:
    """ASGI middleware that refuses large bodies, by the length they name or as soon as they have grown too large.

    The framework's own limit answers in plain text and puts that in place of any answer of ours.
    """

    def __init__(self, app: ASGIApp, largest_bytes: int = LARGEST_BODY_BYTES) -> None:
        self._app = app
        self._largest_bytes = largest_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        named = Headers(scope=scope).get("content-length", "0")
        if named.isdecimal() and int(named[:20]) > self._largest_bytes:
            await problem(413, f"the body has {named[:20]} bytes; {self._rule()}")(scope, receive, send)
            return
        received = 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._largest_bytes:
                raise HTTPException(413, f"the body is too large; {self._rule()}")
            return message

        await self._app(scope, receive_some, send)

    def _rule(self) -> str:
        return f"a request may send {self._largest_bytes} bytes at most: split it into several"
