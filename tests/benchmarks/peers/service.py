"""The arms of our own: a real service with its workers, studies posted over HTTP."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from search.choices import PrunerChoice, SamplerChoice
from search.space import Space
from search.study import Budget, StudyRequest, StudyState, TrialState
from service.client import Client
from service.schemas import StudyDetailOut, TrialOut
from service.settings import Settings
from tests.acceptance.running import Running, processes_naming, serving
from tests.benchmarks.peers.figures import quantile
from tests.benchmarks.peers.processes import Failure
from tests.benchmarks.peers.values import Job, Ran, Run

GATE: Final = "gate"
STUDY: Final = "measured"
LOOK_SECONDS: Final = 0.1
CALM_SECONDS: Final = 2.0
MOST_LANES: Final = 100_000
STATES: Final = {
    TrialState.COMPLETED: "completed",
    TrialState.PRUNED: "pruned",
    TrialState.DIVERGED: "diverged",
    TrialState.CANCELLED: "failed",
    TrialState.FAILED: "failed",
}


def why_no_lanes() -> str | None:
    """Why the service cannot be told how many trials a worker trains at once; None when it can."""
    return None if "lanes" in Settings.model_fields else "workers of this version train one trial at a time"


def run_service(arm: str, job: Job, limit: float, *, lanes: str | None) -> Run:
    """Run one job through the whole service.

    Trials of another study keep every worker busy until all recipes of the measured one are queued: so the workers
    are warm when it begins, and no trial is drawn in place of a recipe.

    Args:
        lanes: trials that a worker trains at once, a number or ``auto``; None says nothing about it.

    Raises:
        Failure: the time was up.
    """
    started, deadline = time.perf_counter(), time.monotonic() + limit
    folder = job.folder / "service"
    with serving(folder, workers=job.processes, lanes=lanes or 1) as running, running.client() as client:
        _fill(client, job, deadline)
        rows = _rows(job.folder)
        asked = _post(client, job)
        client.cancel_study(GATE)
        ready = time.perf_counter()
        watched = _Watched(running)
        for study in _looks(client, deadline):
            watched.look(study)
        ended = time.perf_counter()
        trials = tuple(_ran(each) for each in client.trials(STUDY) if each.started_at is not None)
        facts = watched.facts() | _stored(job, rows) | {"ms to queue a recipe": 1000 * asked}
    return Run(arm=arm, startup_seconds=ready - started, total_seconds=ended - started, trials=trials, facts=facts)


def _fill(client: Client, job: Job, deadline: float) -> None:
    """Give every worker, and every lane of it, a trial that would go on for hours."""
    workload = job.workload
    calm = Space(optimizers=("adamw",), families=("constant",))
    client.create_study(
        StudyRequest(
            name=GATE,
            task=workload.task,
            task_options=workload.options,
            epochs=100_000,
            space=calm,
            sampler=SamplerChoice.model_validate({"kind": "random"}),
            budget=Budget(trials=MOST_LANES),
        )
    )
    n_running, since = 0, time.monotonic()
    while n_running < job.processes or time.monotonic() - since < CALM_SECONDS:
        _check(deadline)
        time.sleep(LOOK_SECONDS)
        study = client.study(GATE)
        if study.counts[TrialState.RUNNING] != n_running:
            n_running, since = study.counts[TrialState.RUNNING], time.monotonic()


def _post(client: Client, job: Job) -> float:
    """Post the study that is measured; the seconds that queueing a recipe took."""
    workload = job.workload
    client.create_study(
        StudyRequest(
            name=STUDY,
            task=workload.task,
            task_options=workload.options,
            epochs=workload.epochs,
            seed=job.seed,
            pruner=PrunerChoice(kind="halving" if job.halves else "none"),
            budget=Budget(trials=job.n_trials, target=workload.target if job.is_search else None),
        )
    )
    started = time.perf_counter()
    for recipe in job.recipes:
        client.enqueue_trial(STUDY, recipe)
    return (time.perf_counter() - started) / max(1, len(job.recipes))


def _looks(client: Client, deadline: float) -> Iterator[float]:
    """Look at the study until it is over; yield how many seconds each look took."""
    while True:
        _check(deadline)
        started = time.perf_counter()
        study: StudyDetailOut = client.study(STUDY)
        yield time.perf_counter() - started
        if study.state.is_final:
            if study.state is not StudyState.COMPLETED:
                raise Failure(f"the study ended as {study.state}: {study.reason}")
            return
        time.sleep(LOOK_SECONDS)


class _Watched:
    """What is measured of the service while it works."""

    def __init__(self, running: Running) -> None:
        self._home = str(running.home)
        self._seconds: list[float] = []
        self._kilobytes = 0

    def look(self, seconds: float) -> None:
        self._seconds.append(seconds)
        if len(self._seconds) % 10 == 1:
            self._kilobytes = max(self._kilobytes, _memory(self._home))

    def facts(self) -> dict[str, float]:
        times = [1000 * seconds for seconds in self._seconds]
        return {
            "API p50, ms": quantile(times, 0.5),
            "API p99, ms": quantile(times, 0.99),
            "memory of all processes, MiB": self._kilobytes / 1024,
        }


def _memory(home: str) -> int:
    """Memory of the service and its workers in KiB, what they share counted once."""
    total = 0
    for pid in processes_naming(home):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
    return total


def _rows(folder: Path) -> tuple[int, int]:
    """Rows of all tables of the service's database, and its bytes."""
    (file,) = (folder / "service" / "data").glob("*.db")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        names = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
        n_rows = sum(database.execute(f'select count(*) from "{name}"').fetchone()[0] for name in names)
        (n_bytes,) = database.execute(
            "select page_count * page_size from pragma_page_count(), pragma_page_size()"
        ).fetchone()
    return n_rows, n_bytes


def _stored(job: Job, before: tuple[int, int]) -> dict[str, float]:
    rows, size = _rows(job.folder)
    return {
        "rows per trial": (rows - before[0]) / job.n_trials,
        "KiB per trial": (size - before[1]) / 1024 / job.n_trials,
    }


def _ran(trial: TrialOut) -> Ran:
    assert trial.started_at is not None
    assert trial.finished_at is not None
    return Ran.model_validate(
        {
            "number": trial.number,
            "state": STATES[trial.state],
            "loss": trial.metrics.get("val_loss") if trial.state is not TrialState.DIVERGED else None,
            "updates": trial.update,
            "started_at": trial.started_at.timestamp(),
            "ended_at": trial.finished_at.timestamp(),
            "train_seconds": trial.train_seconds,
        }
    )


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise Failure("it was ended because its time was up")
