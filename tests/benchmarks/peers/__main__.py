"""Our service and what people use today on the same recipes: ``python -m tests.benchmarks.peers [--help]``.

Every turn runs each arm once, the next turn in reverse. What was measured lies after each run in peers.json and
peers.md of the folder, so that nothing is lost when the command is stopped.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

import torch

from tests.benchmarks.peers import curves, machine, recipes, workloads
from tests.benchmarks.peers.arms import ARMS, QUICK
from tests.benchmarks.peers.measuring import Plan, measure
from tests.benchmarks.peers.report import page
from tests.benchmarks.peers.results import Results

QUICK_WORKLOADS: Final = ("W1", "W4-mlp")
N_SEEDS: Final = 5


def main() -> None:
    """Measure what is asked for, and say where it lies."""
    asked = _asked()
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as images:
        workloads.write_files(asked.workloads, Path(images))
        _measure(asked)
        if asked.mode == "replay":
            curves.write_curves([workloads.WORKLOADS[key] for key in asked.workloads], asked.out)
    print(f"\n{asked.out / 'peers.md'}")


def _measure(asked: argparse.Namespace) -> None:
    plans = [_plan(asked, key) for key in asked.workloads]
    most = max(max(plan.n_trials, plan.n_in_lanes) for plan in plans)
    chosen = recipes.recipes(most)
    absent = {plan.workload.key: why for plan in plans if (why := workloads.why_not(plan.workload)) is not None}
    results = Results(
        machine=machine.described(),
        peak=machine.peak_flops(machine.n_cores()),
        peak_of_one=machine.peak_flops(1),
        recipes_sha256=recipes.write(asked.out / "recipes.json", chosen),
        absent=absent,
        null=None if asked.null is None else json.loads(asked.null.read_text()),
    )
    for plan in plans:
        if plan.workload.key in absent:
            print(f"{plan.workload.key} is skipped: {absent[plan.workload.key]}", flush=True)
            continue
        before = results
        for measured in measure(plan, chosen):
            results = before.model_copy(update={"workloads": (*before.workloads, measured)})
            _keep(results, asked.out)
    _keep(results, asked.out)


def _keep(results: Results, folder: Path) -> None:
    (folder / "peers.json").write_text(results.model_dump_json(indent=1))
    (folder / "peers.md").write_text(page(results))


def _plan(asked: argparse.Namespace, key: str) -> Plan:
    workload = workloads.WORKLOADS[key]
    share = 2 if asked.quick else 1
    return Plan(
        workload=workload,
        arms=tuple(ARMS[name] for name in asked.arms),
        is_search=asked.mode == "search",
        n_turns=asked.turns,
        n_trials=asked.trials or workload.trials // share,
        n_in_lanes=asked.trials or workload.trials_in_lanes // share,
        limit=asked.limit,
    )


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers", description=__doc__)
    parser.add_argument("--workloads", type=_some(workloads.WORKLOADS), help=f"of {', '.join(workloads.WORKLOADS)}")
    parser.add_argument("--arms", type=_some(ARMS), help=f"of {', '.join(ARMS)}")
    parser.add_argument("--mode", choices=("replay", "search"), default="replay")
    parser.add_argument("--turns", type=int, help="turns of a replay, 2; seeds of the study in a search, 5")
    parser.add_argument("--trials", type=int, help="recipes, or the budget of a search; else the workload's own")
    parser.add_argument("--limit", type=float, default=180.0, help="seconds that one run may take, 180")
    parser.add_argument("--quick", action="store_true", help="few arms, few workloads, half of the recipes")
    parser.add_argument("--null", type=Path, help="JSON of the benchmark of orchestration alone, to be shown with it")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"), help="folder of what was measured")
    asked = parser.parse_args()
    asked.workloads = asked.workloads or (QUICK_WORKLOADS if asked.quick else tuple(workloads.WORKLOADS))
    asked.arms = asked.arms or (QUICK if asked.quick else tuple(ARMS))
    asked.turns = asked.turns or (N_SEEDS if asked.mode == "search" else 2)
    return asked


def _some(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    def names(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
        return chosen

    return names


if __name__ == "__main__":
    main()
