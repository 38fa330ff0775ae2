"""Tasks: what they say of themselves, how they are found, and the digits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from search.errors import NotFound, Unsuitable
from search.tasks import registry
from search.tasks.builtin import INFOS
from search.tasks.info import Option, TaskInfo, standard_options
from search.training.loop import train
from tests.training.toys import Line, Watcher, a_recipe, an_assignment, datasets

ROOT = Path(__file__).parents[2]
READ_FILES = ("fashion-mnist-lenet", "cifar10-resnet")

# refusals


def test_an_option_whose_default_breaks_its_own_bounds_is_refused() -> None:
    with pytest.raises(ValidationError, match="the default must be at least 1, not 0"):
        Option(type="integer", default=0, low=1)


def test_a_boolean_is_no_integer() -> None:
    with pytest.raises(ValidationError, match="the default must be of type integer, not True"):
        Option(type="integer", default=True)


@pytest.mark.parametrize(
    "option,value,rule",
    [
        (Option(type="integer", default=2), 2.5, "must be of type integer, not 2.5"),
        (Option(type="number", default=0.5, low=0, high=1), float("nan"), "must be at least 0, not nan"),
        (Option(type="number", default=0.5, high=1), 2, "must be at most 1, not 2"),
        (Option(type="number", default=0.5, high=1), 1.0000001, "must be at most 1, not 1.0000001"),
        (Option(type="integer", default=1, high=1e6), 1_000_001, "must be at most 1000000, not 1000001"),
        (Option(type="integer", default=1, high=9), 10**400, f"must be at most 9, not 1{'0' * 79}"),
        (Option(type="string", default="a", choices=("a", "b")), "c", "must be one of 'a', 'b', not 'c'"),
        (Option(type="boolean", default=True), 1, "must be of type boolean, not 1"),
    ],
)
def test_an_option_says_what_is_wrong_with_a_value(option: Option, value: Any, rule: str) -> None:
    assert option.complaint(value) == rule


def test_an_objective_that_is_no_metric_of_the_task_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"must be one of its metrics \(val_f1\), not 'val_loss'"):
        TaskInfo(name="toy", metrics={"val_f1": "maximize"}, updates_per_epoch=1)


STANDARD = standard_options(batch_size=32, train_examples=1200, classes=10)


@pytest.mark.parametrize(
    "fields, rule",
    [
        ({"batch_size": 32}, "task toy must say both train_examples and batch_size, or neither"),
        ({"train_examples": 1200}, "task toy must say both train_examples and batch_size, or neither"),
        (
            {"batch_size": 32, "train_examples": 1200, "updates_per_epoch": 38},
            "the updates of an epoch at the default options: 37, not 38",
        ),
        ({"options": STANDARD}, "option batch_size of task toy .* must say train_examples and batch_size"),
    ],
)
def test_a_task_whose_epochs_cannot_be_counted_is_refused(fields: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        TaskInfo.model_validate({"name": "toy", "metrics": {"val_loss": "minimize"}, "updates_per_epoch": 37, **fields})


@pytest.mark.parametrize(
    "name, option, rule",
    [
        ("batch_size", Option(type="integer", default=32), "an integer of at least 1"),
        ("train_examples", Option(type="number", default=32, low=1), "an integer of at least 1"),
        ("label_noise", Option(type="number", default=0.0, low=0), "a number from 0 to 1"),
        ("dtype", Option(type="string", default="float16", choices=("float16",)), "one of the strings float32, bfl"),
        ("dtype", Option(type="string", default="float32"), "one of the strings float32, bfloat16"),
    ],
)
def test_an_option_that_the_training_applies_has_one_meaning_for_every_task(
    name: str, option: Option, rule: str
) -> None:
    with pytest.raises(ValidationError, match=f"option {name} of task toy is one that the training applies.*{rule}"):
        TaskInfo(name="toy", metrics={"val_loss": "minimize"}, updates_per_epoch=37, options={name: option})


def test_an_unregistered_task_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(NotFound, match=r"there is no task 'os:system' on this machine; registered tasks: .*digits-mlp"):
        registry.load("os:system")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Install a package that registers one task, as pip leaves it behind."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def installed(name: str, value: str) -> None:
        package = f"package{len(list(tmp_path.iterdir()))}"
        directory = tmp_path / f"{package}-1.0.dist-info"
        directory.mkdir()
        (directory / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (directory / "entry_points.txt").write_text(f"[etude.tasks]\n{name} = {value}\n")

    return installed


Install = Callable[[str, str], None]


def test_a_name_registered_by_two_packages_is_refused(install: Install) -> None:
    install("line", "one:Line")
    install("line", "two:Line")
    with pytest.raises(Unsuitable, match=r"task line is registered twice, as (one|two):Line and as (one|two):Line"):
        registry.load("line")


def test_a_task_whose_module_cannot_be_imported_is_refused(install: Install) -> None:
    install("line", "no_such_module:Line")
    with pytest.raises(Unsuitable, match=r"task line \(no_such_module:Line\) cannot be loaded: ModuleNotFoundError"):
        registry.load("line")


def test_a_task_that_calls_itself_otherwise_is_refused(install: Install) -> None:
    install("circle", "tests.training.toys:Line")
    with pytest.raises(Unsuitable, match="calls itself 'line'"):
        registry.load("circle")


def test_a_class_that_is_no_task_is_refused(install: Install) -> None:
    install("line", "tests.training.toys:Watcher")
    with pytest.raises(Unsuitable, match="has no info, batch_size, data, model, loss, metrics"):
        registry.load("line")


# what there is


def test_options_left_out_take_their_defaults() -> None:
    assert Line.info.complete({}) == {"slope": 2.0}
    assert Line.info.complete({"slope": 3}) == {"slope": 3}


@pytest.mark.parametrize(
    "options, updates",
    [
        ({}, 37),
        ({"batch_size": 100}, 12),
        ({"train_examples": 319}, 9),
        ({"train_examples": 320, "batch_size": 320}, 1),
        ({"train_examples": 31}, 0),
    ],
)
def test_an_epoch_is_the_whole_batches_of_the_examples_that_the_options_leave(
    options: dict[str, Any], updates: int
) -> None:
    info = TaskInfo(
        name="toy",
        metrics={"val_loss": "minimize"},
        updates_per_epoch=37,
        options=STANDARD,
        train_examples=1200,
        batch_size=32,
    )
    assert info.updates_in_epoch(info.complete(options)) == updates


def test_a_task_that_does_not_count_its_examples_has_epochs_of_one_length() -> None:
    assert Line.info.updates_in_epoch(Line.info.complete({"slope": 3})) == 10


def test_only_classes_can_be_given_noisy_labels() -> None:
    assert "label_noise" in STANDARD
    assert "label_noise" not in standard_options(batch_size=32, train_examples=1200)


@pytest.mark.parametrize("info", [info for info in INFOS if info.name not in READ_FILES], ids=lambda info: info.name)
def test_a_built_in_task_is_what_the_service_is_told_of_it(info: TaskInfo) -> None:
    task = registry.load(info.name)
    assert task.info == info
    data = task.data(info.complete({}))
    assert len(data.train) // task.batch_size == info.updates_per_epoch


def test_the_service_learns_of_the_built_in_tasks_without_torch() -> None:
    code = "import sys, search.tasks.builtin; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_digits_are_split_1200_297_300_with_every_digit_in_its_share() -> None:
    data = registry.load("digits-mlp").data({"hidden": 64})
    assert [len(part) for part in (data.train, data.validation, data.test)] == [1200, 297, 300]
    shares = [torch.bincount(part.targets) / len(part) for part in (data.train, data.validation, data.test)]
    assert all((share - shares[0]).abs().max() < 0.005 for share in shares)
    assert (data.train.inputs.min().item(), data.train.inputs.max().item()) == (0.0, 1.0)


def test_the_digits_are_split_alike_every_time() -> None:
    first, second = (registry.load("digits-mlp").data({"hidden": 64}) for _ in range(2))
    assert torch.equal(first.train.inputs, second.train.inputs)
    assert torch.equal(first.test.targets, second.test.targets)


def test_no_digit_stands_in_two_parts() -> None:
    data = registry.load("digits-mlp").data({"hidden": 64})
    rows = torch.cat([data.train.inputs, data.validation.inputs, data.test.inputs])
    assert len(torch.unique(rows, dim=0)) == 1797


def test_the_multilayer_perceptron_is_64_64_64_10() -> None:
    task = registry.load("digits-mlp")
    shapes = [tuple(weight.shape) for weight in task.model(task.info.complete({})).parameters() if weight.dim() == 2]
    assert shapes == [(64, 64), (64, 64), (10, 64)]


@pytest.mark.parametrize("name", ["digits-mlp", "digits-cnn"])
def test_a_few_epochs_learn_most_digits(name: str) -> None:
    watcher = Watcher()
    recipe = a_recipe(peak_lr=0.1, kind="sgd", momentum=0.9)
    train(
        registry.load(name),
        an_assignment(recipe, task=name, horizon=148, updates_per_epoch=37, evaluate_every=37),
        watcher,
        datasets(),
    )
    accuracy = watcher.curve("val_accuracy")[-1]
    assert accuracy is not None
    assert accuracy > 0.8
