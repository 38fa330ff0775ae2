"""The noisy quadratic: what SGD reaches on it can be worked out, and is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from schedules import Constant, Linear, Recipe, Schedule
from search.protocol import Assignment, Diverged
from search.tasks import registry
from search.tasks.builtin import QUADRATIC_BATCH, QUADRATIC_TRAIN
from search.tasks.noisy_quadratic import curvatures
from search.training.loop import train
from tests.training.toys import Watcher, a_recipe, an_assignment, datasets

NAME = "noisy-quadratic"
EPOCH = QUADRATIC_TRAIN // QUADRATIC_BATCH
NOISE = 0.5


def assigned(recipe: Recipe, n_epochs: int, **options: float) -> Assignment:
    return an_assignment(
        recipe,
        task=NAME,
        horizon=n_epochs * EPOCH,
        updates_per_epoch=EPOCH,
        evaluate_every=EPOCH,
        task_options={"noise": NOISE, **options},
    )


def losses(recipe: Recipe, n_epochs: int, **options: float) -> Tensor:
    """The loss after each epoch."""
    watcher = Watcher()
    train(registry.load(NAME), assigned(recipe, n_epochs, **options), watcher, datasets())
    return torch.tensor(watcher.curve("val_loss"), dtype=torch.float64)


def sgd(peak_lr: float, schedule: Schedule | None = None) -> Recipe:
    return a_recipe(schedule or Constant(), peak_lr=peak_lr, kind="sgd", momentum=0)


def stationary(rate: float, curvature: Tensor) -> float:
    """The expected loss at the end of an epoch after very many, as the task's docstring has it."""
    kept = (1 - rate * curvature.double())[:, None] ** torch.arange(EPOCH)
    of_mean = NOISE**2 * (QUADRATIC_TRAIN - QUADRATIC_BATCH) / (QUADRATIC_BATCH * (QUADRATIC_TRAIN - 1))
    of_two = -(NOISE**2) / (QUADRATIC_TRAIN - 1)
    alone, together = (kept**2).sum(dim=1), kept.sum(dim=1) ** 2
    spread = (rate * curvature) ** 2 * (alone * (of_mean - of_two) + together * of_two)
    forgotten = 1 - (1 - rate * curvature.double()) ** (2 * EPOCH)
    return float((curvature * spread / forgotten).sum() / 2)


def test_the_curvatures_reach_from_1_down_to_1_by_the_condition() -> None:
    assert curvatures(3, 100.0).tolist() == pytest.approx([1.0, 0.1, 0.01])
    assert curvatures(1, 100.0).tolist() == [1.0]


def test_the_mean_of_all_rows_is_the_optimum_and_their_deviation_the_noise() -> None:
    data = registry.load(NAME).data({"dimension": 7, "condition": 10.0, "noise": NOISE})
    assert data.train.inputs.mean(dim=0).abs().max() < 1e-7
    assert data.train.inputs.std(dim=0, correction=0).tolist() == pytest.approx([NOISE] * 7, rel=1e-6)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [QUADRATIC_TRAIN, 1, 1]


def test_without_noise_each_weight_shrinks_by_its_own_factor() -> None:
    rate, curvature = 0.05, curvatures(8, 30.0).double()
    shrunk = (1 - rate * curvature) ** EPOCH
    measured = losses(sgd(rate), 1, noise=0.0, dimension=8, condition=30.0)
    assert measured.tolist() == pytest.approx([float((curvature * shrunk**2).sum() / 2)], rel=1e-4)


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.5])
def test_a_constant_rate_stays_at_the_loss_that_theory_says(rate: float) -> None:
    n_seen = 30
    measured = losses(sgd(rate), 20 + n_seen, dimension=256, condition=10.0)[-n_seen:]
    assert float(measured.mean()) == pytest.approx(stationary(rate, curvatures(256, 10.0)), rel=0.05)


def test_the_theory_is_the_textbook_s_where_an_epoch_is_long() -> None:
    rate, curvature = 1.0, torch.ones(1)
    assert stationary(rate, curvature) == pytest.approx(NOISE**2 / QUADRATIC_BATCH / 2, rel=0.01)


def test_a_rate_above_2_diverges() -> None:
    outcome = train(registry.load(NAME), assigned(sgd(2.5), 1), Watcher(), datasets())
    assert isinstance(outcome, Diverged)


def test_a_smaller_constant_rate_stays_lower_and_a_decay_to_0_lower_still() -> None:
    large, small = (stationary(rate, curvatures(64, 10.0)) for rate in (0.5, 0.1))
    assert small < large
    decayed = losses(sgd(0.5, Linear()), 40, condition=10.0)[-1]
    assert decayed < 0.1 * small


def test_the_longer_the_decay_the_nearer_to_the_optimum() -> None:
    reached = [float(losses(sgd(0.5, Linear()), n_epochs, condition=10.0)[-1]) for n_epochs in (5, 20, 80)]
    assert reached[0] > 3 * reached[1] > 9 * reached[2]
