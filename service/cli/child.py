"""A service in a child process: started, found, and stopped with everything that it started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from service.cli.exits import Exit, Stop

START_SECONDS = 90.0
STOP_SECONDS = 30.0
LOG_TAIL_LINES = 15


class ChildService:
    """``etude serve`` on a free port, as a child of this process.

    Args:
        directory: its data directory, made by the caller; the log goes to ``serve.log`` in it.
        arguments: further flags of ``serve``.
        environment: of the child; this process's own without any ``ETUDE_*`` variable when not given, so that
            settings meant for another service do not reach this one.
    """

    def __init__(
        self, directory: Path, arguments: Iterable[str] = (), *, environment: Mapping[str, str] | None = None
    ) -> None:
        self.directory = directory
        self.log = directory / "serve.log"
        self._command = [
            *(sys.executable, "-m", "service", "serve", "--json", "--parent", str(os.getpid())),
            *("--data-dir", str(directory), "--port", "0", *arguments),
        ]
        self._environment = dict(environment) if environment is not None else _without_settings()
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        """Start the service and wait until it answers.

        Raises:
            Stop: it ended before, or did not answer in time; the sentence ends with the tail of its log.
        """
        with self.log.open("a") as log:
            # A session of its own: ctrl-C reaches this process only, which then stops the service in order.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        line = _first_line(self._process.stdout, START_SECONDS)
        if not line:
            raise Stop(Exit.FAILED, self.explain("the service did not start"))
        self.url = json.loads(line)["url"]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def ends_within(self, seconds: float) -> bool:
        """Whether the service has ended, or does so within a moment."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def explain(self, what: str) -> str:
        """``what`` happened, and the end of the service's log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        tail = "\n".join(f"  {line}" for line in lines[-LOG_TAIL_LINES:])
        return f"{what}; its log {self.log} ends with:\n{tail}" if tail else f"{what}; its log {self.log} is empty"

    def stop(self, pids: Iterable[int] = ()) -> list[int]:
        """Stop the service in order, and then by force what is left of it and of its workers ``pids``.

        Returns:
            The processes that had to be stopped by force.
        """
        if self._process is None:
            return []
        forced = [] if _ends(self._process) else [self._process.pid]
        if forced:
            self._process.kill()
            self._process.wait()
        for pid in pids:
            if _runs_us(pid):
                os.kill(pid, signal.SIGKILL)
                forced.append(pid)
        return forced


def _ends(process: subprocess.Popen[str]) -> bool:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _runs_us(pid: int) -> bool:
    """Whether ``pid`` still runs this program: its number may belong to another one by now."""
    try:
        return b"\0service\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _first_line(pipe: IO[str], seconds: float) -> str:
    """The first line from a pipe, or nothing when it closes or stays silent; later lines are drained."""
    found: list[str] = []
    ready = threading.Event()

    def read() -> None:
        with pipe:
            found.append(pipe.readline())
            ready.set()
            for _ in pipe:
                pass

    threading.Thread(target=read, name="service-output", daemon=True).start()
    ready.wait(seconds)
    return found[0] if found else ""


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ETUDE_")}
