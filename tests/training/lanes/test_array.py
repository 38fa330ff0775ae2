"""Trials in lanes: each the same computation as alone, whoever its neighbours are and whenever it came."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from schedules import (
    ConstantTail,
    Cosine,
    CyclicTail,
    Ema,
    Linear,
    MomentumCurve,
    OneCycle,
    Plateau,
    Recipe,
    Step,
    Swa,
    Warmup,
)
from search.errors import Unsuitable
from search.protocol import Cancelled, Completed, Diverged, Failed, Pruned
from search.training.lanes.array import LaneArray
from search.training.loop import Stop
from search.training.trainer import Trainer
from tests.training.lanes.runs import Seen, alone, an_array, in_lanes, many_recipes, numbered, recipe_of
from tests.training.toys import CPU, Line, Watcher, a_recipe, datasets
from tests.training.twin import Layers

CALM = 1e-9


class Hidden(Layers):
    """Layers with a hidden matrix and an activation whose derivative needs its input."""

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(3, 8, dtype=torch.float64),
            nn.GELU(),
            nn.Linear(8, 8, bias=False, dtype=torch.float64),
            nn.ReLU(),
            nn.Linear(8, 1, dtype=torch.float64),
        )


class Attentive(Line):
    """Three tokens that look at one another: what no fast path knows."""

    def model(self, options: dict[str, Any]) -> nn.Module:
        return _Attention()


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(1, 4, dtype=torch.float64)
        self.norm = nn.LayerNorm(4, dtype=torch.float64)
        self.mix = nn.Linear(4, 12, dtype=torch.float64)
        self.read = nn.Linear(12, 1, dtype=torch.float64)

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = self.norm(self.embed(inputs.unsqueeze(-1)))
        seen = nn.functional.scaled_dot_product_attention(*self.mix(tokens).chunk(3, dim=-1))
        outputs: Tensor = self.read(seen.flatten(1))
        return outputs


class Normed(Line):
    """Layers with BatchNorm between them.

    There is no bias before it: its gradient is nothing but rounding, which Adam and Lion blow up to whole steps.
    """

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(
            nn.Linear(3, 6, bias=False, dtype=torch.float64),
            nn.BatchNorm1d(6, dtype=torch.float64),
            nn.Tanh(),
            nn.Linear(6, 1, dtype=torch.float64),
        )


class Convolved(Line):
    """A convolution over the three numbers, BatchNorm after it."""

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(
            nn.Unflatten(1, (1, 3)),
            nn.Conv1d(1, 4, 2, bias=False, dtype=torch.float64),
            nn.BatchNorm1d(4, momentum=None, dtype=torch.float64),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(8, 1, dtype=torch.float64),
        )


def same(found: Seen, expected: Seen, rel: float = CALM) -> None:
    """Compare two runs, point by point and in how they ended."""
    (watcher, outcome), (twin, wanted) = found, expected
    assert [(point.update, point.epoch) for point in watcher.points] == [(p.update, p.epoch) for p in twin.points]
    for point, other in zip(watcher.points, twin.points, strict=True):
        assert point.rate == pytest.approx(other.rate, rel=1e-14, abs=1e-17)
        assert point.metrics == pytest.approx(other.metrics, rel=rel)
    assert type(outcome) is type(wanted)
    if isinstance(outcome, Completed) and isinstance(wanted, Completed):
        assert outcome.test_metrics == pytest.approx(wanted.test_metrics, rel=rel)


# refusals


def test_an_assignment_that_does_not_fit_the_task_is_refused_and_takes_no_lane() -> None:
    array = an_array(Line(), 2)
    with pytest.raises(Unsuitable, match=r"an epoch of task line is 10 updates .* not 11"):
        array.admit(numbered(0, a_recipe(), updates_per_epoch=11), Watcher())
    with pytest.raises(Unsuitable, match="task line cannot be trained with muon: it has no hidden matrix"):
        array.admit(numbered(0, a_recipe(kind="muon")), Watcher())
    assert array.n_free == 2


def test_other_data_than_the_studys_is_refused() -> None:
    with pytest.raises(Unsuitable, match="all trials of a study are trained on the same data"):
        an_array(Line(), 2).admit(numbered(0, a_recipe(), data_sha256="0" * 64), Watcher())


def test_an_array_of_models_that_compute_in_bfloat16_is_refused() -> None:
    with pytest.raises(Unsuitable, match="task line has no lanes: its models compute in bfloat16"):
        LaneArray(Line(), {"slope": 2.0, "dtype": "bfloat16"}, datasets(), 2)


def test_a_trial_with_other_options_does_not_fit_the_array() -> None:
    array = an_array(Line(), 2)
    assert array.fits(numbered(0, a_recipe()))
    assert not array.fits(numbered(0, a_recipe(), task_options={"slope": 3.0}))
    assert not array.fits(numbered(0, a_recipe(), task="moons"))


# the same as alone


@pytest.mark.parametrize(
    "task", [Layers(), Hidden(), Attentive(), Normed(), Convolved()], ids=lambda t: type(t).__name__
)
def test_every_optimizer_in_one_array_trains_as_it_does_alone(task: Line) -> None:
    recipes = [recipe for recipe in many_recipes() if recipe.optimizer.kind != "muon" or isinstance(task, Layers)]
    trials = [numbered(number, recipe, seed=number % 3) for number, recipe in enumerate(recipes)]
    seen = in_lanes(task, trials, len(trials))
    for number, trial in enumerate(trials):
        same(seen[number], alone(task, trial))


SCHEDULES: list[Recipe] = [
    recipe_of("sgd", Step()),
    recipe_of("sgd", OneCycle()),
    recipe_of("adamw", Plateau(patience=0, factor=0.5)),
    recipe_of("adamw", Linear()).model_copy(update={"weight_decay": Cosine()}),
    recipe_of("sgd", Linear()).model_copy(update={"momentum": MomentumCurve(low=0.3, curve=Cosine())}),
]
AVERAGED: list[Recipe] = [
    recipe_of("sgd", Cosine()).model_copy(update={"averaging": averaging})
    for averaging in (
        Ema(decay=0.9),
        Ema(decay=0.8, start_fraction=0.5),
        Swa(start_fraction=0.5),
        Swa(start_fraction=0.4, every_fraction=0.1, tail=CyclicTail(high_ratio=1.0, low_ratio=0.1)),
        Swa(start_fraction=0.5, tail=ConstantTail(ratio=0.7)),
    )
]


@pytest.mark.parametrize("task", [Layers(), Normed()], ids=["plain", "batch norm"])
def test_schedules_curves_and_averages_are_each_lanes_own(task: Line) -> None:
    trials = [numbered(number, recipe) for number, recipe in enumerate([*SCHEDULES, *AVERAGED])]
    seen = in_lanes(task, trials, len(trials))
    for number, trial in enumerate(trials):
        same(seen[number], alone(task, trial))


def test_report_points_and_lengths_are_each_lanes_own() -> None:
    fields: list[dict[str, Any]] = [
        {"horizon": 25, "report_points": (3, 10, 17)},
        {"horizon": 30, "evaluate_every": 7},
        {"horizon": 400, "evaluate_every": 400},
    ]
    trials = [numbered(number, recipe_of("adam", Cosine()), **each) for number, each in enumerate(fields)]
    seen = in_lanes(Layers(), trials, 3)
    assert [point.update for point in seen[0][0].points] == [3, 10, 17, 20, 25]
    for number, trial in enumerate(trials):
        same(seen[number], alone(Layers(), trial))


def test_the_rate_of_a_point_is_the_recipes() -> None:
    for recipe in SCHEDULES[:2]:
        watcher, _ = in_lanes(Layers(), [numbered(0, recipe, evaluate_every=1)], 1)[0]
        rates = [recipe.rate(t, 30) for t in range(30)]
        assert [point.rate for point in watcher.points] == pytest.approx(rates, abs=1e-15 * recipe.peak_lr)


def test_the_weights_of_a_lane_are_those_that_were_judged() -> None:
    trials = [numbered(number, recipe) for number, recipe in enumerate([recipe_of("schedule_free_sgd"), *AVERAGED[:2]])]
    array = an_array(Normed(), 3)
    kept: dict[int, Callable[[], bytes] | None] = {}
    for trial in trials:
        array.admit(trial, Watcher())
    while array.n_live:
        kept |= {finished.assignment.fence.trial: finished.ended.weights for finished in array.step()}
    for number, trial in enumerate(trials):
        write = kept[number]
        expected = Trainer(CPU, lambda _: Normed())(trial, Watcher()).weights
        assert write is not None
        assert expected is not None
        found, wanted = (safetensors.torch.load(each()) for each in (write, expected))
        assert set(found) == set(wanted)
        for name, tensor in found.items():
            assert torch.allclose(tensor, wanted[name], rtol=1e-9)


# refill


def test_a_refilled_lane_is_a_fresh_one_to_the_last_bit() -> None:
    recipes = many_recipes()
    first = [numbered(number, recipe) for number, recipe in enumerate(recipes[:4])]
    late = [numbered(number, recipe, seed=5) for number, recipe in enumerate(recipes[4:8], 4)]
    refilled = in_lanes(Layers(), [*first, *late], 4)
    fresh = in_lanes(Layers(), late, 4)
    for number in range(4, 8):
        assert refilled[number][0].points == fresh[number][0].points
        assert refilled[number][1] == fresh[number][1]


def test_lanes_of_different_age_step_together() -> None:
    lengths = [30, 7, 12, 23, 30, 5, 30]
    recipes = many_recipes()
    trials = [numbered(i, recipes[i], horizon=length, evaluate_every=4) for i, length in enumerate(lengths)]
    seen = in_lanes(Layers(), trials, 3)
    for number, trial in enumerate(trials):
        same(seen[number], alone(Layers(), trial))


def test_a_free_array_makes_no_difference_between_kinds_that_come_and_go() -> None:
    kinds = ["sgd", "adamw", "lion", "sgd", "adamw", "sgd", "rmsprop", "sgd"]
    trials = [
        numbered(i, recipe_of(kind, Cosine()), horizon=6 + 5 * (i % 4), evaluate_every=5)
        for i, kind in enumerate(kinds)
    ]
    seen = in_lanes(Normed(), trials, 3)
    for number, trial in enumerate(trials):
        same(seen[number], alone(Normed(), trial))


# neighbours


@pytest.mark.parametrize("task", [Layers(), Normed(), Attentive()], ids=lambda task: type(task).__name__)
def test_a_neighbour_that_diverges_changes_nothing(task: Line) -> None:
    mild = [numbered(number, recipe_of(kind, Cosine())) for number, kind in enumerate(["sgd", "adamw", "sgd"])]
    wild = numbered(1, a_recipe(peak_lr=1e200, momentum=0.0))
    calm = in_lanes(task, mild, 3)
    mixed = in_lanes(task, [mild[0], wild, mild[2]], 3)
    assert isinstance(mixed[1][1], Diverged)
    for number in (0, 2):
        assert mixed[number][0].points == calm[number][0].points
        assert mixed[number][1] == calm[number][1]


def test_a_diverged_lane_says_where_and_at_which_rate_as_alone() -> None:
    recipe = a_recipe(Warmup(fraction=0.5, then=Cosine()), peak_lr=1e150, momentum=0.0)
    trial = numbered(0, recipe, evaluate_every=30)
    _, outcome = in_lanes(Line(), [trial, numbered(1, a_recipe())], 2)[0]
    _, expected = alone(Line(), trial)
    assert isinstance(outcome, Diverged)
    assert isinstance(expected, Diverged)
    assert outcome.update == expected.update
    assert outcome.rate == pytest.approx(expected.rate, rel=1e-14)


def test_a_metric_that_the_task_does_not_measure_fails_the_trial_that_asks_for_it() -> None:
    seen = in_lanes(Line(), [numbered(0, a_recipe(), metric="val_f1"), numbered(1, a_recipe())], 2)
    failed = seen[0][1]
    assert isinstance(failed, Failed)
    assert failed.cause == "configuration"
    assert "does not measure the study's objective 'val_f1'; it measures train_loss, val_loss" in failed.message
    assert isinstance(seen[1][1], Completed)


class Torn(Layers):
    """Raises when a lane with large weights is measured."""

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        if outputs.abs().max() > 1e3:
            raise ValueError("the outputs are out of range")
        return {}


def test_what_one_trial_raises_at_its_evaluation_fails_it_alone() -> None:
    broken = numbered(0, a_recipe(peak_lr=1e3, momentum=0.0))
    seen = in_lanes(Torn(), [broken, numbered(1, a_recipe(peak_lr=1e-3))], 2)
    failed = seen[0][1]
    assert isinstance(failed, Failed)
    assert failed.message == "task line raised ValueError: the outputs are out of range"
    assert isinstance(seen[1][1], Completed)


@pytest.mark.parametrize(
    "stop, outcome", [("prune", Pruned()), ("cancel", Cancelled()), ("drop", None)], ids=["prune", "cancel", "drop"]
)
def test_a_trial_that_is_told_to_stop_leaves_its_lane(stop: Stop, outcome: object) -> None:
    told = Watcher(stop, after=13)
    trials = [numbered(0, a_recipe()), numbered(1, a_recipe(peak_lr=0.01))]
    seen = in_lanes(Line(), trials, 2, watchers={0: told})
    assert (seen[0][1], told.update) == (outcome, 13)
    same(seen[1], alone(Line(), trials[1]))


# what a lane leaves alone


def test_training_in_lanes_leaves_torchs_random_state_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    in_lanes(Normed(), [numbered(0, recipe_of("schedule_free_sgd"))], 2)
    assert torch.equal(torch.rand(3), expected)


def test_the_time_of_a_step_is_shared_by_the_lanes() -> None:
    array = an_array(Line(), 2)
    for number in range(2):
        array.admit(numbered(number, a_recipe()), Watcher())
    finished = [ended for _ in range(30) for ended in array.step()]
    assert len(finished) == 2
    assert all(math.isfinite(each.ended.seconds) and each.ended.seconds > 0 for each in finished)
