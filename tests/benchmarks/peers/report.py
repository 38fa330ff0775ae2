"""The results as one page of Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from tests.benchmarks.peers.arms import ARMS
from tests.benchmarks.peers.figures import Interval, exponent, fidelity, of_pairs
from tests.benchmarks.peers.results import Measured, Results
from tests.benchmarks.peers.targets import search_lines
from tests.benchmarks.peers.values import Run

REFERENCE = "resident-all"
"""The arm whose losses those of the others are compared with."""

LEAST_SHARE = 0.95


def page(results: Results) -> str:
    """Return the whole report."""
    lines = ["# Ours and others", "", *_machine(results)]
    for measured in results.workloads:
        lines += _workload(measured, results)
    lines += [f"## {key}\n\nNot trained: {why}.\n" for key, why in results.absent.items()]
    return "\n".join([*lines, *_growth(results), ""])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table, with an empty one after it."""
    cells = [head, ["---"] * len(head), *rows]
    return [*(f"| {' | '.join(row)} |" for row in cells), ""]


def _machine(results: Results) -> list[str]:
    runs = [run for each in results.workloads for run in (*each.runs, *each.searches)]
    loads = f"{min(run.load for run in runs):.1f} to {max(run.load for run in runs):.1f}" if runs else "unknown"
    facts = dict(results.machine) | {
        "load when runs began": loads,
        "peak of products, all cores": f"{results.peak / 1e9:.0f} GFLOP/s",
        "peak of products, one core": f"{results.peak_of_one / 1e9:.0f} GFLOP/s",
        "recipes, SHA-256": results.recipes_sha256[:16],
    }
    return table(["machine", ""], facts.items())


def _workload(measured: Measured, results: Results) -> list[str]:
    workload = measured.workload
    title = f"## {workload.key} {workload.task}" + (", negative control" if workload.is_control else "")
    options = ", ".join(f"{name} {value}" for name, value in workload.options.items())
    about = f"{workload.epochs} epochs{', ' if options else ''}{options}; {measured.weights:,} weights, "
    about += f"{measured.flops_of_update / 1e6:.2f} MFLOP in an update."
    lines = [title, "", about, ""]
    if measured.runs:
        lines += [*_replay(measured, results), *_ratios(measured), *_fidelity(measured), *_overhead(measured)]
    if measured.searches:
        lines += search_lines(measured)
    lines += [f"- {arm}: {words}" for arm, words in measured.settings.items()]
    return [*lines, *(f"- {arm} is skipped: {why}" for arm, why in measured.skipped.items()), ""]


def _replay(measured: Measured, results: Results) -> list[str]:
    head = [
        "arm",
        "trials × turns",
        "trials/s, median",
        "best",
        "updates/s",
        "of peak",
        "start, s",
        "from nothing, trials/s",
    ]
    rows = []
    for arm in measured.settings:
        runs = measured.of(arm)
        failed = [run for run in measured.runs if run.arm == arm and run.failure is not None]
        if runs:
            rows.append(_row(arm, runs, measured, results))
        rows += [[arm, f"turn {run.turn + 1}", f"failed: {run.failure}", *[""] * 5] for run in failed]
    note = "A turn runs every arm once; the next one in reverse. Start is not part of trials/s; it is part of the last."
    return ["### Replay: the same recipes in every arm", "", *table(head, rows), note, ""]


def _row(arm: str, runs: list[Run], measured: Measured, results: Results) -> list[str]:
    speeds = [run.trials_per_second for run in runs]
    updates = statistics.median(run.updates_per_second for run in runs)
    total = statistics.median(len(run.trials) / run.total_seconds for run in runs)
    share = updates * measured.flops_of_update / results.peak
    start = statistics.median(run.startup_seconds for run in runs)
    stopped = " (stops bad trials)" if ARMS[arm].halves else ""
    counts = f"{len(runs[0].trials)} × {len(runs)}"
    median, best = f"{statistics.median(speeds):.2f}", f"{max(speeds):.2f}"
    return [arm + stopped, counts, median, best, f"{updates:.0f}", f"{share:.1%}", f"{start:.1f}", f"{total:.2f}"]


def _ratios(measured: Measured) -> list[str]:
    """R1, and whether lanes lose where they cannot gain."""
    ours = [arm for arm in measured.settings if ARMS[arm].is_ours and measured.of(arm)]
    others = [arm for arm in measured.settings if measured.of(arm)]
    rows = [[other, *(_ratio(measured, mine, other) for mine in ours)] for other in others]
    note = "Trials per second of the column's arm over the row's, turn by turn: median, and the interval of all turns."
    lines = ["### R1: how many times as fast", "", *table(["", *ours], rows), note, ""]
    for mine in ours:
        peers = [other for other in others if not ARMS[other].is_ours and not ARMS[other].halves]
        if peers and not ARMS[mine].halves:
            worst = min((_paired(measured, mine, other).middle, other) for other in peers)
            lines += [f"The smallest ratio of {mine} to another's arm is {worst[0]:.2f}, to {worst[1]}.", ""]
    if {"ours", "fused"} <= set(ours):
        lines += [_verdict(_paired(measured, "fused", "ours")), ""]
    return lines


def _ratio(measured: Measured, mine: str, other: str) -> str:
    return "1" if mine == other else str(_paired(measured, mine, other))


def _paired(measured: Measured, mine: str, other: str) -> Interval:
    a, b = ({run.turn: run.trials_per_second for run in measured.of(arm)} for arm in (mine, other))
    turns = sorted(a.keys() & b.keys())
    if not turns:
        nan = float("nan")
        return Interval(nan, nan, nan, 0.0)
    return of_pairs([a[turn] for turn in turns], [b[turn] for turn in turns])


def _verdict(interval: Interval) -> str:
    is_met = interval.low <= 1.0 <= interval.high or interval.low > LEAST_SHARE
    said = "holds 1 or lies above 0.95" if is_met else "neither holds 1 nor lies above 0.95"
    sure = f"it holds the median with {interval.confidence:.1%} confidence"
    return f"Lanes against one trial at a time: {interval}; the interval {said} ({sure})."


def _fidelity(measured: Measured) -> list[str]:
    """R5."""
    reference = (
        REFERENCE if measured.of(REFERENCE) else next((arm for arm in measured.settings if measured.of(arm)), "")
    )
    head = ["arm", "trials compared", "ended otherwise", "largest difference", "median", "Spearman", "same best"]
    rows = []
    for arm in measured.settings:
        if arm == reference or not measured.of(arm) or ARMS[arm].halves:
            continue
        ours, theirs = (_losses(measured.of(each)[0]) for each in (arm, reference))
        found = fidelity(ours, theirs)
        apart = [f"{found.largest:.1e}", f"{found.median:.1e}", f"{found.spearman:.4f}"]
        rows.append([arm, str(found.n_trials), str(found.n_disagree), *apart, "yes" if found.same_best else "no"])
    return [f"### R5: final losses against those of {reference}", "", *table(head, rows)]


def _losses(run: Run) -> dict[int, float | None]:
    return {each.number: each.loss if each.state == "completed" else None for each in run.trials}


def _overhead(measured: Measured) -> list[str]:
    """R3 and R6."""
    head = ["arm", "updates made / of whole runs", "trials at once", "not training", "ask, ms", "tell, ms", "more"]
    rows = []
    for arm in measured.settings:
        runs = measured.of(arm)
        if runs:
            rows.append([arm, *_spent(measured, runs[-1], ARMS[arm].processes)])
    note = "Not training: the share of time × processes outside of training; with lanes a trial's time is not its own."
    return ["### R3 and R6: where the time goes", "", *table(head, rows), note, ""]


def _spent(measured: Measured, run: Run, processes: int) -> list[str]:
    made = sum(each.updates for each in run.trials)
    longest = max(each.updates for each in run.trials) * len(run.trials)
    at_once = sum(each.ended_at - each.started_at for each in run.trials) / run.steady_seconds
    busy = sum(each.train_seconds for each in run.trials) / run.steady_seconds / processes
    asks = [each.ask_seconds for each in run.trials if each.ask_seconds is not None]
    tells = [each.tell_seconds for each in run.trials if each.tell_seconds is not None]
    idle = "" if ARMS[run.arm].has_lanes else f"{max(0.0, 1 - busy):.0%}"
    more = "; ".join(f"{name} {value:.3g}" for name, value in run.facts.items())
    return [f"{made} / {longest}", f"{at_once:.1f}", idle, _milliseconds(asks), _milliseconds(tells), more]


def _milliseconds(seconds: Sequence[float]) -> str:
    return f"{1000 * statistics.median(seconds):.1f}" if seconds else ""


def _growth(results: Results) -> list[str]:
    """R7, of what the benchmark of orchestration alone has measured."""
    if results.null is None:
        return ["## W0 null: orchestration alone", "", "Not measured here: give its JSON with --null.", ""]
    lines = ["## W0 null: orchestration alone", ""]
    for name, value in results.null.items():
        grown = _counts(value)
        fitted = f"; grows with the exponent {exponent(grown):.2f}" if len(grown) > 1 else ""
        lines.append(f"- {name}: {value}{fitted}")
    return [*lines, ""]


def _counts(value: object) -> dict[int, float]:
    """What was measured at several counts; nothing where it is something else."""
    if not isinstance(value, dict) or not all(str(key).isdigit() for key in value):
        return {}
    return {int(key): float(each) for key, each in value.items() if isinstance(each, int | float) and each > 0}
