"""The arms: who trains the recipes, with which settings, and why one of them cannot take part."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.benchmarks.peers import optuna_script
from tests.benchmarks.peers.machine import n_cores
from tests.benchmarks.peers.processes import ROOT, run_scripts
from tests.benchmarks.peers.service import run_service, why_no_lanes
from tests.benchmarks.peers.values import Feed, Job, Run

RAY_PYTHON: Final = ROOT / ".venv-bench" / "bin" / "python"
RAY_SETTINGS: Final = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_TRAIN_V2_ENABLED": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}


@dataclass(frozen=True)
class Arm:
    """Who trains.

    Attributes:
        settings: in words, for the table.
        run: runs a job for so many seconds at most.
        why_not: why it cannot take part; None when it can.
        has_lanes: it trains many trials at once in one process, and needs many recipes to be filled.
        halves: it stops bad trials early, so that its trials are not those of the others.
        is_ours: the service of this project.
    """

    name: str
    settings: str
    processes: int
    run: Callable[[Job, float], Run]
    feed: Feed = "resident"
    why_not: Callable[[], str | None] = lambda: None
    has_lanes: bool = False
    halves: bool = False
    is_ours: bool = False


def _script(name: str, feed: Feed, processes: int, why_not: Callable[[], str | None] = lambda: None) -> Arm:
    words = {"loader": "torch DataLoader", "resident": "data in memory", "compiled": "data in memory, torch.compile"}
    together = "" if processes == 1 else " (in a search: one journal file)"
    settings = f"Optuna in memory{together}, {words[feed]}, {processes} × 1 thread, fused optimizers"
    return Arm(name, settings, processes, partial(_run_optuna, name), feed=feed, why_not=why_not)


def _run_optuna(name: str, job: Job, limit: float) -> Run:
    optuna_script.prepare(job)
    return run_scripts(name, "tests.benchmarks.peers.optuna_script", job, limit, n_processes=job.processes)


def _ray(name: str, *, halves: bool) -> Arm:
    pruner = "ASHA" if halves else "no pruner"
    settings = f"Ray Tune, OptunaSearch, {pruner}, {n_cores()} actors × 1 thread, reused; loggers and dashboard off"
    return Arm(name, settings, n_cores(), partial(_run_ray, name), why_not=_why_no_ray, halves=halves)


def _run_ray(name: str, job: Job, limit: float) -> Run:
    return run_scripts(
        name,
        "tests.benchmarks.peers.ray_script",
        job,
        limit,
        n_processes=1,
        python=str(RAY_PYTHON),
        environment=RAY_SETTINGS,
    )


def _why_no_ray() -> str | None:
    return None if RAY_PYTHON.exists() else "Ray is not installed: `make peers` installs it apart"


def _why_no_compiler() -> str | None:
    return None if shutil.which(os.environ.get("CXX", "g++")) else "torch.compile finds no C++ compiler"


def _service(name: str, lanes: str | None, *, halves: bool = False) -> Arm:
    in_words = "one trial at a time" if lanes is None else "lanes as calibrated"
    settings = f"etude serve, SQLite, {n_cores()} workers × 1 thread, {in_words}{', halving' if halves else ''}"
    return Arm(
        name,
        settings,
        n_cores(),
        lambda job, limit: run_service(name, job, limit, lanes=lanes if lanes or why_no_lanes() else "1"),
        why_not=why_no_lanes if lanes else lambda: None,
        has_lanes=lanes is not None,
        halves=halves,
        is_ours=True,
    )


ARMS: Final = {
    each.name: each
    for each in (
        _script("loader", "loader", 1),
        _script("loader-all", "loader", n_cores()),
        _script("resident", "resident", 1),
        _script("resident-all", "resident", n_cores()),
        _script("compiled", "compiled", 1, _why_no_compiler),
        _script("compiled-all", "compiled", n_cores(), _why_no_compiler),
        _ray("ray", halves=False),
        _ray("ray-asha", halves=True),
        _service("ours", None),
        _service("fused", "auto"),
        _service("fused-halving", "auto", halves=True),
    )
}
"""By name."""

QUICK: Final = ("loader-all", "resident-all", "ours", "fused")
"""The arms of a quick look."""
