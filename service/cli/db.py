"""``etude db``: at which revision a database is, and bringing it to this version's."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from service.cli.asking import Json
from service.cli.console import out
from service.cli.exits import Exit, Stop
from service.cli.serve import read_settings, told_in_a_sentence

db = typer.Typer(
    name="db", help="Look at the tables of a database, and bring them to this version.", no_args_is_help=True
)

DataDir = Annotated[Path | None, typer.Option(help="As for serve. [ETUDE_DATA_DIR, ./etude-data]")]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="As for serve. [ETUDE_DATABASE_URL, SQLite in the data directory]")
]


@db.command()
def current(data_dir: DataDir = None, database_url: DatabaseUrl = None, as_json: Json = False) -> None:
    """Say at which revision the tables are, and whether this version can work with them. Changes nothing."""
    settings = read_settings({"data_dir": data_dir, "database_url": database_url})
    with told_in_a_sentence():
        from service.store import revisions  # noqa: PLC0415  as in serve

        found = revisions(settings.database)
    if as_json:
        sys.stdout.write(json.dumps({**dataclasses.asdict(found), "fit": found.fit}) + "\n")
    else:
        out().print(f"Etude's tables:  revision {found.found or 'none'}; this version writes {found.wanted}")
        out().print(
            f"Optuna's tables: schema {found.optuna_found or 'none'}; this version writes {found.optuna_wanted}"
        )
    if not found.fit:
        upgradable = "the tables are not this version's yet: `etude db upgrade` brings them to it"
        raise Stop(Exit.WRONG_SCHEMA, found.refusal or upgradable)


@db.command()
def upgrade(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Bring the tables to this version's, as `etude serve` does when it starts.

    Refused while a service works with the database. There is no way back: keep a copy of what is worth keeping.
    """
    settings = read_settings({"data_dir": data_dir, "database_url": database_url})
    with told_in_a_sentence():
        from service import store  # noqa: PLC0415  as in serve

        before = store.upgrade(settings.database)
    if before.fit:
        out().print(f"the tables are at revision {before.found} already: nothing was changed")
    else:
        out().print(f"the tables were brought from revision {before.found or 'none'} to {before.wanted}")
