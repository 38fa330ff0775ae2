"""Averaged weights in a run: the average itself, when it is judged, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from schedules import Averaging, ConstantTail, Cosine, CyclicTail, Ema, Linear, Plateau, Recipe, Schedule, Swa
from search.errors import Unsuitable
from search.protocol import Assignment, Completed
from search.seeds import derive_seed
from search.training.loop import train
from tests.training.toys import Line, Watcher, a_recipe, an_assignment, datasets
from tests.training.twin import Layers, Normed, Weights, by_hand, loaded, losses, mean


def averaged(averaging: Averaging, schedule: Schedule | None = None) -> Recipe:
    plain = a_recipe(schedule or Cosine(), kind="sgd", momentum=0.5)
    return plain.model_copy(update={"averaging": averaging})


def trained(task: Line, assignment: Assignment) -> tuple[Watcher, Completed]:
    watcher = Watcher()
    outcome = train(task, assignment, watcher, datasets())
    assert isinstance(outcome, Completed)
    return watcher, outcome


def sgd(model: nn.Module) -> list[optim.Optimizer]:
    return [optim.SGD(model.parameters(), 1.0, momentum=0.5)]


def ema_by_hand(kept: list[Weights], start: int, decay: float, done: int) -> Weights:
    average = kept[start + 1]
    for weights in kept[start + 2 : done + 1]:
        average = [decay * mean + (1 - decay) * weight for mean, weight in zip(average, weights, strict=True)]
    return average


# refusals


def test_an_averaging_that_starts_too_late_is_refused_before_any_update() -> None:
    watcher = Watcher()
    with pytest.raises(Unsuitable, match=r"'swa' needs at least two weights .* starts after 30 of 30"):
        train(Line(), an_assignment(averaged(Swa(start_fraction=0.99))), watcher, datasets())
    assert watcher.update == 0


# the averages


@pytest.mark.parametrize(
    "swa, entering",
    [
        (Swa(start_fraction=0.5), range(16, 31)),
        (Swa(start_fraction=0.4, every_fraction=0.1), [15, 18, 21, 24, 27, 30]),
        (Swa(start_fraction=0.5, every_fraction=0.2, tail=CyclicTail(high_ratio=1.0, low_ratio=0.1)), [21, 27]),
        (Swa(start_fraction=0.5, tail=ConstantTail(ratio=0.7)), range(16, 31)),
    ],
    ids=["every update", "every third", "cyclic tail", "constant tail"],
)
def test_swa_is_the_mean_of_the_weights(swa: Swa, entering: list[int]) -> None:
    assignment = an_assignment(averaged(swa), evaluate_every=1)
    watcher, outcome = trained(Layers(), assignment)
    kept = by_hand(Layers(), assignment, sgd)
    for done, found in zip(range(1, 31), watcher.curve("val_loss"), strict=True):
        taken = [kept[n] for n in entering if n <= done]
        weights = mean(taken) if taken else kept[done]
        expected, _ = losses(Layers(), loaded(Layers(), assignment, weights))
        assert found == pytest.approx(expected, rel=1e-12)
    _, test_loss = losses(Layers(), loaded(Layers(), assignment, mean([kept[n] for n in entering])))
    assert outcome.test_metrics["test_loss"] == pytest.approx(test_loss, rel=1e-12)


@pytest.mark.parametrize("ema, start", [(Ema(decay=0.9), 0), (Ema(decay=0.8, start_fraction=0.5), 15)])
def test_ema_is_the_recurrence_over_the_weights(ema: Ema, start: int) -> None:
    assignment = an_assignment(averaged(ema), evaluate_every=1)
    watcher, outcome = trained(Layers(), assignment)
    kept = by_hand(Layers(), assignment, sgd)
    for done, found in zip(range(1, 31), watcher.curve("val_loss"), strict=True):
        weights = ema_by_hand(kept, start, ema.decay, done) if done > start else kept[done]
        expected, _ = losses(Layers(), loaded(Layers(), assignment, weights))
        assert found == pytest.approx(expected, rel=1e-12)
    _, test_loss = losses(Layers(), loaded(Layers(), assignment, ema_by_hand(kept, start, ema.decay, 30)))
    assert outcome.test_metrics["test_loss"] == pytest.approx(test_loss, rel=1e-12)


def test_ema_is_that_of_torchs_averaged_model() -> None:
    assignment = an_assignment(averaged(Ema(decay=0.9)))
    watcher, _ = trained(Layers(), assignment)
    make = optim.swa_utils.get_ema_multi_avg_fn(0.9)  # type: ignore[no-untyped-call]  # torch declares no types here
    theirs = optim.swa_utils.AveragedModel(Layers().model({}), multi_avg_fn=make)
    for weights in by_hand(Layers(), assignment, sgd)[1:]:
        theirs.update_parameters(loaded(Layers(), assignment, weights))
    expected, _ = losses(Layers(), theirs)
    assert watcher.curve("val_loss")[-1] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("averaging", [Swa(start_fraction=0.5), Ema(decay=0.9)], ids=["swa", "ema"])
def test_averaging_leaves_the_training_alone(averaging: Averaging) -> None:
    with_it, _ = trained(Layers(), an_assignment(averaged(averaging)))
    without, _ = trained(Layers(), an_assignment(a_recipe(Cosine(), kind="sgd", momentum=0.5)))
    assert with_it.curve("train_loss") == without.curve("train_loss")
    assert with_it.curve("val_loss")[-1] != without.curve("val_loss")[-1]


def test_the_points_carry_the_rate_of_the_tail() -> None:
    watcher, _ = trained(Layers(), an_assignment(averaged(Swa(start_fraction=0.5, tail=ConstantTail(ratio=0.2)))))
    assert [point.rate for point in watcher.points] == [0.05 * Cosine()(9, 30), 0.05 * 0.2, 0.05 * 0.2]


def test_a_plateau_reads_the_metric_of_the_average() -> None:
    seen: list[float] = []

    class Listening(Plateau):
        def observe(self, state: Any, metric: float, t: int, horizon: int) -> Any:
            seen.append(metric)
            return super().observe(state, metric, t, horizon)

    recipe = averaged(Ema(decay=0.9)).model_copy(update={"schedule": Listening()})
    plain = an_assignment(averaged(Ema(decay=0.9)))
    watcher, _ = trained(Layers(), plain.model_copy(update={"recipe": recipe}))
    assert seen == watcher.curve("val_loss")


# batch norm


class Kept(Normed):
    """Keeps the first layer's weights, and the statistics after it, whenever the model is evaluated."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Weights, Tensor, Tensor]] = []
        self.n_passes = 0

    def model(self, options: dict[str, Any]) -> nn.Module:
        model = super().model(options)
        # a copy of the model copies a function as it is, and a method with all that it belongs to
        model.register_forward_hook(lambda module, *_: self._note(module))
        return model

    def _note(self, module: nn.Module) -> None:
        self.n_passes += 1
        if module.training:
            return
        values = module.state_dict()
        names = ("0.weight", "0.bias", "1.running_mean", "1.running_var")
        weight, bias, mean, variance = (values[name].clone() for name in names)
        self.seen.append(([weight, bias], mean, variance))


def _statistics(weights: Weights, seed: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of the first layer's outputs, each the mean over the batches of one epoch."""
    inputs = Normed().data({"slope": 2.0}).train.inputs
    order = torch.randperm(43, generator=torch.Generator().manual_seed(derive_seed(seed, "statistics")))[:40]
    outputs = nn.functional.linear(inputs[order], *weights).reshape(10, 4, -1)
    return outputs.mean(dim=1).mean(dim=0), outputs.var(dim=1).mean(dim=0)


@pytest.mark.parametrize(
    "recipe",
    [
        averaged(Swa(start_fraction=0.1)),
        averaged(Ema(decay=0.9)),
        a_recipe(kind="schedule_free_sgd"),
        a_recipe(kind="schedule_free_adamw"),
    ],
    ids=["swa", "ema", "schedule-free sgd", "schedule-free adamw"],
)
def test_the_statistics_of_batch_norm_are_measured_for_the_weights_that_are_judged(recipe: Recipe) -> None:
    task = Kept()
    trained(task, an_assignment(recipe))
    assert len(task.seen) == 4
    for weights, mean_found, variance_found in task.seen:
        expected_mean, expected_variance = _statistics(weights, seed=11)
        assert torch.allclose(mean_found, expected_mean, rtol=1e-12, atol=1e-14)
        assert torch.allclose(variance_found, expected_variance, rtol=1e-12, atol=1e-14)


def test_before_the_start_the_statistics_are_those_of_the_training() -> None:
    early, plain = Kept(), Kept()
    trained(early, an_assignment(averaged(Swa(start_fraction=0.8))))
    trained(plain, an_assignment(a_recipe(Cosine(), kind="sgd", momentum=0.5)))
    for found, expected in zip(early.seen[:2], plain.seen[:2], strict=True):
        assert torch.equal(found[1], expected[1])
    assert not torch.equal(early.seen[2][1], plain.seen[2][1])


def test_the_statistics_are_measured_once_for_the_last_evaluation_and_the_test() -> None:
    task = Kept()
    trained(task, an_assignment(averaged(Ema(decay=0.9)), evaluate_every=30))
    n_updates, n_measuring, n_judging = 30, 10, 2
    assert task.n_passes == n_updates + n_measuring + n_judging


@pytest.mark.parametrize("kind", ["sgd", "schedule_free_sgd"])
def test_measuring_the_statistics_leaves_what_the_run_draws_as_it_was(kind: str) -> None:
    class Noisy(Normed):
        def model(self, options: dict[str, Any]) -> nn.Module:
            return nn.Sequential(nn.Dropout(0.5), super().model(options))

    averaging = Ema(decay=0.9) if kind == "sgd" else None
    recipe = a_recipe(kind=kind).model_copy(update={"averaging": averaging})
    seldom, _ = trained(Noisy(), an_assignment(recipe, evaluate_every=30))
    often, _ = trained(Noisy(), an_assignment(recipe, evaluate_every=1))
    assert seldom.curve("val_loss")[-1] == often.curve("val_loss")[-1]


def test_the_same_recipe_gives_the_same_numbers_twice() -> None:
    recipe = averaged(Swa(start_fraction=0.3), Linear())
    first, ended = trained(Normed(), an_assignment(recipe))
    torch.manual_seed(99)
    second, again = trained(Normed(), an_assignment(recipe))
    assert first.points == second.points
    assert ended == again
