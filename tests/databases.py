"""Fixtures: SQLite files and PostgreSQL databases, copied from ones that have the tables already."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.store import Store, open_store
from tests.postgres import NoPostgres, Server, running_server

DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no rows."""
    path = tmp_path_factory.mktemp("template") / "etude.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One PostgreSQL server for the whole run of this process."""
    try:
        with running_server() as server:
            yield server
    except NoPostgres as error:
        pytest.skip(f"no PostgreSQL: {error}")


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> Iterator[str]:
    """Name of a PostgreSQL database with all tables and no rows."""
    name = postgres_server.create()
    open_store(postgres_server.url(name)).close()
    yield name
    postgres_server.drop(name)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of a fresh SQLite database with all tables."""
    path = tmp_path / "etude.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres_server: Server, postgres_template: str) -> Iterator[str]:
    """URL of a fresh PostgreSQL database with all tables."""
    name = postgres_server.create(template=postgres_template)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def empty_postgres_url(postgres_server: Server) -> Iterator[str]:
    """URL of a fresh PostgreSQL database without any table."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of a fresh database with all tables, on each kind of database in turn."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url = request.getfixturevalue(name)
    assert isinstance(url, str)
    return url


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a fresh database without any table, on each kind of database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url = request.getfixturevalue("empty_postgres_url")
    assert isinstance(url, str)
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store that leads, on each kind of database in turn."""
    opened = open_store(database_url)
    opened.lead("tests", 3600)
    yield opened
    opened.close()
