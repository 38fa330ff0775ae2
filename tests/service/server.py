"""A real service on a free port of this machine, for tests that speak HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from service.app import create_app
from service.settings import Settings
from service.store.store import utc_now

PATIENCE_SECONDS = 20
GRACE_SECONDS = 1


@dataclass(frozen=True)
class LiveServer:
    """A service that answers at ``url``.

    Attributes:
        app: the application inside; ``app.state.opened`` holds its store and its ensemble.
        server: uvicorn's server; ``stop`` ends it early.
    """

    url: str
    settings: Settings
    app: FastAPI
    server: uvicorn.Server
    thread: threading.Thread

    def client(self, *, key: str | None = None) -> httpx.Client:
        """A plain HTTP client that sends the key, if there is one."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        # Reading the certificates of the world, for http, takes longer than most tests.
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_SECONDS, trust_env=False, verify=False)

    def stop(self) -> None:
        """Stop the service and wait until it has closed everything."""
        self.server.should_exit = True
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive(), "the service does not stop"


@contextmanager
def serving(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> Iterator[LiveServer]:
    """Serve with these settings until the block ends; the port is a free one, whatever the settings say."""
    app = create_app(settings, clock=clock)
    config = uvicorn.Config(
        app, lifespan="on", log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS
    )
    server = uvicorn.Server(config)
    # Without the protocol's number asyncio leaves Nagle's algorithm on, and each answer waits 40 ms for an ACK.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind((settings.host, 0))
        listening.listen(128)
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="live-server")
        thread.start()
        live = LiveServer(f"http://{settings.host}:{port}", settings, app, server, thread)
        try:
            _wait_until_ready(live)
            yield live
        finally:
            live.stop()


def _wait_until_ready(live: LiveServer) -> None:
    # The listening socket queues the request until the lifespan has started.
    with live.client() as client:
        while live.thread.is_alive():
            try:
                assert client.get("/healthz").status_code == 200
            except httpx.TransportError:
                continue
            return
    raise AssertionError("the service did not start")


def settings_in(directory: Path, **others: object) -> Settings:
    """Settings with a data directory of their own, and no local workers."""
    return Settings.model_validate({"data_dir": directory / "data", "workers": 0, **others})


@pytest.fixture
def live_server(sqlite_url: str, tmp_path: Path) -> Iterator[LiveServer]:
    """A service with an empty database, without a key."""
    with serving(settings_in(tmp_path, database_url=sqlite_url)) as live:
        yield live
