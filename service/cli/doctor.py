"""``etude doctor``: what works here, what does not, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from search.devices import DeviceSlot, detect_devices, parse_slot
from search.doctor.diagnosis import Diagnosis, failing
from search.doctor.task import SECONDS, look_at_task
from service.cli.asking import Json
from service.cli.console import coloured, err, out, plain, print_json, table
from service.cli.exits import Exit, Stop
from service.cli.requests import pairs, scalar
from service.cli.serve import read_settings
from service.doctor import Check, checks
from service.doctor.examination import environment_of_workers
from service.settings import Settings


def doctor(
    task: Annotated[str | None, typer.Option(help="Try this task, and look at nothing else.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="Task option NAME=VALUE; may be repeated.")] = None,
    device: Annotated[str, typer.Option(help="Where to try the task: cuda:N, cpu, or auto, as for worker.")] = "auto",
    seconds: Annotated[float, typer.Option(min=1, help="The task is stopped after so long.")] = SECONDS,
    host: Annotated[str | None, typer.Option(help="As for serve. [ETUDE_HOST, 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="As for serve. [ETUDE_PORT, 8000]")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="As for serve. [ETUDE_DATA_DIR, ./etude-data]")] = None,
    database_url: Annotated[
        str | None, typer.Option(help="As for serve. [ETUDE_DATABASE_URL, SQLite in the data directory]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at everything that Etude needs on this machine, and say what to do where something is wrong.

    Changes nothing, and works while a service runs. With --task one task is tried: data, model, speed, repetition.
    """
    if option and task is None:
        raise Stop(Exit.USAGE, "--option is for the task that --task names")
    flags = {"host": host, "port": port, "data_dir": data_dir, "database_url": database_url}
    found: list[Diagnosis] = []
    settings: Settings | None = None
    try:
        settings = read_settings(flags)
    except Stop as stop:
        found.append(failing("settings", str(stop), "correct the settings; what depends on them is not looked at"))
    if task is None:
        found += _looked(checks(settings))
    else:
        options = {name: scalar(value) for name, value in (pairs("--option", option or ()) or {}).items()}
        found += _looked([_trial_of(task, options, device, seconds, settings)])
    if as_json:
        print_json(found)
    else:
        _show(found)
    failed = list(dict.fromkeys(each.check for each in found if each.level == "fail"))
    if failed:
        raise Stop(Exit.FAILED, f"what does not work: {', '.join(failed)}")


def _trial_of(task: str, options: dict[str, Any], device: str, seconds: float, settings: Settings | None) -> Check:
    slot = _slot(device)
    environment = environment_of_workers(settings)
    return Check(
        f"task {task} on {slot.name}", lambda: look_at_task(task, options, environment, slot=slot, seconds=seconds)
    )


def _slot(device: str) -> DeviceSlot:
    try:
        slot = detect_devices()[0] if device == "auto" else parse_slot(device)
        slot.environment(os.environ)
    except ValueError as error:
        raise Stop(Exit.USAGE, str(error)) from error
    return slot


def _looked(asked: Iterable[Check]) -> Iterator[Diagnosis]:
    """Make each look, and say on a terminal at what, since some take seconds."""
    with err().status("") as status:
        for check in asked:
            status.update(f"looking at {plain(check.title)} …")
            yield from check.look()


def _show(found: list[Diagnosis]) -> None:
    """One line for each; below it what to do, where something is to be done."""
    lines = table("", "check", "what was found")
    for each in found:
        todo = f"\n[bold]→ {plain(each.todo)}[/]" if each.todo else ""
        lines.add_row(coloured(each.level), plain(each.check), f"{plain(each.sentence)}{todo}")
    out().print(lines)
    for each in found:
        if each.detail:
            out().print(f"\n[bold]{plain(each.check)}[/]\n{plain(each.detail.rstrip())}", soft_wrap=True)
