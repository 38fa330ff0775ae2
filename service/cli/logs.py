"""The log of a process that keeps running, as lines for people or as JSON for machines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import optuna
import typer

from search.errors import SearchError
from service.cli.console import err
from service.cli.exits import Stop, exit_of
from service.settings import LogFormat

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

FIELDS = ("project", "study", "trial", "attempt", "worker", "device")
"""What a record may say of what it concerns, each in a field of its own."""

_log = logging.getLogger("etude")


class JsonLines(logging.Formatter):
    """One JSON object in ASCII for each record, and nothing in it that ends its line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up_log(level: int, log_format: LogFormat) -> None:
    """Log to standard error, each record with its time."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level, handlers=[handler])
    # What the command itself has to say is no less wanted in JSON than on a terminal.
    _log.setLevel(logging.INFO)
    # Of each request that the service sends or takes there is a line: only for those who ask for it.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    # Optuna would write lines of its own form.
    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()


def tell(log_format: LogFormat, level: int, sentence: str) -> None:
    """Say something to whoever started the command, on standard error; in JSON it is a record like all others."""
    if log_format == "json":
        _log.log(level, "%s", sentence)
    else:
        err().print(sentence, markup=False)


@contextmanager
def ending_in(log_format: LogFormat) -> Iterator[None]:
    """Let the sentence that ends a command be a record too, where every line is one."""
    try:
        yield
    except (Stop, SearchError) as error:
        if log_format == "text":
            raise
        _log.error("%s", error)
        raise typer.Exit(error.code if isinstance(error, Stop) else exit_of(error)) from error
