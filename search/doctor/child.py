"""A process of its own for what may crash or hang: what it found until then is kept, and it is ended in time.

The two speak over a pipe of their own, a line of JSON each time: what a stranger's program prints is not taken for a
diagnosis.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Final

from search.doctor.diagnosis import Diagnosis
from search.logs import visible

START_SECONDS: Final = 120.0
"""Importing torch and starting CUDA on a cold machine."""

LEAVE_SECONDS: Final = 10.0
"""How long a process may take to end that has told all."""

TAIL_BYTES: Final = 2000


@dataclass(frozen=True)
class Stage:
    """What the child does now.

    Attributes:
        check: as in the diagnosis that will come of it.
        doing: as a noun: ``the loading of the data``.
    """

    check: str
    doing: str


@dataclass(frozen=True)
class Ended:
    """How the child ended.

    Attributes:
        how: in words, as the rest of a sentence; empty for an end in order.
        during: what it was doing then; None before it began with anything.
        said: the tail of what it wrote to standard error.
    """

    how: str
    during: Stage | None
    said: str


class Teller:
    """The child's end of the pipe."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe

    def begin(self, check: str, doing: str) -> None:
        """Say what comes next; the time limit begins with the first of these."""
        self._write({"check": check, "doing": doing})

    def tell(self, diagnosis: Diagnosis) -> None:
        self._write({"diagnosis": diagnosis.model_dump(mode="json")})

    def _write(self, line: Mapping[str, Any]) -> None:
        self._pipe.write(json.dumps(line) + "\n")
        self._pipe.flush()


def telling() -> tuple[Teller, list[str]]:
    """What a child is given: somebody to tell, and its arguments."""
    pipe, *arguments = sys.argv[1:]
    return Teller(os.fdopen(int(pipe), "w", encoding="utf-8")), arguments


def consult(
    module: str, arguments: list[str], environment: Mapping[str, str], *, seconds: float
) -> Iterator[Diagnosis | Stage | Ended]:
    """Run a module in a process of its own and yield what it tells; ``Ended`` comes last.

    Args:
        seconds: how long it may take from the first stage on; before that it imports torch, which may take longer.
    """
    reading, writing = os.pipe()
    command = [sys.executable, "-m", module, str(writing), *arguments]
    with tempfile.TemporaryFile() as said, os.fdopen(reading, "rb", buffering=0) as pipe:
        # A session of its own: whatever it starts ends with it.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            pass_fds=(writing,),
            env=dict(environment),
            start_new_session=True,
        )
        os.close(writing)
        try:
            heard = yield from _heard(pipe, seconds)
            how = _how(process, heard.limit)
        finally:
            _kill(process)
        yield Ended(how, heard.during, _tail(said))


@dataclass(frozen=True)
class _Heard:
    """What a child was doing when it fell silent; ``limit`` is the time that was over, in seconds."""

    during: Stage | None
    limit: float | None


def _heard(pipe: IO[bytes], seconds: float) -> Generator[Diagnosis | Stage, None, _Heard]:
    during: Stage | None = None
    rest, limit, began = b"", START_SECONDS, time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while selector.select(max(0.0, began + limit - time.monotonic())):
            read = pipe.read(1 << 16)
            if not read:
                return _Heard(during, None)
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                told = _understood(line)
                if isinstance(told, Stage):
                    if during is None:
                        limit, began = seconds, time.monotonic()
                    during = told
                yield told
    return _Heard(during, limit)


def _understood(line: bytes) -> Diagnosis | Stage:
    told = json.loads(line)
    return Stage(**told) if "doing" in told else Diagnosis.model_validate(told["diagnosis"])


def _how(process: subprocess.Popen[bytes], limit: float | None) -> str:
    """How a process ended, or will be ended: its pipe is closed, or its time over."""
    if limit is None:
        try:
            code = process.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            limit = LEAVE_SECONDS
        else:
            return "" if code == 0 else _of_code(code)
    return f"was stopped after {limit:g} seconds"


def _of_code(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started in its session."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - TAIL_BYTES))
    return visible(said.read().decode("utf-8", "replace")).strip()
