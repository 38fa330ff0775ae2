"""How fast the service is where training costs nothing: ``python -m tests.benchmarks.null [POSTGRES_URL]``.

A real server in a process of its own, and one client that trains nothing: it claims many lanes at once, reports all of
them in one call, ten times, and finishes them in one call. Times depend on the machine and on what else it does; best
of several runs. Transactions and statements do not.
"""

from __future__ import annotations

import cProfile
import math
import os
import pstats
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import optuna

from search.choices import SamplerKind
from search.conductor import Conductor
from search.planning import EXTERNAL, make_plan
from search.protocol import (
    Assignment,
    ClaimRequest,
    Completed,
    Fence,
    FinishRequest,
    Point,
    ReportRequest,
    TrialFinish,
    TrialReport,
)
from search.study import Study, StudyRequest, StudyState
from service.client import Client
from service.connection import Connection
from service.ensemble import Ensemble
from service.store import open_store
from service.store.store import utc_now
from service.work import HttpWork
from tests.acceptance.running import serving
from tests.benchmarks.writes import counting_writes
from tests.postgres import NoPostgres, running_server
from tests.search.factories import NOON

KINDS: tuple[SamplerKind, ...] = ("random", "tpe")
N_RUNS = 3
N_TRIALS = {"random": 1600, "tpe": 1000}
N_COUNTED = 640
LANES = 64
N_REPORTS = 10
HORIZON = 1000
ASKED_AT = (100, 1_000, 10_000)
N_ASKS = 20


def main() -> None:
    """Measure, and print a line for each figure."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(f"load before                 {_load()}")
    with tempfile.TemporaryDirectory() as directory, _databases(Path(directory)) as urls:
        for name, url in urls.items():
            for kind in KINDS:
                _measure_service(Path(directory) / f"{name}-{kind}", f"{name}, {kind}", url, kind)
        for name, url in urls.items():
            _measure_inside(name, url)
    for kind in KINDS:
        times = ", ".join(f"{_milliseconds_per_ask(kind, n_past):.2f} at {n_past:,}" for n_past in ASKED_AT)
        print(f"ms per ask, {kind:15} {times} past trials")
    print(f"load after                  {_load()}")


@contextmanager
def _databases(directory: Path) -> Iterator[dict[str, str]]:
    """URLs of empty databases by name: SQLite, and PostgreSQL where one can run."""
    urls = {"sqlite": f"sqlite:///{directory}/etude.db"}
    if len(sys.argv) > 1:
        yield urls | {"postgresql": sys.argv[1]}
        return
    try:
        with running_server() as server:
            yield urls | {"postgresql": server.url(server.create())}
    except NoPostgres as error:
        print(f"postgresql                  left out: {error}")
        yield urls


def _measure_service(home: Path, name: str, url: str, kind: SamplerKind) -> None:
    rates, served, sent = [], [], []
    with serving(home, workers=0, env={"ETUDE_DATABASE_URL": url}) as running, Client(running.url) as client:
        connection = Connection(running.url)
        for run in range(N_RUNS + 1):
            n_trials = N_TRIALS[kind] if run else 2 * LANES
            request = _request(f"{home.name}-{run}", kind, n_trials)
            client.create_study(request)
            started, own, its = time.perf_counter(), time.process_time(), _cpu_seconds(running.process.pid)
            n_ended = train(HttpWork(connection), str(request.name))
            rates.append(n_ended / (time.perf_counter() - started))
            served.append(1000 * (_cpu_seconds(running.process.pid) - its) / n_ended)
            sent.append(1000 * (time.process_time() - own) / n_ended)
        connection.close()
    best, middle = max(rates[1:]), median(rates[1:])
    cpu = f"CPU ms per trial: service {min(served[1:]):.2f}, client {min(sent[1:]):.2f}"
    print(f"trials/s, {name:17} best {best:.0f}, median {middle:.0f} of {N_RUNS}; {cpu} (load {_load()})", flush=True)


def _request(name: str, kind: SamplerKind, n_trials: int) -> StudyRequest:
    return StudyRequest.model_validate(
        {
            "name": name,
            "task": "external",
            "task_options": {"horizon": HORIZON, "evaluations": N_REPORTS},
            "sampler": {"kind": kind},
            "budget": {"trials": n_trials},
        }
    )


def train(work: HttpWork | Ensemble, study: str) -> int:
    """Take a study's trials to their ends without training; return how many there were."""
    n_ended = 0
    while given := work.claim(
        ClaimRequest(worker="null", tasks=("external",), studies=(study,), lanes=LANES)
    ).assignments:
        for report in range(1, N_REPORTS + 1):
            update = report * HORIZON // N_REPORTS
            work.report(ReportRequest(reports=tuple(_report(each, update) for each in given)))
        finishes = tuple(TrialFinish(fence=each.fence, outcome=Completed()) for each in given)
        n_ended += len(work.finish(FinishRequest(finishes=finishes)).receipts)
    return n_ended


def _report(given: Assignment, update: int) -> TrialReport:
    rate = given.recipe.peak_lr
    point = Point(update=update, epoch=update, rate=rate, metrics={"val_loss": rate + 1 / update})
    return TrialReport(fence=given.fence, update=update, points=(point,))


def _measure_inside(name: str, url: str) -> None:
    """Train in this process, without HTTP: what is written for each trial, and where the time goes."""
    store = open_store(url)
    ensemble = Ensemble(store, utc_now)
    ensemble.start()
    try:
        for kind in KINDS:
            ensemble.create_study("default", _request(f"{name}-{kind}-inside", kind, N_COUNTED))
            profile = cProfile.Profile()
            with counting_writes(store) as cost:
                profile.runcall(train, ensemble, f"{name}-{kind}-inside")
            written = f"{cost.transactions / N_COUNTED:.2f} transactions, {cost.statements / N_COUNTED:.2f} statements"
            print(f"each trial, {name}, {kind:6}  {written}; time in {_parts(profile)}", flush=True)
    finally:
        store.close()


PARTS = {
    "sqlalchemy": ("/sqlalchemy/",),
    "driver": ("sqlite3", "/psycopg", "select.epoll"),
    "json": ("/json/", "_json"),
    "optuna": ("/optuna/", "numpy", "/scipy/"),
    "pydantic": ("/pydantic", "pydantic_core"),
    "search": ("/search/", "/schedules/"),
    "service": ("/service/",),
}
"""Parts of the program, each with what names its functions in a profile; the first that fits counts."""


def _parts(profile: cProfile.Profile) -> str:
    seconds: Counter[str] = Counter()
    for (path, _, function), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]  # is there
        named = f"{path} {function}"
        part = next((part for part, names in PARTS.items() if any(each in named for each in names)), "the rest")
        seconds[part] += own
    return ", ".join(f"{part} {own / seconds.total():.0%}" for part, own in seconds.most_common())


def _milliseconds_per_ask(kind: SamplerKind, n_past: int) -> float:
    """Return the median time of a claim by the conductor of a study with so many trials that random search drew."""
    past = Conductor(_study("random", n_past), lease_seconds=60)
    while past.claim("null", NOON) is not None:
        _end(past, len(past.trials) - 1)
    conductor = Conductor(_study(kind, n_past + N_ASKS), past.trials.values(), lease_seconds=60)
    times = []
    for number in range(n_past, n_past + N_ASKS):
        started = time.perf_counter()
        conductor.claim("null", NOON)
        times.append(1000 * (time.perf_counter() - started))
        _end(conductor, number)
    return median(times)


def _study(kind: SamplerKind, n_trials: int) -> Study:
    request = _request("asked", kind, n_trials)
    plan = make_plan(request, EXTERNAL)
    return Study(
        id=1,
        optuna_id=1,
        project="default",
        name="asked",
        request=request,
        plan=plan,
        created_at=NOON,
        state=StudyState.QUEUED,
    )


def _end(conductor: Conductor, number: int) -> None:
    trial = conductor.trials[number]
    rate = trial.recipe.peak_lr
    point = Point(update=HORIZON, epoch=HORIZON, rate=rate, metrics={"val_loss": (math.log10(rate) + 2) ** 2})
    token = "" if trial.lease is None else trial.lease.token
    fence = Fence(study="asked", trial=number, attempt=trial.attempt, lease=token)
    conductor.finish(TrialFinish(fence=fence, outcome=Completed(), points=(point,)), NOON)
    conductor.take_changes()


def _cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
