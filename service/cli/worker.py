"""``etude worker``: one process that trains on one device, or one such process for every device."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from search.fleet import Fleet, detect_devices
from search.launch import run_worker
from search.signals import stopped_by_signals
from search.staffing import parse_lanes
from service.cli.asking import Url, client
from service.cli.exits import Exit, Stop
from service.cli.logs import ending_in, set_up_log
from service.settings import LogFormat

EVERY_DEVICE = "all"
DRAIN_SECONDS = 20.0
LOOK_SECONDS = 1.0


def worker(
    url: Url = None,
    device: Annotated[
        str, typer.Option(help="cuda:N, cpu, auto: the first CUDA device, else a core; or all: one process for each.")
    ] = "auto",
    tasks: Annotated[
        str | None, typer.Option(help="Tasks to work on, separated by commas; all installed ones when not given.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Work only for this project.")] = None,
    study: Annotated[list[str] | None, typer.Option(help="Work only for this study; may be repeated.")] = None,
    lanes: Annotated[
        str, typer.Option(envvar="ETUDE_LANES", help="Trials to train at once: auto, as many as are fastest; or N.")
    ] = "auto",
    data_dir: Annotated[
        Path, typer.Option(envvar="ETUDE_DATA_DIR", help="Where it is remembered how many are fastest.")
    ] = Path("etude-data"),
    log_format: Annotated[
        LogFormat,
        typer.Option(envvar="ETUDE_LOG_FORMAT", help="Log as text, or as json: one object a line."),
    ] = "text",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    parent: Annotated[int | None, typer.Option(hidden=True, help="Stop when this process is gone.")] = None,
) -> None:
    """Train trials for a service until told to stop.

    The API key is read from ETUDE_API_KEY. Ctrl-C or SIGTERM gives back what it trains, then stops.
    """
    set_up_log(logging.INFO if verbose else logging.WARNING, log_format)
    n_lanes = _lanes(lanes)
    with ending_in(log_format), client(url) as service:
        if device == EVERY_DEVICE:
            chosen: dict[str, Sequence[str | None]] = {
                "--tasks": [tasks],
                "--project": [project],
                "--study": study or [],
                "--lanes": [lanes],
                "--data-dir": [str(data_dir)],
                "--log-format": [log_format],
            }
            flags = [f"{flag}={value}" for flag, values in chosen.items() for value in values if value is not None]
            _work_on_every_device(["--url", service.url, *flags, *(["--verbose"] if verbose else [])], parent)
            return
        code = run_worker(
            service.work(),
            device=device,
            tasks=None if tasks is None else [name.strip() for name in tasks.split(",") if name.strip()],
            project=project,
            studies=study or None,
            lanes=n_lanes,
            data_dir=data_dir,
            parent=parent,
        )
    raise typer.Exit(code)


def _lanes(said: str) -> int | None:
    try:
        return parse_lanes(said)
    except ValueError as error:
        raise Stop(Exit.UNSAFE, f"--lanes (ETUDE_LANES): {error}") from error


def _work_on_every_device(flags: Sequence[str], parent: int | None) -> None:
    slots = detect_devices()
    command = (sys.executable, "-m", "service", "worker", "--parent", str(os.getpid()), *flags)
    fleet = Fleet(command, slots)
    stop = threading.Event()
    try:
        with stopped_by_signals(stop, parent=parent):
            fleet.start()
            while not stop.wait(LOOK_SECONDS) and len(fleet.problems) < len(slots):
                pass
        problems = fleet.problems
    finally:
        fleet.stop(timeout=DRAIN_SECONDS)
    if len(problems) == len(slots):
        raise Stop(Exit.FAILED, "\n".join(problems))
