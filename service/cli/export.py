"""``etude export``: the best recipe of a study for another program, and what can be written for which."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, get_args

import typer

from schedules.export import TARGETS, Target, markdown, table
from service.cli.asking import Project, Url, client
from service.cli.exits import Exit, Stop


def export(
    name: Annotated[str | None, typer.Argument(help="The study's name.", show_default=False)] = None,
    to: Annotated[str, typer.Option(help=f"{', '.join(TARGETS)}.")] = "torch",
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Write to this file.")] = None,
    table_: Annotated[
        bool, typer.Option("--table", help="Show what becomes of every schedule in each target. Needs no service.")
    ] = False,
    url: Url = None,
    project: Project = "default",
) -> None:
    """Write the best recipe as code without any dependency on this project, as JSON, or as a curve in CSV."""
    if table_:
        _write(markdown(table()), file)
        return
    if name is None:
        raise Stop(Exit.USAGE, "name a study, or ask for the table of what can be written with --table")
    with client(url, project) as service:
        _write(service.export_best(name, _target(to)), file)


def _target(name: str) -> Target:
    for target in get_args(Target):
        if name == target:
            known: Target = target
            return known
    raise Stop(Exit.USAGE, f"--to takes {', '.join(TARGETS)}, not {name!r}")


def _write(text: str, file: Path | None) -> None:
    if file is None:
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(Exit.FAILED, f"{file} cannot be written: {error.strerror}") from error
