"""``etude weights`` and ``etude logs``: what is kept of a trial besides its figures."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from search.logs import visible
from service.cli.asking import Name, Project, Url, client
from service.cli.console import err, out, plain
from service.cli.exits import Exit, Stop
from service.client import Client

BEST = "best"


def weights(
    name: Name,
    trial: Annotated[str, typer.Argument(help="A trial's number, or best.")] = BEST,
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    url: Url = None,
    project: Project = "default",
) -> None:
    """Download the weights of a trial, as a safetensors file whose SHA-256 is checked."""
    if trial != BEST and not trial.isdecimal():
        raise Stop(Exit.USAGE, f"name a trial by its number, or ask for the best one with {BEST}, not {trial!r}")
    if file is None:
        raise Stop(Exit.USAGE, "name the file to write with --output FILE")
    if file.exists() and not force:
        raise Stop(Exit.REFUSED, f"{file} is there already: choose another name, or replace it with --force")
    with client(url, project) as service:
        number = service.best(name).trial.number if trial == BEST else int(trial)
        size = _download(service, name, number, file)
    out().print(f"trial {number} of {plain(name)}: {size} bytes in {plain(str(file))}")


def _download(service: Client, study: str, number: int, file: Path) -> int:
    """Write beside the file first: one that breaks off must not stand under its name."""
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as opened:
            size = service.download_weights(study, number, opened).size_bytes
        beside.replace(file)
    except OSError as error:
        raise Stop(Exit.FAILED, f"{file} cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)
    return size


def logs(
    name: Name,
    trial: Annotated[int, typer.Argument(help="The trial's number.", min=0, show_default=False)],
    attempt: Annotated[
        int | None, typer.Option("--attempt", min=1, help="Which attempt; the newest when not given.")
    ] = None,
    url: Url = None,
    project: Project = "default",
) -> None:
    """Print the end of what an attempt at a trial printed and logged, a failure's traceback included."""
    with client(url, project) as service:
        attempts = {each.attempt: each for each in service.attempts(name, trial)}
        if not attempts:
            raise Stop(Exit.NOT_FOUND, f"trial {trial} of study {name} has not been started yet")
        number = max(attempts) if attempt is None else attempt
        log = service.log(name, trial, number)
    if log:
        # Escaped here too: whatever the service is, it must not speak to this terminal.
        sys.stdout.write(visible(log.rstrip("\n")) + "\n")
        return
    ending = attempts[number].ending or "still runs, and its log comes with its end"
    err().print(f"attempt {number} at trial {trial} has said nothing: {plain(ending)}")
