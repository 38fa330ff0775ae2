"""The command line, run in this process against a service in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.cli.app import run
from service.client import Client
from tests.service.server import LiveServer, live_server, serving, settings_in

__all__ = ["live_server"]

KEY = "a-key-for-the-tests"


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Etude = Callable[..., Ran]


@pytest.fixture
def alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Etude:
    """Runs a command where no service can be reached."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("ETUDE_URL", "http://127.0.0.1:9")

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        code = run(list(arguments))
        written = capsys.readouterr()
        return Ran(code, written.out, written.err)

    return call


@pytest.fixture
def etude(alone: Etude, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Etude:
    """Runs a command that finds the service."""
    monkeypatch.setenv("ETUDE_URL", live_server.url)
    return alone


@pytest.fixture
def client(live_server: LiveServer) -> Iterator[Client]:
    with Client(live_server.url) as client:
        yield client


@pytest.fixture
def keyed_server(sqlite_url: str, tmp_path: Path) -> Iterator[LiveServer]:
    """A service that asks for a key."""
    with serving(settings_in(tmp_path, database_url=sqlite_url, api_key=KEY)) as live:
        yield live
