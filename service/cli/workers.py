"""``etude workers``: who trains what, on which device, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table

from search.suiting import in_gib
from service.cli.asking import Json, Project, Url, client
from service.cli.console import coloured, out, plain, print_json, seconds, table
from service.schemas import WorkerOut


def workers(url: Url = None, project: Project = "default", as_json: Json = False) -> None:
    """List the workers: device, what each trains for the project, how far it is, and its updates per second."""
    with client(url, project) as service:
        found = list(service.workers())
    if as_json:
        print_json(found)
    elif found:
        out().print(workers_table(found, datetime.now(UTC)))
    else:
        out().print("no worker has been heard of lately: `etude worker` starts one, or --workers of `etude serve`")


def workers_table(found: Sequence[WorkerOut], now: datetime) -> Table:
    """One line for each worker."""
    shown = table("worker", "host", "device", "memory", "state", "trains", "done", "updates/s", "seen")
    for worker in found:
        device = worker.device
        shown.add_row(
            plain(worker.worker),
            plain(worker.host),
            plain(f"{device.kind}:{device.index} {device.name}".rstrip()),
            "–" if device.memory_bytes is None else in_gib(device.memory_bytes),
            coloured(worker.state),
            plain(_trials(worker)) or "–",
            _share_done(worker),
            _speed(worker.updates_per_second),
            f"{seconds(max(0.0, (now - worker.seen_at).total_seconds()))} ago",
        )
    return shown


def _trials(worker: WorkerOut) -> str:
    """What it trains: one trial by its number, several by how many of which studies."""
    if len(worker.trials) == 1:
        (only,) = worker.trials
        told = [f"{only.study} {only.trial}" + (f", attempt {only.attempt}" if only.attempt > 1 else "")]
    else:
        studies = [each.study for each in worker.trials]
        told = [f"{studies.count(study)} trials of {study}" for study in dict.fromkeys(studies)]
    if worker.other_trials:
        told.append(f"{worker.other_trials} of other projects")
    return "; ".join(told)


def _share_done(worker: WorkerOut) -> str:
    """The updates done of all its trials together."""
    if not worker.trials:
        return "–"
    done = sum(each.update for each in worker.trials) / sum(each.horizon for each in worker.trials)
    return f"{done:.0%}"


def _speed(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"
