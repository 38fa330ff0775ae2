"""``etude worker``: one process that trains on one device."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from search.launch import run_worker
from service.cli.asking import Url, client
from service.cli.logs import set_up_log


def worker(
    url: Url = None,
    device: Annotated[str, typer.Option(help="cuda:N, cpu, or auto: the first CUDA device, else a core.")] = "auto",
    tasks: Annotated[
        str | None, typer.Option(help="Tasks to work on, separated by commas; all installed ones when not given.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Work only for this project.")] = None,
    study: Annotated[list[str] | None, typer.Option(help="Work only for this study; may be repeated.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    parent: Annotated[int | None, typer.Option(hidden=True, help="Stop when this process is gone.")] = None,
) -> None:
    """Train trials for a service until told to stop.

    The API key is read from ETUDE_API_KEY. Ctrl-C or SIGTERM gives the trial at hand back, then stops.
    """
    set_up_log(logging.INFO if verbose else logging.WARNING)
    with client(url) as service:
        code = run_worker(
            service.work(),
            device=device,
            tasks=None if tasks is None else [name.strip() for name in tasks.split(",") if name.strip()],
            project=project,
            studies=study or None,
            parent=parent,
        )
    raise typer.Exit(code)
