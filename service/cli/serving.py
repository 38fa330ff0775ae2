"""One service process: the web server in a thread, its local workers beside it, stopped in order."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import tempfile
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn

from service.cli.exits import Exit, Stop

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]

PROBE_BYTES = 1 << 20
GRACE_SECONDS = 3
"""How long open event streams may hold the shutdown up."""


def prepare_directory(directory: Path) -> None:
    """Make the data directory, and show that it can be written.

    Raises:
        Stop: it cannot be made or written, or its disk is full.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as file:
            os.posix_fallocate(file.fileno(), 0, PROBE_BYTES)
    except OSError as error:
        raise Stop(Exit.NO_SPACE, _why_not_written(directory, error)) from error


def _why_not_written(directory: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of the data directory {directory} is full: free some space, or choose another with --data-dir"
    return (
        f"the data directory {directory} cannot be written ({error.strerror}): "
        f"allow it, or choose another with --data-dir"
    )


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens on ``host`` and ``port``; port 0 takes a free one.

    Raises:
        Stop: the port is in use or not permitted, or the host is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(2048)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise _why_not_bound(host, port, error) from error
    return listening


def _why_not_bound(host: str, port: int, error: OSError) -> Stop:
    match error.errno:
        case errno.EADDRINUSE:
            return Stop(
                Exit.PORT_IN_USE,
                f"port {port} on {host} is in use: stop the program that uses it, or choose another with --port "
                f"(--port 0 takes a free one)",
            )
        case errno.EACCES:
            return Stop(Exit.UNSAFE, f"port {port} is not permitted to this user: choose one above 1023 with --port")
        case _:
            return Stop(
                Exit.UNSAFE, f"{host} is not an address of this machine ({error.strerror}): choose another with --host"
            )


class Guard:
    """An ASGI application that keeps the error which broke its start, instead of letting it be printed."""

    def __init__(self, app: Asgi) -> None:
        self._app = app
        self.failure: Exception | None = None
        self.settled = threading.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, self._told(send))
        except Exception as error:  # noqa: BLE001  whatever broke the start is told by the command line
            self.failure = error

    def _told(self, send: Send) -> Send:
        async def tell(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                message = {"type": message["type"], "message": ""}
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self.settled.set()

        return tell


def _is_news(record: logging.LogRecord) -> bool:
    """All but the line that follows a failed start, which the command line tells itself, with the reason."""
    return not record.getMessage().startswith("Application startup failed")


class Server:
    """The web server in a thread of its own; the main thread keeps the signals and the workers.

    Attributes:
        ended: set when the server has ended, and by whoever wants it to end.
        broke: it ended without having been told to.
    """

    def __init__(self, app: Asgi, listening: socket.socket, *, tls: tuple[Path, Path] | None = None) -> None:
        self._guard = Guard(app)
        self._listening = listening
        cert, key = tls or (None, None)
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                self._guard,
                lifespan="on",
                timeout_graceful_shutdown=GRACE_SECONDS,
                ssl_certfile=cert,
                ssl_keyfile=key,
                access_log=logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO),
                log_level=logging.getLogger().level,
                log_config=None,
                server_header=False,
            )
        )
        self.ended = threading.Event()
        self.broke = False
        self._thread = threading.Thread(target=self._run, name="web-server")

    def start(self) -> None:
        """Start serving; return when requests are answered.

        Raises:
            Exception: what broke the application's start.
        """
        self._thread.start()
        self._guard.settled.wait()
        if self._guard.failure is not None:
            self._thread.join()
            raise self._guard.failure

    def stop(self) -> None:
        """Stop taking requests, let those under way end for a few seconds, and return when all is closed."""
        self._uvicorn.should_exit = True
        self._thread.join()

    def hurry(self) -> None:
        """Do not wait for anything any more."""
        self._uvicorn.force_exit = True
        self._uvicorn.should_exit = True

    def _run(self) -> None:
        try:
            # It exits when the application does not start; start() tells why.
            with contextlib.suppress(SystemExit):
                self._uvicorn.run(sockets=[self._listening])
        finally:
            self.broke = not self._uvicorn.should_exit
            self._guard.settled.set()
            self.ended.set()
