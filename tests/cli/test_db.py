"""``etude db``: what it says of a database, and what it refuses to do to one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.cli.exits import Exit
from tests.cli.conftest import Etude
from tests.service.server import serving, settings_in
from tests.store.first_schema import load, stamp

PASSWORD = "not-to-be-seen"


def with_password(url: str) -> str:
    """The URL with a password, which the server of the tests does not ask for."""
    return url.replace("etude@", f"etude:{PASSWORD}@")


def test_a_database_that_is_not_there_is_told_and_not_made(alone: Etude, tmp_path: Path) -> None:
    ran = alone("db", "current", "--data-dir", str(tmp_path))
    assert ran.code == Exit.NO_DATABASE
    assert "there is no database file" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_there_is_no_way_back(alone: Etude) -> None:
    assert alone("db", "downgrade").code == Exit.USAGE


def test_a_database_in_use_is_not_upgraded(alone: Etude, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'etude.db'}"
    with serving(settings_in(tmp_path, database_url=url)):
        stamp(url, "0001")
        ran = alone("db", "upgrade", "--database-url", url)
    assert ran.code == Exit.DATA_IN_USE
    assert "stop that service first" in ran.err


@pytest.mark.parametrize("command", ["current", "upgrade"])
def test_a_newer_database_is_refused(alone: Etude, empty_database_url: str, command: str) -> None:
    load(empty_database_url)
    stamp(empty_database_url, "9999")
    ran = alone("db", command, "--database-url", empty_database_url)
    assert ran.code == Exit.WRONG_SCHEMA
    assert "written by a newer Etude" in ran.err


def test_an_older_database_is_told_and_upgraded_once(alone: Etude, empty_database_url: str) -> None:
    load(empty_database_url)
    flags = ("--database-url", empty_database_url)
    before = alone("db", "current", *flags)
    assert before.code == Exit.WRONG_SCHEMA
    assert "Etude's tables:  revision 0001; this version writes" in before.out
    assert "`etude db upgrade` brings them to it" in before.err
    upgraded = alone("db", "upgrade", *flags)
    assert upgraded.code == Exit.OK
    assert "brought from revision 0001 to" in upgraded.out
    assert alone("db", "current", *flags).code == Exit.OK
    assert "nothing was changed" in alone("db", "upgrade", *flags).out


def test_json_says_whether_the_tables_fit(alone: Etude, database_url: str) -> None:
    ran = alone("db", "current", "--json", "--database-url", database_url)
    assert ran.code == Exit.OK
    said = json.loads(ran.out)
    assert said["fit"] is True
    assert said["found"] == said["wanted"]
    assert said["optuna_found"] == said["optuna_wanted"]


@pytest.mark.postgres
def test_the_password_of_the_database_is_never_shown(alone: Etude, empty_postgres_url: str) -> None:
    url = with_password(empty_postgres_url)
    assert PASSWORD in url
    shown = [alone("db", command, "--database-url", url) for command in ("current", "upgrade", "current")]
    shown += [alone("db", command, "--database-url", url.replace("/etude_test_", "/no_")) for command in ("current",)]
    assert [ran.code for ran in shown] == [Exit.WRONG_SCHEMA, Exit.OK, Exit.OK, Exit.NO_DATABASE]
    assert not [ran for ran in shown if PASSWORD in ran.out + ran.err]
