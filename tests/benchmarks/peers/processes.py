"""Runs the scripts of an arm: starts them, starts their trials at one moment, and waits no longer than is allowed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.benchmarks.peers.child import MARK, TRIALS
from tests.benchmarks.peers.values import Job, Ran, Run

ROOT: Final = Path(__file__).parents[3]
END_SECONDS: Final = 10.0


class Failure(Exception):
    """An arm did not do what it was to do; one sentence says what happened."""


def run_scripts(
    arm: str,
    module: str,
    job: Job,
    limit: float,
    *,
    n_processes: int,
    python: str = sys.executable,
    environment: Mapping[str, str] = {},
) -> Run:
    """Run one script in so many processes on one job, for so many seconds at most.

    Raises:
        Failure: a process ended without a result, or the time was up.
    """
    started = time.perf_counter()
    path = job.folder / "job.json"
    path.write_text(job.model_dump_json())
    command = [python, "-m", module, str(path)]
    with _started(command, n_processes, job.folder, environment, limit) as children:
        for child in children:
            child.hear()
        ready = time.perf_counter()
        for child in children:
            child.start_trials()
        trials = [ran for child in children for ran in TRIALS.validate_json(child.hear())]
        ended = time.perf_counter()
    return Run(arm=arm, startup_seconds=ready - started, total_seconds=ended - started, trials=_sorted(trials))


class _Child:
    """One process of a script."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self._log = log
        self.is_late = False
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def hear(self) -> str:
        """The next thing that it says."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(MARK):
                return line.removeprefix(MARK).strip()
        if self.is_late:
            raise Failure("it was ended because its time was up")
        said = self._log.read_text().strip().splitlines()
        raise Failure(f"it ended without a result: {said[-1][:300] if said else 'nothing was said'}")

    def start_trials(self) -> None:
        """Let its trials begin."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, and is heard no more
            self.process.stdin.write("start\n")
            self.process.stdin.flush()

    def end(self) -> None:
        """End it, if it has not ended."""
        self.is_late = True
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Close what it was spoken with through."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


@contextmanager
def _started(
    command: Sequence[str], n_processes: int, folder: Path, environment: Mapping[str, str], limit: float
) -> Iterator[list[_Child]]:
    children: list[_Child] = []
    alarm = threading.Timer(limit, _end, [children])
    try:
        logs = (folder / f"script-{number}.log" for number in range(n_processes))
        children.extend(_Child([*command, str(number)], log, environment) for number, log in enumerate(logs))
        alarm.start()
        yield children
    finally:
        alarm.cancel()
        _end(children)
        for child in children:
            child.close()


def _end(children: Iterable[_Child]) -> None:
    for child in children:
        child.end()


def _sorted(trials: Sequence[Ran]) -> tuple[Ran, ...]:
    return tuple(sorted(trials, key=lambda ran: ran.number))
