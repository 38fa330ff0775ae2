"""Search mode: how long each arm takes to reach a fixed value, over the seeds of the study."""

from __future__ import annotations

import math
import statistics

from tests.benchmarks.peers.figures import quantile
from tests.benchmarks.peers.results import Measured
from tests.benchmarks.peers.values import Run


def seconds_to(run: Run, target: float) -> float:
    """Return the seconds from the first trial's start to the first completed one that is as good; infinite if none."""
    ends = [each.ended_at for each in run.trials if each.state == "completed" and _is_reached(each.loss, target)]
    return min(ends) - min(each.started_at for each in run.trials) if ends else math.inf


def _is_reached(loss: float | None, target: float) -> bool:
    return loss is not None and loss <= target


def search_lines(measured: Measured) -> list[str]:
    """Return R2 as lines of Markdown."""
    target = measured.workload.target
    assert target is not None
    lines = [f"### R2: seconds until a trial's loss is at most {target}", ""]
    lines += ["| arm | seeds | reached | median, s | quartiles, s | best loss, median |", "|" + " --- |" * 6]
    for arm in measured.settings:
        runs = [run for run in measured.searches if run.arm == arm and run.trials]
        if runs:
            lines.append(_row(arm, runs, target))
        failed = [run for run in measured.searches if run.arm == arm and run.failure is not None]
        lines += [f"| {arm} | seed {run.turn} | failed: {run.failure} | | | |" for run in failed]
    return [*lines, ""]


def _row(arm: str, runs: list[Run], target: float) -> str:
    times = [seconds_to(run, target) for run in runs]
    best = [min((each.loss for each in run.trials if each.loss is not None), default=math.nan) for run in runs]
    n_reached = sum(math.isfinite(each) for each in times)
    quartiles = f"{quantile(times, 0.25):.1f} to {quantile(times, 0.75):.1f}"
    shown = f"{len(runs)} | {n_reached} | {quantile(times, 0.5):.1f} | {quartiles} | {statistics.median(best):.4f}"
    return f"| {arm} | {shown} |"
