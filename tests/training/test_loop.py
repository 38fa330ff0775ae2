"""One trial: refused when it does not fit, equal to a plain torch loop, repeatable, ended when told."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau

from schedules import Constant, Cosine, Plateau, Warmup
from schedules.torch import RateChanged, build_optimizer
from search.errors import Unsuitable
from search.protocol import Assignment, Cancelled, Completed, Diverged, Pruned
from search.seeds import derive_seed
from search.tasks.base import Data, Split
from search.training.data import batches
from search.training.loop import LOOK_UPDATES, Stop, train
from search.training.rate import Pilot
from tests.training.toys import Line, Watcher, a_recipe, an_assignment, datasets

# refusals


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(Unsuitable, match="task line has no option 'width'; its options: slope"):
        train(Line(), an_assignment(task_options={"width": 3}), Watcher(), datasets())


def test_an_option_out_of_bounds_is_refused() -> None:
    with pytest.raises(Unsuitable, match="option slope of task line must be at most 10, not 11"):
        train(Line(), an_assignment(task_options={"slope": 11.0}), Watcher(), datasets())


def test_an_epoch_of_another_length_than_the_task_said_is_refused() -> None:
    with pytest.raises(
        Unsuitable, match=r"an epoch of task line is 10 updates \(43 examples in batches of 4\), not 11"
    ):
        train(Line(), an_assignment(updates_per_epoch=11), Watcher(), datasets())


def test_a_metric_that_the_task_does_not_measure_is_refused() -> None:
    with pytest.raises(Unsuitable, match="task line does not measure the study's objective 'val_f1'"):
        train(Line(), an_assignment(metric="val_f1"), Watcher(), datasets())


def test_a_horizon_too_short_for_the_schedule_is_refused_before_any_update() -> None:
    watcher = Watcher()
    recipe = a_recipe(Warmup(fraction=0.9, then=Cosine()))
    with pytest.raises(Unsuitable, match="horizon"):
        train(Line(), an_assignment(recipe, horizon=1, evaluate_every=1), watcher, datasets())
    assert watcher.update == 0


def test_a_rate_that_something_else_writes_is_found_out() -> None:
    class Stubborn(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            super().step(closure)
            self.param_groups[0]["lr"] = 0.7

    pilot = Pilot(Stubborn([torch.zeros(1, requires_grad=True)], lr=1.0), a_recipe(), horizon=30)
    with pytest.raises(
        RateChanged, match=r"update 0 must run at the learning rate .* 0\.05, but the optimizer has 0\.7"
    ):
        pilot.step(0)


# the same as a plain loop


def _plain_loop(assignment: Assignment, make: Any) -> tuple[list[float], list[float]]:
    """Train the line with torch alone; training losses by update and validation losses by epoch."""
    task = Line()
    data = task.data({"slope": 2.0})
    torch.manual_seed(derive_seed(assignment.seed, "weights"))
    model = task.model({})
    recipe = assignment.recipe
    optimizer = build_optimizer(recipe.optimizer, model.parameters(), recipe.peak_lr)
    scheduler: LRScheduler = make(optimizer)
    generator = torch.Generator().manual_seed(derive_seed(assignment.seed, "order"))
    losses, validation = [], []
    for _ in range(assignment.horizon // 10):
        order = torch.randperm(43, generator=generator)
        for start in range(0, 40, 4):
            rows = order[start : start + 4]
            loss = task.loss(model(data.train.inputs[rows]), data.train.targets[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch declares no types here
            optimizer.step()
            losses.append(loss.item())
            if not isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step()
        with torch.no_grad():
            validation.append(task.loss(model(data.validation.inputs), data.validation.targets).item())
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(validation[-1])
    return losses, validation


@pytest.mark.parametrize(
    "optimizer",
    [{"kind": "sgd", "momentum": 0.9, "nesterov": True}, {"kind": "adagrad"}, {"kind": "adam"}, {"kind": "adamw"}],
    ids=lambda optimizer: str(optimizer["kind"]),
)
def test_a_cosine_run_equals_a_plain_torch_loop(optimizer: dict[str, Any]) -> None:
    assignment = an_assignment(a_recipe(Cosine(final_ratio=0.1), peak_lr=0.02, **optimizer))
    watcher = Watcher()
    train(Line(), assignment, watcher, datasets())
    losses, validation = _plain_loop(assignment, lambda opt: CosineAnnealingLR(opt, T_max=30, eta_min=0.002))
    means = [math.fsum(losses[start : start + 10]) / 10 for start in range(0, 30, 10)]
    assert watcher.curve("train_loss") == pytest.approx(means, rel=1e-12)
    assert watcher.curve("val_loss") == pytest.approx(validation, rel=1e-12)


def test_a_plateau_run_equals_a_plain_torch_loop() -> None:
    schedule = Plateau(factor=0.5, patience=1, threshold=0.3)
    assignment = an_assignment(a_recipe(schedule), horizon=120)
    watcher = Watcher()
    train(Line(), assignment, watcher, datasets())
    _, validation = _plain_loop(
        assignment, lambda opt: ReduceLROnPlateau(opt, factor=0.5, patience=1, threshold=0.3, threshold_mode="rel")
    )
    assert watcher.curve("val_loss") == pytest.approx(validation, rel=1e-12)
    assert watcher.points[-1].rate < watcher.points[0].rate


# what is reported


def test_each_point_carries_its_update_epoch_and_the_rate_applied_last() -> None:
    recipe = a_recipe(Warmup(fraction=0.5, then=Constant()), peak_lr=0.03)
    watcher = Watcher()
    train(Line(), an_assignment(recipe), watcher, datasets())
    assert [(point.update, point.epoch) for point in watcher.points] == [(10, 1.0), (20, 2.0), (30, 3.0)]
    assert [point.rate for point in watcher.points] == [recipe.rate(9, 30), 0.03, 0.03]
    assert set(watcher.points[0].metrics) == {"train_loss", "val_loss", "val_worst"}


def test_test_metrics_are_measured_once_at_the_end() -> None:
    watcher = Watcher()
    outcome = train(Line(), an_assignment(), watcher, datasets())
    assert isinstance(outcome, Completed)
    assert set(outcome.test_metrics) == {"test_loss", "test_worst"}
    assert not any(name.startswith("test") for point in watcher.points for name in point.metrics)


def test_the_last_update_is_evaluated_even_inside_an_epoch() -> None:
    watcher = Watcher()
    train(Line(), an_assignment(horizon=25), watcher, datasets())
    assert [point.update for point in watcher.points] == [10, 20, 25]


def test_a_report_point_between_evaluations_is_evaluated_and_plateau_does_not_read_it() -> None:
    assignment = an_assignment(a_recipe(Plateau(factor=0.5, patience=0)), horizon=60)
    plain, asked = Watcher(), Watcher()
    train(Line(), assignment, plain, datasets())
    train(Line(), assignment.model_copy(update={"report_points": (3, 7, 12)}), asked, datasets())
    assert [point.update for point in asked.points][:4] == [3, 7, 10, 12]
    assert [point.rate for point in asked.points if point.update % 10 == 0] == [point.rate for point in plain.points]


# ended early


@pytest.mark.parametrize(
    "stop,outcome", [("prune", Pruned()), ("cancel", Cancelled()), ("drop", None)], ids=["prune", "cancel", "drop"]
)
def test_a_run_stops_at_the_update_at_which_it_is_told_to(stop: Stop, outcome: Pruned | Cancelled | None) -> None:
    watcher = Watcher(stop, after=14)
    assert train(Line(), an_assignment(), watcher, datasets()) == outcome
    assert watcher.update == 14


class Overflow(Line):
    """Its loss is infinite from the given call on."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._left = at

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self._left -= 1
        return super().loss(outputs, targets) * (math.inf if self._left < 0 else 1.0)


def test_a_diverged_run_names_the_first_update_whose_loss_was_not_finite() -> None:
    recipe = a_recipe(Cosine())
    outcome = train(Overflow(at=13), an_assignment(recipe), Watcher(), datasets())
    assert outcome == Diverged(update=13, rate=recipe.rate(13, 30))


def test_divergence_is_noticed_long_before_a_far_evaluation() -> None:
    watcher = Watcher()
    outcome = train(Overflow(at=3), an_assignment(horizon=2000, evaluate_every=2000), watcher, datasets())
    assert outcome == Diverged(update=3, rate=0.05)
    assert watcher.update == LOOK_UPDATES


def test_a_rate_far_too_large_diverges() -> None:
    assert isinstance(train(Line(), an_assignment(a_recipe(peak_lr=1e30)), Watcher(), datasets()), Diverged)


def test_a_validation_loss_that_is_not_finite_ends_the_run_as_diverged_with_its_point() -> None:
    class Blind(Line):
        def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
            return super().loss(outputs, targets) * (1.0 if torch.is_grad_enabled() else math.nan)

    watcher = Watcher()
    assert train(Blind(), an_assignment(), watcher, datasets()) == Diverged(update=9, rate=0.05)
    assert watcher.curve("val_loss") == [None]


# seeds


class Noisy(Line):
    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(nn.Dropout(0.5), super().model(options))


def test_the_same_assignment_gives_the_same_numbers() -> None:
    first, second = Watcher(), Watcher()
    train(Noisy(), an_assignment(), first, datasets())
    torch.manual_seed(99)
    train(Noisy(), an_assignment(), second, datasets())
    assert first.points == second.points


def test_another_seed_gives_other_numbers() -> None:
    first, second = Watcher(), Watcher()
    train(Line(), an_assignment(seed=1), first, datasets())
    train(Line(), an_assignment(seed=2), second, datasets())
    assert first.curve("train_loss") != second.curve("train_loss")


def test_evaluations_do_not_disturb_what_is_drawn() -> None:
    seldom, often = Watcher(), Watcher()
    train(Noisy(), an_assignment(evaluate_every=30), seldom, datasets())
    train(Noisy(), an_assignment(evaluate_every=1), often, datasets())
    assert seldom.curve("val_loss")[-1] == often.curve("val_loss")[-1]


def test_training_leaves_the_random_state_of_torch_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(Noisy(), an_assignment(), Watcher(), datasets())
    assert torch.equal(torch.rand(3), expected)


_IN_A_FRESH_PROCESS = """
import json
from search.training.loop import train
from tests.training.toys import Watcher, an_assignment, datasets
from search.tasks.registry import load
import torch
torch.set_num_threads(1)
watcher = Watcher()
assignment = an_assignment(task="digits-mlp", horizon=74, updates_per_epoch=37, evaluate_every=37)
outcome = train(load("digits-mlp"), assignment, watcher, datasets())
print(json.dumps([watcher.curve("train_loss"), watcher.curve("val_loss"), outcome.test_metrics]))
"""


def test_a_digits_run_gives_the_same_numbers_in_two_fresh_processes() -> None:
    first, second = (
        subprocess.run(
            [sys.executable, "-c", _IN_A_FRESH_PROCESS],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        ).stdout
        for _ in range(2)
    )
    assert json.loads(first) == json.loads(second)


# data


def test_data_is_loaded_once_for_trials_of_the_same_options() -> None:
    task, kept = Line(), datasets()
    for slope in (1.0, 1.0, 2.0, 1.0):
        train(task, an_assignment(task_options={"slope": slope}), Watcher(), kept)
    assert task.n_loads == 2


def test_each_epoch_sees_every_example_at_most_once_and_in_its_own_order() -> None:
    split = Split(torch.arange(43), torch.arange(43))
    order = batches(split, batch_size=4, seed=3)
    epochs = [torch.cat([next(order)[0] for _ in range(10)]).tolist() for _ in range(2)]
    assert all(len(set(epoch)) == 40 for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_a_split_with_more_inputs_than_targets_is_refused() -> None:
    with pytest.raises(ValueError, match="it has 3 inputs and 2 targets"):
        Split(torch.zeros(3), torch.zeros(2))


def test_the_data_of_a_task_moves_as_a_whole() -> None:
    split = Split(torch.zeros(2), torch.zeros(2))
    moved = Data(split, split, split).to(torch.device("meta"))
    assert {moved.train.inputs.device.type, moved.test.targets.device.type} == {"meta"}
