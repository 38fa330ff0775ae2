"""A worker's whole process, with an office in it that says aloud what it hears."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]

_PROGRAM = """
import json, sys, threading
from search.launch import run_worker
from tests.worker.office import Office

task, device, parent, hangs_at, fields = json.loads(sys.argv[1])

def say(kind):
    print(kind, flush=True)
    if kind == hangs_at:
        threading.Event().wait()

office = Office(None, **fields)
office.on_message = say
code = run_worker(office, device=device, tasks=[task], parent=parent)
print(json.dumps([[trial.state.value, trial.lost_attempts] for trial in office.trials]), flush=True)
sys.exit(code)
"""


def worker_command(
    task: str, *, device: str = "cpu:0", parent: int | None = None, hangs_at: str | None = None, **fields: Any
) -> list[str]:
    """The command of a worker that trains a study of this task, until it is told to stop.

    Args:
        hangs_at: the kind of message that is never answered.
        fields: of the office.
    """
    return [sys.executable, "-c", _PROGRAM, json.dumps([task, device, parent, hangs_at, fields])]


@contextmanager
def running(command: list[str], environment: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process whose output can be read, and of which nothing is left afterwards."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        output_of(process).close()


def output_of(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def read_until(process: subprocess.Popen[str], line: str) -> None:
    """Read the process's output up to a line that must come."""
    for each in output_of(process):
        if each.strip() == line:
            return
    raise AssertionError(f"the process ended without saying {line!r}")
