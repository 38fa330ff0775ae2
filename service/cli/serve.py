"""``etude serve``: the service and its local workers, until told to stop."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from search.devices import DeviceSlot
from search.errors import SearchError
from search.fleet import Fleet
from search.signals import stopped_by_signals
from search.tasks.files import VARIABLE as DATASETS
from service.cli.console import err
from service.cli.exits import Exit, Stop
from service.cli.logs import ending_in, set_up_log, tell
from service.cli.serving import Server, bind, prepare_directory
from service.settings import Settings

DRAIN_SECONDS = 20.0
ANNOUNCE_SECONDS = 30.0
"""Workers that have not announced themselves by then are not waited for any longer."""
LOOK_SECONDS = 0.1

Announced = Callable[[datetime], set[int]]
"""Process ids of the workers that have announced themselves since a moment."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [ETUDE_HOST, 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one. [ETUDE_PORT, 8000]")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the embedded database lives. [ETUDE_DATA_DIR, ./etude-data]")
    ] = None,
    datasets_dir: Annotated[
        Path | None,
        typer.Option(help="Where tasks find their data files. [ETUDE_DATASETS_DIR, datasets in the data directory]"),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(help="postgresql+psycopg://… or sqlite:///…  [ETUDE_DATABASE_URL, SQLite in the data directory]"),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(help="Local workers: auto, one per device; or N; or cuda=auto,cpu=2. [ETUDE_WORKERS, auto]"),
    ] = None,
    lanes: Annotated[
        str | None,
        typer.Option(help="Trials that a worker trains at once: auto, the fastest; or N. [ETUDE_LANES, auto]"),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate, PEM. [ETUDE_TLS_CERT]")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM. [ETUDE_TLS_KEY]")] = None,
    allowed_hosts: Annotated[
        str | None, typer.Option(help="Host names to answer to, separated by commas. [ETUDE_ALLOWED_HOSTS]")
    ] = None,
    lease_seconds: Annotated[
        float | None, typer.Option(help="A worker unheard of for so long loses its trials. [ETUDE_LEASE_SECONDS, 60]")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(help="Log as text, or as json: one object a line. [ETUDE_LOG_FORMAT, text]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON when ready.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every request.")] = False,
    parent: Annotated[int | None, typer.Option(hidden=True, help="Stop when this process is gone.")] = None,
) -> None:
    """Start the service with its local workers and keep it running.

    The API key is read from ETUDE_API_KEY only: a command line is seen by everybody on the machine.
    Ctrl-C or SIGTERM drains the workers, then stops; a second one stops at once.
    """
    flags = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "datasets_dir": datasets_dir,
        "database_url": database_url,
        "workers": workers,
        "lanes": lanes,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "allowed_hosts": allowed_hosts,
        "lease_seconds": lease_seconds,
        "log_format": log_format,
    }
    settings = read_settings(flags)
    set_up_log(logging.INFO if verbose else logging.WARNING, settings.log_format)
    with ending_in(settings.log_format):
        run(settings, _announce_json if as_json else _announce, parent=parent)


def read_settings(flags: dict[str, Any]) -> Settings:
    """Settings from the flags given, the environment, and the defaults, in this order.

    Raises:
        Stop: they are wrong or unsafe.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given, worker_key=secrets.token_urlsafe(32))
    except ValidationError as error:
        raise Stop(Exit.UNSAFE, _what_is_wrong(error)) from error
    for file in (settings.tls_cert, settings.tls_key):
        if file is not None and not os.access(file, os.R_OK):
            raise Stop(
                Exit.UNSAFE, f"the TLS file {file} cannot be read: name one that exists and that this user may read"
            )
    return settings


def run(settings: Settings, announce: Callable[[Settings], None], *, parent: int | None = None) -> None:
    """Serve with local workers until a signal arrives, the parent is gone, or the server ends."""
    prepare_directory(settings.data_dir)
    with bind(settings.host, settings.port) as listening:
        settings = settings.model_copy(update={"port": listening.getsockname()[1]})
        _warn(settings)
        fleet = local_fleet(settings)
        tls = (settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
        with told_in_a_sentence():
            # The web framework costs a second that --help and the other commands should not wait for.
            from service.app import create_app  # noqa: PLC0415

            app = create_app(settings)
            server = Server(app, listening, tls=tls)
            server.start()

        def announced(since: datetime) -> set[int]:
            records = app.state.opened.store.workers(since)
            return {each.announcement.pid for each in records if each.announced_at >= since}

        app.state.local_workers = fleet
        _serve(settings, server, fleet, announced, announce, parent)
    if server.broke:
        raise Stop(Exit.FAILED, "the web server ended by itself; its log above says why")


def _serve(
    settings: Settings,
    server: Server,
    fleet: Fleet,
    announced: Announced,
    announce: Callable[[Settings], None],
    parent: int | None,
) -> None:
    """Keep the workers of a running server, until it is to end; then end both."""

    def hurry(_code: int) -> None:
        server.hurry()
        fleet.stop(timeout=0.0)

    try:
        with stopped_by_signals(server.ended, parent=parent, end=hurry):
            started_at = datetime.now(UTC)
            fleet.start()
            wait_for_workers(fleet, lambda: announced(started_at), server.ended)
            if not server.ended.is_set():
                announce(settings)
            server.ended.wait()
            stopping = "stopping: the workers give back what they hold; a second signal stops at once"
            tell(settings.log_format, logging.INFO, stopping)
            fleet.stop(timeout=DRAIN_SECONDS)
            server.stop()
    finally:
        fleet.stop(timeout=0.0)
        server.stop()


def wait_for_workers(
    fleet: Fleet, announced: Callable[[], set[int]], ended: threading.Event, *, seconds: float = ANNOUNCE_SECONDS
) -> None:
    """Wait until the workers that run have announced themselves, and with them the tasks of this machine.

    Returns when ``ended`` is set, when no worker runs, or after ``seconds`` as well.
    """
    give_up_at = time.monotonic() + seconds
    while (running := set(fleet.pids)) and time.monotonic() < give_up_at:
        # A database that cannot answer now is no reason to end.
        with suppress(SearchError):
            if running <= announced():
                return
        if ended.wait(LOOK_SECONDS):
            return


def local_fleet(settings: Settings) -> Fleet:
    """The workers that the service starts itself; their key is made for this start and travels in their environment."""
    command = [sys.executable, "-m", "service", "worker", "--url", settings.local_url]
    command += ["--parent", str(os.getpid())]
    environment = {name: value for name, value in os.environ.items() if name != "ETUDE_DATABASE_URL"}
    environment |= {DATASETS: str(settings.datasets), "ETUDE_DATA_DIR": str(settings.data_dir.absolute())}
    environment["ETUDE_LANES"] = settings.lanes
    if settings.tls_cert is not None:
        environment["ETUDE_TLS_CERT"] = str(settings.tls_cert)
    environment |= {"ETUDE_API_KEY": settings.worker_key or "", "ETUDE_LOG_FORMAT": settings.log_format}
    return Fleet(command, _slots(settings), environment)


def _slots(settings: Settings) -> list[DeviceSlot]:
    try:
        return settings.workers.slots()
    except ValueError as error:
        raise Stop(Exit.UNSAFE, f"--workers (ETUDE_WORKERS) {settings.workers}: {error}") from error


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """Let errors of settings and database leave as one sentence, each with its exit code."""
    from service.store import errors as store  # noqa: PLC0415  as above

    codes = (
        (store.DatabaseInUse, Exit.DATA_IN_USE),
        (store.DiskFull, Exit.NO_SPACE),
        (store.WrongSchema, Exit.WRONG_SCHEMA),
        (SearchError, Exit.NO_DATABASE),
        (ValueError, Exit.UNSAFE),
    )
    try:
        yield
    except tuple(kind for kind, _ in codes) as error:
        code = next(code for kind, code in codes if isinstance(error, kind))
        raise Stop(code, str(error)) from error


def _what_is_wrong(error: ValidationError) -> str:
    sentences = []
    for each in error.errors(include_url=False):
        rule = each["msg"].removeprefix("Value error, ")
        name = str(each["loc"][0]) if each["loc"] else ""
        flag = f"--{name.replace('_', '-')} (ETUDE_{name.upper()}): " if name else ""
        found = f" (found: {each['input']!r:.80})" if name and "key" not in name and "url" not in name else ""
        sentences.append(f"{flag}{rule}{found}")
    return "\n".join(dict.fromkeys(sentences))


def _warn(settings: Settings) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        settings.warn()
    for warning in caught:
        tell(settings.log_format, logging.WARNING, f"warning: {warning.message}")
        # The application says it once more when it starts.
        warnings.filterwarnings("ignore", re.escape(str(warning.message)))


def _announce(settings: Settings) -> None:
    url = settings.local_url
    if settings.log_format == "json":
        tell("json", logging.INFO, f"ready at {url}")
        return
    database = "" if settings.database_url is None else "  (database: as ETUDE_DATABASE_URL says)"
    console = err()
    console.print(f"[bold]Etude is ready at {url}[/]   ctrl-C stops it")
    console.print(f"  dashboard  {url}/dashboard")
    console.print(f"  API docs   {url}/docs")
    console.print(f"  data       {settings.data_dir.resolve()}{database}")


def _announce_json(settings: Settings) -> None:
    url = settings.local_url
    ready = {
        "url": url,
        "dashboard": f"{url}/dashboard",
        "docs": f"{url}/docs",
        "data_dir": str(settings.data_dir.resolve()),
        "pid": os.getpid(),
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
