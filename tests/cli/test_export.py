"""``etude export``: the best recipe for another program, and the table of what can be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedules.export import markdown, table
from service.cli.exits import Exit
from service.client import Client
from tests.cli.conftest import Etude
from tests.service.by_hand import create, train
from tests.service.server import LiveServer


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "name a study, or ask for the table of what can be written with --table"),
        (["one", "--to", "keras"], "--to takes torch, transformers, optax, lightning, json, csv, not 'keras'"),
    ],
)
def test_a_wrong_export_is_a_usage_error(alone: Etude, arguments: list[str], said: str) -> None:
    ran = alone("export", *arguments)
    assert ran.code == Exit.USAGE
    assert said in ran.err
    assert ran.out == ""


def test_an_unknown_study_is_not_found(etude: Etude) -> None:
    assert etude("export", "nobody").code == Exit.NOT_FOUND


def test_the_table_needs_no_service(alone: Etude) -> None:
    ran = alone("export", "--table")
    assert ran.code == Exit.OK
    assert ran.out == markdown(table())


def test_the_best_recipe_is_printed_or_written_to_a_file(
    etude: Etude, live_server: LiveServer, client: Client, tmp_path: Path
) -> None:
    with live_server.client() as plain:
        create(plain, trials=1)
        train(plain, 0.25)
    printed = etude("export", "by-hand", "--to", "optax")
    assert printed.code == Exit.OK
    assert printed.out == client.export_best("by-hand", "optax")
    file = tmp_path / "recipe.py"
    assert etude("export", "by-hand", "--to", "optax", "--file", str(file)).out == ""
    assert file.read_text(encoding="utf-8") == printed.out


def test_a_file_that_cannot_be_written_is_named(alone: Etude, tmp_path: Path) -> None:
    ran = alone("export", "--table", "--file", str(tmp_path / "absent" / "table.md"))
    assert ran.code == Exit.FAILED
    assert "cannot be written: No such file or directory" in ran.err
