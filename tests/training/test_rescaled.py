"""Trials of several runs: each is the run that it would be alone, and the trial counts on over all of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from schedules import Cosine, Plateau, Schedule, Swa, Warmup
from search.errors import Unsuitable
from search.protocol import Assignment, Completed, Diverged, Point, Pruned
from search.training.loop import Stop, train
from tests.training.toys import Line, Watcher, a_recipe, an_assignment, datasets

RUNS = (10, 25, 60)
SCHEDULES: list[Schedule] = [Warmup(fraction=0.2, then=Cosine()), Plateau(factor=0.5, patience=0)]


class Noisy(Line):
    """Draws while it trains, and keeps statistics of its batches."""

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3, dtype=torch.float64), super().model(options))


def _assignment(schedule: Schedule, **fields: Any) -> Assignment:
    recipe = a_recipe(schedule, kind="adamw").model_copy(update={"averaging": fields.pop("averaging", None)})
    return an_assignment(recipe, horizon=60, **fields)


def _trained(assignment: Assignment) -> tuple[list[Point], Any]:
    watcher = Watcher()
    outcome = train(Noisy(), assignment, watcher, datasets())
    return watcher.points, outcome


def _alone(assignment: Assignment, horizon: int) -> tuple[list[Point], Any]:
    return _trained(assignment.model_copy(update={"runs": (), "horizon": horizon, "report_points": ()}))


@pytest.mark.parametrize("averaging", [None, Swa(start_fraction=0.5)], ids=["own", "averaged"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: str(schedule.kind))
def test_each_run_is_bit_for_bit_the_run_of_its_length_alone(schedule: Schedule, averaging: Swa | None) -> None:
    assignment = _assignment(schedule, runs=RUNS, report_points=(10, 35), averaging=averaging)
    points, outcome = _trained(assignment)
    for horizon, before in zip(RUNS, (0, 10, 35), strict=True):
        own = [point for point in points if before < point.update <= before + horizon]
        alone, _ = _alone(assignment, horizon)
        assert [(each.update - before, each.rate, each.metrics) for each in own] == [
            (each.update, each.rate, each.metrics) for each in alone
        ]
    assert isinstance(outcome, Completed)
    assert outcome == _alone(assignment, 60)[1]


def test_updates_and_epochs_count_on_over_the_runs() -> None:
    points, _ = _trained(_assignment(Cosine(), runs=RUNS))
    updates = [10, 20, 30, 35, 45, 55, 65, 75, 85, 95]
    assert [(point.update, point.epoch) for point in points] == [(each, each / 10) for each in updates]


def test_a_trial_that_does_not_pass_a_short_run_begins_no_further_one() -> None:
    class Strict(Watcher):
        def evaluated(self, point: Point) -> Stop | None:
            super().evaluated(point)
            return "prune" if point.update == 35 else None

    watcher = Strict()
    assert train(Line(), _assignment(Cosine(), runs=RUNS), watcher, datasets()) == Pruned()
    assert watcher.update == 35


def test_a_run_that_diverges_names_the_update_counted_over_all_runs() -> None:
    class LateDivergence(Line):
        n_models = 0

        def model(self, options: dict[str, Any]) -> nn.Module:
            self.n_models += 1
            if self.n_models < 3:
                return super().model(options)
            model = nn.Linear(3, 1, dtype=torch.float64)
            nn.init.constant_(model.weight, 1e200)
            return model

    outcome = train(LateDivergence(), _assignment(Cosine(), runs=RUNS), Watcher(), datasets())
    assert isinstance(outcome, Diverged)
    assert outcome.update == 35


def test_a_shortest_run_that_the_schedule_does_not_fit_is_refused_before_any_update() -> None:
    watcher = Watcher()
    with pytest.raises(Unsuitable, match="horizon"):
        train(Line(), _assignment(Warmup(fraction=0.9, then=Cosine()), runs=(1, 60)), watcher, datasets())
    assert watcher.update == 0
