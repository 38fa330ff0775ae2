"""The same training on a CUDA device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from schedules import OPTIMIZERS, Constant, Cosine, Ema, Linear, MomentumCurve, Swa
from search.protocol import Completed, Diverged, Failed
from search.tasks.base import Data
from search.tasks.cifar10 import CropAndFlip
from search.tasks.registry import load
from search.training.data import sha256_of
from search.training.loop import train
from search.training.trainer import Trainer
from tests.training.sized import SIZED
from tests.training.streamed import Streamed
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


def test_a_run_in_bfloat16_on_the_gpu_ends_close_to_one_in_float32_on_the_cpu() -> None:
    options = {"batch_size": 100, "train_examples": 1000, "label_noise": 0.1}
    length = {"task": "digits-mlp", "horizon": 100, "updates_per_epoch": 10, "evaluate_every": 10}
    recipe = a_recipe(kind="sgd", peak_lr=0.1)
    on_gpu, on_cpu = Watcher(), Watcher()
    rounded = an_assignment(recipe, task_options={**options, "dtype": "bfloat16"}, **length)
    train(SIZED, rounded, on_gpu, datasets(GPU))
    train(SIZED, an_assignment(recipe, task_options=options, **length), on_cpu, datasets(CPU))
    assert on_gpu.curve("val_loss") != on_cpu.curve("val_loss")
    assert on_gpu.curve("val_loss")[-1] == pytest.approx(on_cpu.curve("val_loss")[-1], abs=0.05)


def test_a_loader_of_ones_own_is_asked_for_batches_on_the_gpu(tmp_path: Path) -> None:
    task, on_gpu, on_cpu = Streamed(tmp_path / "rows.npy"), Watcher(), Watcher()
    recipe = a_recipe(Cosine(), kind="sgd").model_copy(update={"averaging": Ema(decay=0.9)})
    train(task, an_assignment(recipe), on_gpu, datasets(GPU))
    train(Normed(), an_assignment(recipe), on_cpu, datasets(CPU))
    assert task.devices == {GPU}
    assert on_gpu.curve("val_loss") == pytest.approx(on_cpu.curve("val_loss"), rel=1e-9)


def test_the_hash_of_data_on_the_gpu_is_that_of_its_bytes() -> None:
    data = Line().data({"slope": 2.0})
    assert sha256_of(data.to(GPU)) == sha256_of(data)


@pytest.mark.parametrize("name", ["breast-cancer", "diabetes", "char-gpt", "noisy-quadratic"])
def test_a_built_in_task_trains_on_the_gpu_as_on_the_cpu(name: str) -> None:
    task = load(name)
    assignment = an_assignment(
        a_recipe(kind="sgd", peak_lr=0.05),
        task=name,
        horizon=40,
        updates_per_epoch=task.info.updates_per_epoch,
        evaluate_every=40,
    )
    on_gpu, on_cpu = Watcher(), Watcher()
    train(task, assignment, on_gpu, datasets(GPU))
    train(task, assignment, on_cpu, datasets(CPU))
    assert on_gpu.curve("val_loss") == pytest.approx(on_cpu.curve("val_loss"), rel=1e-3)


def test_images_are_cropped_and_mirrored_on_the_gpu() -> None:
    images = torch.randint(0, 256, (16, 3, 32, 32), dtype=torch.uint8, device=GPU)
    torch.cuda.manual_seed(5)
    first = CropAndFlip()(images)
    torch.cuda.manual_seed(5)
    assert first.device == GPU
    assert torch.equal(CropAndFlip()(images), first)


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
