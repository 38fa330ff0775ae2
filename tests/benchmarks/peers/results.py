"""All that was measured, as the JSON that is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.peers.values import Run, Value, Workload


class Measured(Value):
    """One workload.

    Attributes:
        weights: of the model.
        flops_of_update: floating-point operations of one update.
        runs: of all arms, in the order in which they ran; those that failed are among them.
        searches: the same of searches, one turn for each seed of the study.
        settings: of each arm, in words.
        skipped: why an arm did not take part, by its name.
    """

    workload: Workload
    weights: int
    flops_of_update: int
    runs: tuple[Run, ...] = ()
    searches: tuple[Run, ...] = ()
    settings: Mapping[str, str] = {}
    skipped: Mapping[str, str] = {}

    def of(self, arm: str) -> list[Run]:
        """The replays of an arm that have something to show, by turn."""
        return sorted((run for run in self.runs if run.arm == arm and run.trials), key=lambda run: run.turn)


class Results(Value):
    """Everything.

    Attributes:
        machine: what it is and what is installed, by name.
        peak: floating-point operations per second in large products on all cores; ``peak_of_one`` on one.
        recipes_sha256: of the file of recipes.
        absent: workloads that could not be trained here, by key, with the reason.
        null: what the benchmark of orchestration alone wrote, if it was given.
    """

    machine: Mapping[str, str]
    peak: float
    peak_of_one: float
    recipes_sha256: str
    absent: Mapping[str, str] = {}
    workloads: tuple[Measured, ...] = ()
    null: dict[str, Any] | None = None
