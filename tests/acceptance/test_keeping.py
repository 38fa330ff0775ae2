"""What real workers leave of their trials: weights that load into the task's model, and logs."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch

from search.space import Space
from search.study import Budget, Keep, StudyRequest
from search.tasks import registry
from search.training.measure import measure
from service.client import Client
from tests.acceptance.conftest import House
from tests.acceptance.running import CALM, completed, etude, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

OPTIONS = {"hidden": 24}


def _train(house: House, client: Client, name: str, averaging: str, *, trials: int) -> None:
    space = Space(optimizers=("adamw", "sgd"), averaging=(averaging,))
    keep = Keep(weights="best" if trials > 2 else "all")
    request = StudyRequest(name=name, task="digits-mlp", task_options=dict(OPTIONS), epochs=4, space=space, keep=keep)
    client.create_study(request.model_copy(update={"budget": Budget(trials=trials)}))
    completed(house.service.wait_for_end(name), trials)


def _validation_loss(house: House, file: Path, *trial: str) -> float:
    """What the weights that are downloaded come to, in a model that the task builds anew."""
    ran = etude("weights", *trial, "--output", str(file), "--url", house.service.url)
    assert ran.returncode == 0, ran.stderr
    task = registry.load("digits-mlp")
    model = task.model(dict(OPTIONS))
    model.load_state_dict(safetensors.torch.load_file(file))
    return measure(task, model, task.data(dict(OPTIONS)).validation, "val")["val_loss"]


def _with_weights(client: Client, study: str) -> list[int]:
    return [trial.number for trial in client.trials(study) if trial.weights is not None]


def test_the_best_trial_s_weights_give_its_value_in_the_task_s_model(house: House, tmp_path: Path) -> None:
    with house.service.client() as client:
        _train(house, client, "kept", "none", trials=10)
        best = client.best("kept")
        until(lambda: _with_weights(client, "kept") == [best.trial.number], "the weights are there")
    assert _validation_loss(house, tmp_path / "best.safetensors", "kept") == pytest.approx(best.value, rel=1e-6)


def test_weights_are_the_average_where_the_recipe_averages(house: House, tmp_path: Path) -> None:
    with house.service.client() as client:
        _train(house, client, "averaged", "ema", trials=2)
        ended = list(client.trials("averaged"))
        until(lambda: len(_with_weights(client, "averaged")) == 2, "the weights are there")
    for trial in ended:
        assert trial.recipe.averaging is not None
        found = _validation_loss(house, tmp_path / f"{trial.number}.safetensors", "averaged", str(trial.number))
        assert found == pytest.approx(trial.value, rel=1e-6)


def test_what_a_task_says_is_kept_with_its_attempt(house: House) -> None:
    with house.service.client() as client:
        client.create_study(StudyRequest(name="told", task="gated", space=CALM, budget=Budget(trials=1)))
        completed(house.service.wait_for_end("told"), 1)
    assert etude("logs", "told", "0", "--url", house.service.url).stdout == "building a line\n"
