"""Runs the arms on one workload, turn by turn."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schedules import Recipe
from tests.benchmarks.peers import machine
from tests.benchmarks.peers.arms import Arm
from tests.benchmarks.peers.figures import interleaved
from tests.benchmarks.peers.processes import Failure
from tests.benchmarks.peers.results import Measured
from tests.benchmarks.peers.values import Job, Run, Workload


@dataclass(frozen=True)
class Plan:
    """What is run on one workload.

    Attributes:
        n_turns: each is one run of every arm; in a search each is another seed of the study.
        n_in_lanes: recipes of the arms that train many trials at once.
        limit: seconds that one run may take.
    """

    workload: Workload
    arms: tuple[Arm, ...]
    is_search: bool
    n_turns: int
    n_trials: int
    n_in_lanes: int
    limit: float


def measure(plan: Plan, recipes: Sequence[Recipe]) -> Iterator[Measured]:
    """Run what is planned; yield after each run what is known by then."""
    skipped = {arm.name: why for arm in plan.arms if (why := _why_not(arm, plan)) is not None}
    taking_part = [arm for arm in plan.arms if arm.name not in skipped]
    measured = Measured(
        workload=plan.workload,
        weights=machine.weights(plan.workload),
        flops_of_update=machine.flops_of_update(plan.workload),
        settings={arm.name: arm.settings for arm in taking_part},
        skipped=skipped,
    )
    yield measured
    runs: list[Run] = []
    for turn, arms in enumerate(interleaved(taking_part, plan.n_turns)):
        for arm in arms:
            runs.append(_run(plan, arm, turn, recipes))
            yield measured.model_copy(update={"searches" if plan.is_search else "runs": tuple(runs)})


def _why_not(arm: Arm, plan: Plan) -> str | None:
    if plan.is_search and plan.workload.target is None:
        return f"{plan.workload.key} has no target to search for"
    return arm.why_not()


def _run(plan: Plan, arm: Arm, turn: int, recipes: Sequence[Recipe]) -> Run:
    load, started = os.getloadavg()[0], time.perf_counter()
    print(f"{plan.workload.key} turn {turn + 1} {arm.name:<14}", end=" ", flush=True)
    with tempfile.TemporaryDirectory(prefix="peers") as folder:
        job = _job(plan, arm, turn, recipes, Path(folder))
        try:
            run = arm.run(job, plan.limit)
        except Failure as failure:
            run = Run(arm=arm.name, failure=f"{failure} (limit {plan.limit:g} s)")
    print(_in_words(run, time.perf_counter() - started), flush=True)
    return run.model_copy(update={"turn": turn, "load": load})


def _job(plan: Plan, arm: Arm, turn: int, recipes: Sequence[Recipe], folder: Path) -> Job:
    n_trials = plan.n_in_lanes if arm.has_lanes else plan.n_trials
    workload = plan.workload.model_copy(update={"trials_in_search": plan.n_trials}) if plan.is_search else plan.workload
    return Job(
        workload=workload,
        recipes=() if plan.is_search else tuple(recipes[:n_trials]),
        seed=turn if plan.is_search else 0,
        feed=arm.feed,
        processes=arm.processes,
        halves=arm.halves,
        folder=folder,
    )


def _in_words(run: Run, seconds: float) -> str:
    if not run.trials:
        return f"failed: {run.failure}"
    return f"{run.trials_per_second:7.2f} trials/s {run.updates_per_second:9.0f} updates/s, {seconds:.0f} s in all"
