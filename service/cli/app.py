"""The ``etude`` command: its commands, and how every error leaves as a sentence and an exit code."""

from __future__ import annotations

import io
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from search.errors import SearchError
from service.cli import artifacts, db, demo, doctor, export, preview, serve, studies, worker, workers
from service.cli.console import err
from service.cli.exits import EPILOG, Exit, Stop, exit_of

app = typer.Typer(
    name="etude",
    help="Which learning-rate schedule, with which optimizer, trains my model best within my budget?",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS = (
    (serve.serve, worker.worker, workers.workers, demo.demo, doctor.doctor),
    (studies.submit, studies.studies, studies.show, studies.watch, studies.best, export.export),
    (artifacts.weights, artifacts.logs),
    (studies.pause, studies.resume, studies.cancel, studies.tasks, preview.preview, preview.gallery),
)
for each in (command for group in COMMANDS for command in group):
    app.command()(each)
app.add_typer(db.db)


def _version(wanted: bool) -> None:
    if wanted:
        try:
            sys.stdout.write(f"etude {version('etude')}\n")
        except PackageNotFoundError:
            sys.stdout.write("etude (not installed)\n")
        raise typer.Exit


@app.callback()
def etude(
    _version_wanted: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; end the process with one of the codes of ``Exit``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows only ASCII shows question marks in drawings rather than nothing.
            stream.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; errors are told on standard error, in a sentence."""
    try:
        app(arguments, prog_name="etude")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else Exit.FAILED
    except Stop as stop:
        return _told(stop.code, str(stop))
    except SearchError as error:
        return _told(exit_of(error), str(error))
    except KeyboardInterrupt:
        return _told(Exit.INTERRUPTED, "interrupted")
    except OSError as error:
        return _told(Exit.FAILED, str(error))
    return Exit.OK


def _told(code: Exit, sentence: str) -> int:
    err().print(f"etude: {sentence}", markup=False)
    return code
