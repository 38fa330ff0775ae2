"""``etude demo``: the whole path once, from a posted study to the best recipe, leaving nothing running."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from search.errors import SearchError
from search.study import Budget, StudyRequest
from service.cli.child import ChildService
from service.cli.console import err, out
from service.cli.exits import Exit, Stop
from service.cli.studies import show_answers
from service.cli.watching import exit_of_state, watch_study
from service.client import Client
from service.schemas import StudyDetailOut


def demo(
    trials: Annotated[int, typer.Option(min=1, help="Trials of the study.")] = 60,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each trial.")] = 20,
    task: Annotated[str, typer.Option(help="Task to train.")] = "digits-mlp",
    workers: Annotated[str, typer.Option(help="Local workers: auto, one per device; N; or cuda=auto,cpu=2.")] = "auto",
    directory: Annotated[Path, typer.Option(help="Where each run makes a data directory.")] = Path("etude-demo"),
) -> None:
    """Start a service of its own, run a study from end to end, show what it found, stop the service.

    May be run twice at once, and beside a running service. The study stays: the last lines say how to reopen it.
    """
    home = new_directory(directory)
    request = StudyRequest(name=f"demo-{home.name}", task=task, epochs=epochs, budget=Budget(trials=trials))
    console = out()
    console.print(f"starting a service of its own, data in {home} …")
    service = ChildService(home, ["--workers", workers])
    with _interrupts(), _stopping(service) as pids:
        service.start()
        console.print(f"  dashboard  {service.url}/dashboard\n  API docs   {service.url}/docs\n")
        study = _run(service, request, pids)
    _say_how_to_reopen(home, study)
    raise typer.Exit(exit_of_state(study.state))


def new_directory(parent: Path) -> Path:
    """A directory that no other run has, named for the time.

    Raises:
        Stop: it cannot be made.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        home = parent / f"{stamp}{suffix}"
        try:
            home.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise Stop(Exit.NO_SPACE, f"{home} cannot be made: {error.strerror}") from error
        return home
    raise Stop(Exit.FAILED, f"{parent} holds a hundred runs of this second: run it again")


def _run(service: ChildService, request: StudyRequest, pids: set[int]) -> StudyDetailOut:
    def check(grace_seconds: float = 0.0) -> None:
        if service.ends_within(grace_seconds):
            raise Stop(Exit.FAILED, service.explain("the service ended in the middle of the study"))

    with Client(service.url) as client:
        try:
            posted = client.create_study(request)
            out().print(
                f"posted study {posted.name}: {request.budget.trials} trials × {request.epochs} epochs "
                f"of {posted.task}, {posted.plan.horizon} updates each"
            )
            study = watch_study(client, posted.name, check=check)
            pids.update(worker.pid for worker in client.workers() if worker.pid is not None)
        except SearchError:
            # Of two explanations the better one: a service that is gone explains a refused connection.
            check(grace_seconds=1.0)
            raise
        out().print()
        show_answers(client, study)
    return study


@contextlib.contextmanager
def _stopping(service: ChildService) -> Iterator[set[int]]:
    """Stop the service at the end, however the end comes; the workers' process ids are collected in the set."""
    pids: set[int] = set()
    try:
        yield pids
    finally:
        with contextlib.suppress(SearchError), Client(service.url or None) as client:
            if service.url:
                pids.update(worker.pid for worker in client.workers() if worker.pid is not None)
        forced = service.stop(pids)
        if forced:
            err().print(f"had to be stopped by force: {', '.join(map(str, forced))}")


@contextlib.contextmanager
def _interrupts() -> Iterator[None]:
    """SIGTERM ends the command in order, as ctrl-C does; once it is ending, neither disturbs it."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
    for each in (signal.SIGINT, signal.SIGTERM):
        before[each] = signal.signal(each, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_how_to_reopen(home: Path, study: StudyDetailOut) -> None:
    console = out()
    console.print("\nNothing is left running. To look at this study again:\n")
    console.print(f"  {_etude()} serve --data-dir {home}", markup=False, soft_wrap=True)
    console.print(f"  http://127.0.0.1:8000/dashboard   its learning curves: study default/{study.name}")
    console.print("  http://127.0.0.1:8000/docs        the API")


def _etude() -> str:
    """How to call this program from here."""
    script = Path(sys.executable).with_name("etude")
    if not script.exists():
        return f"{sys.executable} -m service"
    relative = os.path.relpath(script)
    return str(script) if relative.startswith("..") else relative
