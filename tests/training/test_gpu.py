"""The same training on a CUDA device."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from schedules import OPTIMIZERS, Constant, Cosine, Ema, Linear, MomentumCurve, Swa
from search.protocol import Completed, Diverged, Failed
from search.tasks.base import Data
from search.tasks.registry import load
from search.training.loop import train
from search.training.trainer import Trainer
from tests.training.toys import CPU, Line, Watcher, a_recipe, an_assignment, datasets
from tests.training.twin import Layers, Normed

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device"),
]

GPU = torch.device("cuda", 0)
AVERAGINGS = {"swa": Swa(start_fraction=0.2), "ema": Ema(decay=0.9)}
CLOSE = {"muon": 0.05}
"""How far apart the losses may be: Muon multiplies its matrices in 16 bits, whatever the weights are."""


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_run_on_the_gpu_agrees_with_one_on_the_cpu(kind: str) -> None:
    schedule = Constant() if OPTIMIZERS[kind].is_schedule_free else Cosine()
    assignment = an_assignment(a_recipe(schedule, peak_lr=0.02, kind=kind))
    on_gpu, on_cpu = Watcher(), Watcher()
    assert isinstance(train(Layers(), assignment, on_gpu, datasets(GPU)), Completed)
    train(Layers(), assignment, on_cpu, datasets(CPU))
    assert on_gpu.curve("val_loss") == pytest.approx(on_cpu.curve("val_loss"), rel=CLOSE.get(kind, 1e-9))


@pytest.mark.parametrize("kind", AVERAGINGS)
def test_an_average_on_the_gpu_agrees_with_one_on_the_cpu(kind: str) -> None:
    recipe = a_recipe(Cosine(), peak_lr=0.02, kind="sgd").model_copy(update={"averaging": AVERAGINGS[kind]})
    on_gpu, on_cpu = Watcher(), Watcher()
    assert isinstance(train(Normed(), an_assignment(recipe), on_gpu, datasets(GPU)), Completed)
    train(Normed(), an_assignment(recipe), on_cpu, datasets(CPU))
    assert on_gpu.curve("val_loss") == pytest.approx(on_cpu.curve("val_loss"), rel=1e-9)


def test_curves_on_the_gpu_agree_with_those_on_the_cpu() -> None:
    curves = {"weight_decay": Linear(), "momentum": MomentumCurve(low=0.5, curve=Cosine())}
    recipe = a_recipe(Cosine(), peak_lr=0.02, kind="adamw").model_copy(update=curves)
    on_gpu, on_cpu = Watcher(), Watcher()
    assert isinstance(train(Layers(), an_assignment(recipe), on_gpu, datasets(GPU)), Completed)
    train(Layers(), an_assignment(recipe), on_cpu, datasets(CPU))
    assert on_gpu.curve("val_loss") == pytest.approx(on_cpu.curve("val_loss"), rel=1e-9)


def test_measuring_the_statistics_on_the_gpu_leaves_what_the_run_draws_as_it_was() -> None:
    class Noisy(Normed):
        def model(self, options: dict[str, Any]) -> nn.Module:
            return nn.Sequential(nn.Dropout(0.5), super().model(options))

    recipe = a_recipe(kind="sgd").model_copy(update={"averaging": Ema(decay=0.9)})
    seldom, often = Watcher(), Watcher()
    train(Noisy(), an_assignment(recipe, evaluate_every=30), seldom, datasets(GPU))
    train(Noisy(), an_assignment(recipe, evaluate_every=1), often, datasets(GPU))
    assert seldom.curve("val_loss")[-1] == pytest.approx(often.curve("val_loss")[-1], rel=1e-12)


@pytest.mark.parametrize("name", ["digits-mlp", "digits-cnn"])
def test_the_digits_train_on_the_gpu(name: str) -> None:
    watcher = Watcher()
    assignment = an_assignment(
        a_recipe(kind="sgd", peak_lr=0.1), task=name, horizon=148, updates_per_epoch=37, evaluate_every=37
    )
    assert isinstance(train(load(name), assignment, watcher, datasets(GPU)), Completed)
    accuracy = watcher.curve("val_accuracy")[-1]
    assert accuracy is not None
    assert accuracy > 0.8


def test_the_data_lives_on_the_gpu() -> None:
    data: Data = datasets(GPU).get(Line(), {"slope": 2.0})
    assert {data.train.inputs.device, data.validation.targets.device} == {GPU}


def test_a_diverged_run_on_the_gpu_names_the_same_update() -> None:
    assignment = an_assignment(a_recipe(peak_lr=1e30))
    on_gpu = train(Line(), assignment, Watcher(), datasets(GPU))
    assert isinstance(on_gpu, Diverged)
    assert on_gpu == train(Line(), assignment, Watcher(), datasets(CPU))


def test_training_on_the_gpu_leaves_its_random_state_as_it_was() -> None:
    torch.cuda.manual_seed(5)
    expected = torch.rand(3, device=GPU)
    torch.cuda.manual_seed(5)
    train(Line(), an_assignment(), Watcher(), datasets(GPU))
    assert torch.equal(torch.rand(3, device=GPU), expected)


def test_too_large_a_model_is_out_of_memory_and_the_next_trial_trains() -> None:
    class Large(Line):
        is_large = True

        def model(self, options: dict[str, Any]) -> nn.Module:
            if not self.is_large:
                return super().model(options)
            self.is_large = False
            return _Hungry()

    task = Large()
    trainer = Trainer(GPU, load=lambda _: task)
    first = trainer(an_assignment(), Watcher())
    assert isinstance(first.outcome, Failed)
    assert (first.outcome.cause, first.process_broken) == ("out_of_memory", False)
    assert isinstance(trainer(an_assignment(), Watcher()).outcome, Completed)


class _Hungry(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.weight * torch.zeros(1 << 42, device=inputs.device)
