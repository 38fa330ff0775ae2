"""Real processes for the acceptance tests: started, watched, killed, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna

from search.space import Space
from search.study import Budget, StudyRequest, StudyState, TrialState
from service.client import Client
from service.schemas import StudyDetailOut

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
END_SECONDS = 60.0
LOOK_SECONDS = 0.05

CALM = Space(optimizers=("adamw",))
"""Recipes under which the straight line does not diverge."""


def until(condition: Callable[[], object], what: str, *, seconds: float = END_SECONDS) -> None:
    """Wait until the condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(LOOK_SECONDS)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_naming(text: str) -> list[int]:
    """Process ids whose command line or environment contains a text, this process's left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            said = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in said and is_alive(int(entry.name)):
            found.append(int(entry.name))
    return found


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with the repository importable from anywhere."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160", **more}


def etude(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
        check=False,
    )


@dataclass
class Running:
    """``etude serve`` in a process of its own.

    Attributes:
        home: directory of its log; its data directory is below.
    """

    process: subprocess.Popen[str]
    home: Path
    url: str = ""

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    def client(self) -> Client:
        return Client(self.url)

    def log(self) -> str:
        return (self.home / "serve.log").read_text()

    def worker_pids(self) -> list[int]:
        """The workers that have announced themselves and run now."""
        with self.client() as client:
            return [each.pid for each in client.workers() if each.pid is not None and is_alive(each.pid)]

    def wait_for_workers(self, count: int) -> list[int]:
        until(lambda: len(self.worker_pids()) >= count, f"{count} workers announce themselves\n{self.log()}")
        return self.worker_pids()

    def wait_for_end(self, study: str) -> StudyDetailOut:
        """Wait until the study is over, and return it."""
        with self.client() as client:
            until(lambda: client.study(study).state.is_final, f"study {study} ends\n{self.log()}")
            return client.study(study)

    def kill(self) -> None:
        """Kill the service outright; its workers see to themselves."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask the service to stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(END_SECONDS)


@contextmanager
def serving(
    home: Path,
    *flags: str,
    workers: int = 2,
    lanes: int | str = 1,
    port: str = "0",
    env: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """A service with local workers, until the block ends; then nothing of it runs any more."""
    home.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "service", "serve", "--json", "--data-dir", str(home / "data")]
    command += ["--port", port, "--workers", str(workers), "--lanes", str(lanes), *flags]
    # Its processes are known by this variable, which they all inherit.
    env = {**environment(), **(env or {}), "ACCEPTANCE_HOME": str(home)}
    with (home / "serve.log").open("a") as log:
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
    running = Running(process, home)
    try:
        running.url = _ready_url(process, running)
        yield running
    finally:
        if process.poll() is None:
            running.stop()
        assert process.stdout is not None
        process.stdout.close()
        end_all(str(home))


def _ready_url(process: subprocess.Popen[str], running: Running) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the service did not start:\n{running.log()}"
    url = json.loads(line)["url"]
    assert isinstance(url, str)
    return url


def end_all(text: str) -> None:
    """Kill what a broken test has left behind, by its id."""
    for pid in processes_naming(text):
        os.kill(pid, signal.SIGKILL)


def final_counts(study: StudyDetailOut) -> dict[str, int]:
    """Trials per state, those without any left out."""
    return {state.value: count for state, count in study.counts.items() if count}


def completed(study: StudyDetailOut, trials: int) -> None:
    """Check that a study has completed with exactly its budget."""
    assert study.state == StudyState.COMPLETED, study.reason
    assert sum(study.counts.values()) == trials
    assert study.progress.finished == trials


@contextmanager
def stored_study(name: str, database_url: str) -> Iterator[optuna.Study]:
    """The study as Optuna itself reads it from the database."""
    storage = optuna.storages.RDBStorage(database_url)
    try:
        yield optuna.load_study(study_name=f"default/{name}", storage=storage)
    finally:
        storage.engine.dispose()


def hold_trials(client: Client, shut: Callable[[], None], *, name: str, trials: int, held: int) -> None:
    """Shut the gate, post a study, and wait until ``held`` of its trials wait in the middle of their training."""
    shut()
    client.create_study(StudyRequest(name=name, task="gated", space=CALM, budget=Budget(trials=trials)))
    until(lambda: client.study(name).counts[TrialState.RUNNING] == held, f"{held} trials run")
