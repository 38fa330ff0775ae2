"""The weights of a run: those that were judged, in a file that the task's model loads."""

from __future__ import annotations

from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from schedules import Ema, Recipe, Swa
from search.protocol import Completed
from search.training.measure import measure
from search.training.trainer import Ended, Trainer
from tests.training.toys import CPU, Line, Watcher, a_recipe, an_assignment

CALM = a_recipe(peak_lr=0.005)


class Normed(Line):
    """The line behind a BatchNorm, whose statistics belong to the weights."""

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(nn.BatchNorm1d(3, dtype=torch.float64), nn.Linear(3, 1, dtype=torch.float64))


class Tied(Line):
    """The same matrix twice, under two names."""

    def model(self, options: dict[str, Any]) -> nn.Module:
        first, second = (nn.Linear(3, 3, bias=False, dtype=torch.float64) for _ in range(2))
        second.weight = first.weight
        return nn.Sequential(first, second, nn.Linear(3, 1, dtype=torch.float64))


def _trained(task: Line, recipe: Recipe, watcher: Watcher | None = None) -> Ended:
    return Trainer(CPU, load=lambda _: task)(an_assignment(recipe), watcher or Watcher())


def test_a_run_that_does_not_reach_its_horizon_has_no_weights() -> None:
    assert _trained(Line(), a_recipe(), Watcher("prune", after=12)).weights is None
    assert _trained(Line(), a_recipe(peak_lr=1e6)).weights is None


@pytest.mark.parametrize("task", [Line(), Normed(), Tied()], ids=lambda task: type(task).__name__)
@pytest.mark.parametrize(
    "recipe",
    [
        CALM,
        CALM.model_copy(update={"averaging": Ema(decay=0.9)}),
        CALM.model_copy(update={"averaging": Swa()}),
        a_recipe(kind="schedule_free_sgd"),
    ],
    ids=["own", "ema", "swa", "schedule_free"],
)
def test_loaded_into_the_task_s_model_they_give_the_last_validation_loss(task: Line, recipe: Recipe) -> None:
    watcher = Watcher()
    ended = _trained(task, recipe, watcher)
    assert isinstance(ended.outcome, Completed)
    assert ended.weights is not None
    options = {"slope": 2.0}
    model = task.model(options)
    model.load_state_dict(safetensors.torch.load(ended.weights()))
    measured = measure(task, model, task.data(options).validation, "val")
    assert measured["val_loss"] == watcher.curve("val_loss")[-1]


def test_the_file_says_which_run_it_is_of() -> None:
    recipe = a_recipe()
    ended = _trained(Line(), recipe)
    assert ended.weights is not None
    content = ended.weights()
    assert set(safetensors.torch.load(content)) == {"bias", "weight"}
    length = int.from_bytes(content[:8], "little")
    for said in (f'"recipe":"{recipe.digest}"', '"study":"first"', '"trial":"0"', '"attempt":"1"', '"updates":"30"'):
        assert said in content[8 : 8 + length].decode()
