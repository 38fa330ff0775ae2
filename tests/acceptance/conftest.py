"""What the acceptance tests share: a user's own task in a package of its own, a gate to hold it at, and services."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.running import ROOT, Running, end_all, serving
from tests.databases import DATABASES
from tests.postgres import Server


@dataclass(frozen=True)
class Gate:
    """While it is shut, trials of the task ``gated`` wait in the middle of their training.

    Attributes:
        environment: for the service; its workers then find the task.
    """

    file: Path
    environment: dict[str, str]

    def shut(self) -> None:
        self.file.touch()

    def open(self) -> None:
        self.file.unlink(missing_ok=True)


@dataclass(frozen=True)
class House:
    """A service with two workers that several tests use, each with studies of its own."""

    service: Running
    gate: Gate
    database_url: str


def installed_gate(directory: Path) -> Gate:
    """Install a package that registers the task ``gated`` into the directory; its gate is open."""
    site = directory / "site"
    package = site / "gated_task-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: gated-task\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[etude.tasks]\ngated = gated_task:Gated\n")
    (site / "gated_task.py").write_text(Path(__file__).with_name("gated.py").read_text())
    file = directory / "gate"
    return Gate(file, {"PYTHONPATH": os.pathsep.join([str(ROOT), str(site)]), "GATE": str(file)})


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A gate for a service of the test's own."""
    gate = installed_gate(tmp_path)
    yield gate
    # A worker that waits at the gate cannot hear anything else.
    gate.open()


@pytest.fixture(scope="session", params=DATABASES)
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One service for many tests, on each kind of database in turn; starting one takes longer than using it."""
    directory = tmp_path_factory.mktemp("house")
    gate = installed_gate(directory)
    for url in _empty_database(request, directory):
        with serving(directory / "one", "--database-url", url, workers=2, env=gate.environment) as service:
            service.wait_for_workers(2)
            yield House(service, gate, url)
            gate.open()
            assert service.stop() == 0, service.log()


@pytest.fixture
def house(shared_house: House) -> Iterator[House]:
    yield shared_house
    shared_house.gate.open()


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """No process of a test outlives it, whatever went wrong."""
    yield
    end_all(str(tmp_path))


def _empty_database(request: pytest.FixtureRequest, directory: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{directory / 'house.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    assert isinstance(server, Server)
    name = server.create()
    yield server.url(name)
    server.drop(name)
