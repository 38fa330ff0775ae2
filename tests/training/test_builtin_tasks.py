"""The built-in tasks besides the digits: their data, their models, and that they learn."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from schedules.torch import hidden_matrices
from search.protocol import Completed
from search.tasks import registry
from search.tasks.builtin import INFOS
from search.tasks.cifar10 import PADDING, CropAndFlip
from search.tasks.files import FileRefused
from search.training.loop import train
from tests.training.image_files import FASHION, idx, labels_of, write_cifar, write_fashion
from tests.training.toys import Watcher, a_recipe, an_assignment, datasets

SMALL: dict[str, dict[str, Any]] = {
    "fashion-mnist-lenet": {},
    "cifar10-resnet": {"channels": 4, "blocks": 1, "augmentation": False},
    "breast-cancer": {},
    "diabetes": {},
    "char-gpt": {"channels": 32, "layers": 1},
    "noisy-quadratic": {},
}
"""Options at which each task trains in seconds on one core."""


@pytest.fixture(scope="module")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Both image data sets in their true sizes; gone afterwards, for they are large."""
    folder = tmp_path_factory.mktemp("datasets")
    write_fashion(folder / "fashion-mnist")
    write_cifar(folder / "cifar-10-batches-bin")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _known_folder(image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETUDE_DATASETS_DIR", str(image_folder))


def options(name: str, **given: Any) -> dict[str, Any]:
    return dict(registry.load(name).info.complete(given))


def n_parameters(name: str, **given: Any) -> int:
    return sum(weight.numel() for weight in registry.load(name).model(options(name, **given)).parameters())


# data


@pytest.mark.parametrize("name", ["fashion-mnist-lenet", "cifar10-resnet"])
def test_the_images_are_as_many_as_the_service_is_told(name: str) -> None:
    task = registry.load(name)
    data = task.data(options(name))
    assert len(data.train) == task.info.train_examples
    assert (len(data.validation), len(data.test)) == (10_000, 10_000)
    assert data.train.inputs.dtype == torch.uint8


def test_validation_is_taken_from_the_training_file_alike_every_time_and_every_class_has_its_share() -> None:
    task = registry.load("fashion-mnist-lenet")
    first, second = (task.data(options("fashion-mnist-lenet")) for _ in range(2))
    assert torch.equal(first.validation.inputs, second.validation.inputs)
    assert torch.bincount(first.validation.targets).tolist() == [1000] * 10
    assert torch.bincount(first.train.targets).tolist() == [5000] * 10
    assert first.test.targets.tolist() == labels_of(10_000).tolist()


@pytest.mark.parametrize("dotted", [False, True], ids=["dashes", "dot"])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("folder", ["fashion-mnist", "FashionMNIST/raw"])
def test_fashion_mnist_is_found_in_every_spelling(
    folder: str, dotted: bool, zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETUDE_DATASETS_DIR", str(tmp_path))
    (tmp_path / folder).mkdir(parents=True)
    names = [name.replace("-idx", ".idx") if dotted else name for name in FASHION]
    paths = [tmp_path / folder / (f"{name}.gz" if zipped else name) for name in names]
    for path in paths:
        path.touch()
    sources = registry.load("fashion-mnist-lenet").sources()  # type: ignore[attr-defined]
    assert [source.found for source in sources] == paths


def test_gzipped_files_in_torchvision_s_folder_hold_the_same_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = registry.load("fashion-mnist-lenet")
    plain = task.data(options("fashion-mnist-lenet"))
    write_fashion(tmp_path / "FashionMNIST" / "raw", dotted=True, zipped=True)
    monkeypatch.setenv("ETUDE_DATASETS_DIR", str(tmp_path))
    zipped = task.data(options("fashion-mnist-lenet"))
    assert torch.equal(plain.train.inputs, zipped.train.inputs)
    assert torch.equal(plain.test.targets, zipped.test.targets)
    shutil.rmtree(tmp_path / "FashionMNIST")


def test_labels_that_are_no_classes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fashion(tmp_path / "fashion-mnist")
    path = tmp_path / "fashion-mnist" / "t10k-labels-idx1-ubyte"
    path.write_bytes(idx(labels_of(10_000) + 1))
    monkeypatch.setenv("ETUDE_DATASETS_DIR", str(tmp_path))
    with pytest.raises(FileRefused, match=f"{path} is refused: its labels must be 0 to 9, but one is 10"):
        registry.load("fashion-mnist-lenet").data(options("fashion-mnist-lenet"))
    shutil.rmtree(tmp_path / "fashion-mnist")


@pytest.mark.parametrize("name", ["breast-cancer", "diabetes"])
def test_tables_are_standardised_by_what_is_trained_on(name: str) -> None:
    train_inputs = registry.load(name).data(options(name)).train.inputs
    assert train_inputs.mean(dim=0).abs().max() < 1e-5
    assert (train_inputs.std(dim=0, correction=0) - 1).abs().max() < 1e-5


def test_the_mean_of_the_training_targets_has_a_loss_of_1_in_diabetes() -> None:
    task = registry.load("diabetes")
    targets = task.data(options("diabetes")).train.targets
    assert float(task.loss(torch.zeros_like(targets), targets)) == pytest.approx(1, abs=1e-5)
    assert float(task.metrics(torch.zeros_like(targets), targets)["r2"]) == pytest.approx(0, abs=1e-5)


def test_each_symbol_s_target_is_the_symbol_after_it_and_the_splits_follow_each_other() -> None:
    data = registry.load("char-gpt").data(options("char-gpt"))
    text = torch.cat([part.inputs.flatten() for part in (data.train, data.validation, data.test)])
    after = torch.cat([part.targets.flatten() for part in (data.train, data.validation, data.test)])
    assert torch.equal(text[1:], after[:-1])
    assert int(text.max()) < 97


# models


@pytest.mark.parametrize(
    "name, given, expected",
    [
        ("fashion-mnist-lenet", {}, 61_706),
        ("fashion-mnist-lenet", {"width": 2.0}, 244_362),
        ("cifar10-resnet", {}, 269_722),
        ("breast-cancer", {}, 30 * 32 + 32 + 32 * 32 + 32 + 32 * 2 + 2),
        ("diabetes", {}, 10 * 32 + 32 + 32 * 32 + 32 + 32 + 1),
        ("noisy-quadratic", {"dimension": 9}, 9),
    ],
)
def test_a_model_has_this_many_parameters(name: str, given: dict[str, Any], expected: int) -> None:
    assert n_parameters(name, **given) == expected


def test_the_largest_transformer_has_less_than_a_million_parameters() -> None:
    assert 100_000 < n_parameters("char-gpt") < n_parameters("char-gpt", channels=128, layers=4) < 1_000_000


def test_no_place_of_the_transformer_knows_what_comes_after_it() -> None:
    model = registry.load("char-gpt").model(options("char-gpt"))
    text = torch.randint(0, 97, (1, 64), dtype=torch.uint8)
    other = text.clone()
    other[0, 40:] = (other[0, 40:] + 1) % 97
    differs = (model(text) != model(other)).any(dim=-1)[0]
    assert not differs[:40].any()
    assert differs[40:].all()


@pytest.mark.parametrize("name, n_matrices", [("fashion-mnist-lenet", 2), ("char-gpt", 8), ("breast-cancer", 1)])
def test_muon_finds_the_hidden_matrices(name: str, n_matrices: int) -> None:
    model = registry.load(name).model(options(name))
    assert len(hidden_matrices(model)) == n_matrices


@pytest.mark.parametrize("name", [info.name for info in INFOS])
def test_models_stacked_give_what_each_gives_by_itself(name: str) -> None:
    task = registry.load(name)
    chosen = options(name, **SMALL.get(name, {}))
    rows = task.data(chosen).train.inputs[:6]
    models = [task.model(chosen).eval() for _ in range(3)]
    skeleton = copy.deepcopy(models[0]).to("meta")

    def one(weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        outputs: Tensor = functional_call(skeleton, (weights, buffers), (rows,))
        return outputs

    stacked = vmap(one)(*stack_module_state(models))
    torch.testing.assert_close(stacked, torch.stack([model(rows) for model in models]))


# augmentation


def test_images_are_as_they_were_outside_training() -> None:
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    assert torch.equal(CropAndFlip().eval()(images), images)


def test_every_image_is_cut_out_of_its_padded_self_mirrored_or_not() -> None:
    images = torch.randint(0, 256, (64, 3, 8, 8), dtype=torch.uint8)
    padded = nn.functional.pad(images, (PADDING,) * 4)
    changed, n_mirrored = CropAndFlip()(images), 0
    for before, after in zip(padded, changed, strict=True):
        n = 2 * PADDING + 1
        cuts = [before[:, down : down + 8, right : right + 8] for down in range(n) for right in range(n)]
        is_plain = any(torch.equal(after, cut) for cut in cuts)
        is_mirrored = any(torch.equal(after, cut.flip(2)) for cut in cuts)
        assert is_plain or is_mirrored
        n_mirrored += is_mirrored
    assert 16 < n_mirrored < 48


def test_what_is_cut_and_mirrored_follows_from_torch_s_own_random_state() -> None:
    images = torch.randint(0, 256, (64, 3, 8, 8), dtype=torch.uint8)
    torch.manual_seed(3)
    first, second = CropAndFlip()(images), CropAndFlip()(images)
    torch.manual_seed(3)
    assert torch.equal(CropAndFlip()(images), first)
    assert not torch.equal(first, second)


# training


@pytest.mark.parametrize(
    "name, n_updates, peak_lr, bound",
    [
        ("fashion-mnist-lenet", 30, 0.003, 1.5),
        ("cifar10-resnet", 24, 0.01, 2.0),
        ("breast-cancer", 110, 0.003, 0.2),
        ("diabetes", 80, 0.003, 0.8),
        ("char-gpt", 30, 0.003, 3.8),
        ("noisy-quadratic", 256, 0.03, 1.0),
    ],
)
def test_a_short_training_goes_below_what_no_training_reaches_and_repeats(
    name: str, n_updates: int, peak_lr: float, bound: float
) -> None:
    task = registry.load(name)
    assignment = an_assignment(
        a_recipe(peak_lr=peak_lr, kind="adamw"),
        task=name,
        task_options=SMALL[name],
        horizon=n_updates,
        updates_per_epoch=task.info.updates_per_epoch,
        evaluate_every=n_updates,
    )
    first, second = Watcher(), Watcher()
    assert isinstance(train(task, assignment, first, datasets()), Completed)
    train(task, assignment, second, datasets())
    assert first.points == second.points
    (loss,) = first.curve("val_loss")
    assert loss is not None
    assert loss < bound
