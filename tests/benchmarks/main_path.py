"""What the main path costs on this machine: ``python -m tests.benchmarks.main_path [POSTGRES_URL]``.

Times depend on the machine and on what else it does; transactions and statements do not.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from search.ledger import Changes
from search.staffing import parse_staffing
from search.study import Budget, StudyRequest, TrialState
from service.cli.serve import local_fleet
from service.client import Client
from service.settings import Settings
from service.store import Store
from tests.benchmarks.writes import counting_writes
from tests.service.server import LiveServer, serving
from tests.store.stored import a_trial, some_study

N_STORED = 10_000
N_READS = 30
N_TRIALS = 60
N_WORKERS = 2
EPOCHS = 20


def main() -> None:
    """Measure, and print a line for each figure."""
    with tempfile.TemporaryDirectory() as directory, _served(Path(directory)) as live:
        store: Store = live.app.state.opened.store
        print(f"database                        {store.engine.dialect.name}")
        _measure_trials(live, store)
        _measure_lists(live, store)


@contextmanager
def _served(directory: Path) -> Iterator[LiveServer]:
    url = sys.argv[1] if len(sys.argv) > 1 else None
    with serving(Settings(data_dir=directory, database_url=url, workers=parse_staffing("0"))) as live:
        yield live


def _measure_trials(live: LiveServer, store: Store) -> None:
    """Train a study with local workers, and count what it writes; workers start before the clock does."""
    port = int(live.url.rpartition(":")[2])
    fleet = local_fleet(live.settings.model_copy(update={"port": port, "workers": parse_staffing(str(N_WORKERS))}))
    fleet.start()
    try:
        with Client(live.url) as client:
            _run(client, "warm-up", 2 * N_WORKERS)
            with counting_writes(store) as cost:
                seconds = _run(client, "measured", N_TRIALS)
    finally:
        fleet.stop()
    print(f"trials/s, {N_WORKERS} CPU workers         {N_TRIALS / seconds:.2f} ({N_TRIALS} trials in {seconds:.1f} s)")
    print(
        f"transactions per trial          {cost.transactions / N_TRIALS:.2f} that write, the leader's renewals included"
    )
    print(f"statements per trial            {cost.statements / N_TRIALS:.1f}")


def _run(client: Client, name: str, n_trials: int) -> float:
    request = StudyRequest(name=name, task="digits-mlp", epochs=EPOCHS, budget=Budget(trials=n_trials))
    started = time.perf_counter()
    client.create_study(request)
    while not client.study(name).state.is_final:
        time.sleep(0.1)
    return time.perf_counter() - started


def _measure_lists(live: LiveServer, store: Store) -> None:
    study = some_study(store, "stored")
    for start in range(0, N_STORED, 1000):
        trials = [a_trial(number, TrialState.COMPLETED) for number in range(start, start + 1000)]
        store.commit(Changes(study=study, trials=tuple(trials)))
    with live.client() as client:
        for path in ("stored/trials?limit=100", "stored/leaderboard", "stored"):
            _print_times(f"GET {path}", [_milliseconds(client, f"/v1/studies/{path}") for _ in range(N_READS)])


def _milliseconds(client: httpx.Client, path: str) -> float:
    started = time.perf_counter()
    client.get(path).raise_for_status()
    return 1000 * (time.perf_counter() - started)


def _print_times(what: str, times: list[float]) -> None:
    print(f"{what:31} median {statistics.median(times):.1f} ms, worst {max(times):.1f} ms, {N_STORED} trials stored")


if __name__ == "__main__":
    main()
