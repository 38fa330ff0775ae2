"""Logs as JSON: one object a line, whatever is in it, and never a secret."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from search.protocol import Failed
from search.training.trainer import Ended
from service.cli.child import ChildService
from service.cli.exits import Exit
from service.cli.logs import JsonLines
from tests.packaging.images import ROOT
from tests.service.by_hand import external_study
from tests.worker.office import Office
from tests.worker.test_worker import Hand

KEY = "a-key-not-to-be-seen"
PASSWORD = "a-password-not-to-be-seen"
FIELDS = {"project": "default", "study": "first", "trial": 0, "attempt": 1}


def a_record(message: str, *arguments: object, **others: Any) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "search.worker", "levelname": "WARNING", "msg": message, "args": arguments} | others
    )


def as_line(record: logging.LogRecord) -> dict[str, Any]:
    """The one line that the record makes, read again."""
    line = JsonLines().format(record)
    assert line.isascii()
    assert line.isprintable()
    read = json.loads(line)
    assert isinstance(read, dict)
    return read


def test_a_format_that_is_none_is_refused_by_service_and_worker(alone: Any) -> None:
    assert alone("serve", "--log-format", "xml").code == Exit.UNSAFE
    assert alone("worker", "--log-format", "xml").code == Exit.USAGE


@pytest.mark.parametrize(
    "text", ["two\nlines\r\n", "\x1b[31mred", "nul\0", "\u2028\u0085", '"quoted"\\', "größe", "\ud800"]
)
def test_whatever_a_message_holds_it_stays_on_its_line(text: str) -> None:
    assert as_line(a_record("it said %s", text))["message"] == f"it said {text}"


def test_a_record_has_its_time_in_utc_its_level_and_its_logger() -> None:
    line = as_line(a_record("here", created=0.5))
    assert line == {
        "time": "1970-01-01T00:00:00.500000+00:00",
        "level": "warning",
        "logger": "search.worker",
        "message": "here",
    }
    assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)


def test_an_exception_is_one_field_with_its_traceback() -> None:
    try:
        raise KeyError("left")
    except KeyError:
        line = as_line(a_record("it broke", exc_info=sys.exc_info()))
    assert line["message"] == "it broke"
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("KeyError: 'left'")


def test_what_concerns_an_attempt_names_it_in_fields(caplog: pytest.LogCaptureFixture) -> None:
    office = Office(budget={"trials": 1})
    Hand(office, lambda *_: Ended(Failed(cause="error", message="it broke\nbadly"), 0.0)).run_until_idle()
    (record,) = [each for each in caplog.records if each.name == "search.desk"]
    line = as_line(record)
    assert {name: line[name] for name in FIELDS} == FIELDS
    assert line["message"].endswith("attempt 1, failed (error): it broke\nbadly")
    assert line["worker"]
    assert line["device"] == "other:0"


def stderr_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.postgres
def test_every_line_of_a_service_and_its_workers_is_an_object_without_secrets(
    empty_postgres_url: str, tmp_path: Path
) -> None:
    url = empty_postgres_url.replace("etude@", f"etude:{PASSWORD}@")
    secrets = {"ETUDE_API_KEY": KEY, "ETUDE_DATABASE_URL": url, "ETUDE_LOG_FORMAT": "json"}
    service = ChildService(tmp_path, ("--verbose", "--workers", "1"), environment={**os.environ, **secrets})
    service.start()
    try:
        for key in (KEY, KEY + "x"):
            headers = {"Authorization": f"Bearer {key}"}
            httpx.post(f"{service.url}/v1/studies", json=external_study(), headers=headers, timeout=20)
    finally:
        service.stop()
    written = service.log.read_text()
    assert KEY not in written
    assert PASSWORD not in written
    lines = stderr_lines(written)
    messages = [line["message"] for line in lines]
    assert [each for each in messages if '"POST /v1/studies HTTP/1.1" 201' in each]
    assert [each for each in messages if '"POST /v1/studies HTTP/1.1" 401' in each]
    assert [each for each in messages if each.startswith("stopping: the workers give back")]
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(line) for line in lines))


def test_a_service_that_cannot_start_says_so_on_a_line_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        serve = [sys.executable, "-m", "service", "serve", "--log-format", "json", "--port", port]
        ran = subprocess.run(
            [*serve, "--data-dir", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
    assert ran.returncode == Exit.PORT_IN_USE
    (line,) = stderr_lines(ran.stderr)
    assert line["level"] == "error"
    assert f"port {port} on 127.0.0.1 is in use" in line["message"]


def test_a_worker_that_is_refused_says_so_on_a_line_too(tmp_path: Path) -> None:
    worker = [sys.executable, "-m", "service", "worker", "--device", "tpu"]
    environment = {**os.environ, "ETUDE_LOG_FORMAT": "json"}
    ran = subprocess.run(worker, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == Exit.REFUSED
    (line,) = stderr_lines(ran.stderr)
    assert "a device is cpu, cpu:N, cuda or cuda:N" in line["message"]
