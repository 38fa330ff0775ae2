"""What the doctor says of a database, on each kind of database."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from search.doctor.diagnosis import Diagnosis
from service.doctor.database import look_at_database
from service.store.engine import connect, parse, writing
from tests.service.server import live_server, serving, settings_in

__all__ = ["live_server"]


def looked(url: str) -> dict[str, Diagnosis]:
    return {each.check: each for each in look_at_database(url)}


@pytest.mark.parametrize(
    "url, said",
    [
        ("gibberish", "the database URL cannot be read"),
        ("mysql://u:secret@127.0.0.1/etude", "there is no support for 'mysql' databases"),
        ("postgresql+psycopg://u:secret@127.0.0.1:9/etude", "is it running, and reachable from here?"),
    ],
)
def test_a_database_that_cannot_be_reached_is_refused_without_its_password(url: str, said: str) -> None:
    found = looked(url)["database"]
    assert found.level == "fail"
    assert said in found.sentence
    assert "ETUDE_DATABASE_URL" in found.todo
    assert "secret" not in found.model_dump_json()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etude.db").write_text("a letter to somebody\n" * 100)
    found = looked(f"sqlite:///{tmp_path / 'etude.db'}")["database"]
    assert found.level == "fail"
    assert "is not a SQLite database" in found.sentence


def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    change(database_url, "UPDATE etude_alembic_version SET version_num = '9999'")
    found = looked(database_url)["schema"]
    assert found.level == "fail"
    assert "was written by a newer Etude" in found.sentence


def test_a_database_with_other_tables_of_optuna_is_refused(database_url: str) -> None:
    change(database_url, "UPDATE alembic_version SET version_num = 'v9.0.0.a'")
    found = looked(database_url)["schema"]
    assert found.level == "fail"
    assert "v9.0.0.a" in found.sentence


def test_a_database_of_an_older_version_is_to_be_upgraded(database_url: str) -> None:
    change(database_url, "UPDATE etude_alembic_version SET version_num = '0001'")
    found = looked(database_url)["schema"]
    assert found.level == "warn"
    assert "etude db upgrade" in found.todo


def change(url: str, statement: str) -> None:
    engine = connect(parse(url))
    with writing(engine) as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_database_that_is_not_made_yet_is_fine_and_is_not_made(tmp_path: Path) -> None:
    found = looked(f"sqlite:///{tmp_path / 'etude.db'}")["database"]
    assert found.level == "ok"
    assert "`etude serve` makes it" in found.sentence
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_tables_is_fine(empty_database_url: str) -> None:
    if empty_database_url.startswith("sqlite"):
        Path(empty_database_url.removeprefix("sqlite:///")).touch()
    assert looked(empty_database_url)["schema"].level == "ok"


def test_a_database_that_nobody_uses_is_fine(database_url: str) -> None:
    found = looked(database_url)
    assert {each.level for each in found.values()} == {"ok"}
    assert "no service works with it now" in found["database"].sentence
    last = "journal" if database_url.startswith("sqlite") else "database clock"
    assert list(found) == ["schema", "database", last]


def test_a_database_at_work_names_its_service_and_the_service_goes_on(database_url: str, tmp_path: Path) -> None:
    with serving(settings_in(tmp_path, database_url=database_url)) as live, live.client() as client:
        found = looked(database_url)["database"]
        assert client.get("/readyz").status_code == 200
    assert found.level == "ok"
    assert "works with it" in found.sentence
    assert found.figures["held_by"]
