"""How much one request may send."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import problem

LARGEST_BODY_BYTES = 16 * 1024 * 1024
LARGEST_WEIGHTS_BYTES = 1024 * 1024 * 1024

_WEIGHTS = re.compile(r"/v1/studies/[^/]+/trials/[^/]+/weights")


class BodyLimit:
    """ASGI middleware that refuses large bodies, by the length they name or as soon as they have grown too large.

    Weights, which are written to a file as they come, may be larger than what is read into memory.

    The framework's own limit answers in plain text and puts that in place of any answer of ours.
    """

    def __init__(
        self,
        app: ASGIApp,
        largest_bytes: int = LARGEST_BODY_BYTES,
        largest_weights_bytes: int = LARGEST_WEIGHTS_BYTES,
    ) -> None:
        self._app = app
        self._largest_bytes = largest_bytes
        self._largest_weights_bytes = largest_weights_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        largest = self._largest(scope)
        named = Headers(scope=scope).get("content-length", "0")
        if named.isdecimal() and int(named[:20]) > largest:
            await problem(413, f"the body has {named[:20]} bytes; {_rule(largest)}")(scope, receive, send)
            return
        received = 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > largest:
                raise HTTPException(413, f"the body is too large; {_rule(largest)}")
            return message

        await self._app(scope, receive_some, send)

    def _largest(self, scope: Scope) -> int:
        is_weights = scope["method"] == "PUT" and _WEIGHTS.fullmatch(scope["path"])
        return self._largest_weights_bytes if is_weights else self._largest_bytes


def _rule(largest: int) -> str:
    return f"a request may send {largest} bytes at most: split it into several"
