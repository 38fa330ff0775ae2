"""The options that the training applies: batch size, subset, label noise and bfloat16."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from schedules import Cosine, Ema, Recipe
from search.errors import Unsuitable
from search.protocol import Assignment
from search.tasks.base import Data, Split
from search.tasks.digits import MLP
from search.training.data import Datasets, batches, source
from search.training.loop import train
from search.training.measure import measure
from tests.training.sized import SIZED, STANDARD, Sized
from tests.training.toys import CPU, Line, Watcher, a_recipe, an_assignment, datasets


def digits(**options: Any) -> Data:
    """The digits as they are trained on under these options."""
    return datasets().get(SIZED, Sized.info.complete(options))


def a_run(epochs: int = 4, recipe: Recipe | None = None, **options: Any) -> Assignment:
    """An assignment of the digits, evaluated once in each epoch."""
    updates = Sized.info.updates_in_epoch(Sized.info.complete(options))
    return an_assignment(
        recipe or a_recipe(Cosine(), kind="sgd", peak_lr=0.1, momentum=0.9),
        task="digits-mlp",
        task_options=options,
        horizon=epochs * updates,
        updates_per_epoch=updates,
        evaluate_every=updates,
    )


# refusals


def test_labels_that_are_no_classes_cannot_be_noisy() -> None:
    class Noisy(Line):
        info = Line.info.model_copy(update={"options": {**Line.info.options, "label_noise": STANDARD["label_noise"]}})

    message = (
        r"only class labels can be noisy: the targets of task line must be .* not torch.float64 of shape \(43, 1\)"
    )
    with pytest.raises(Unsuitable, match=message) as refused:
        train(Noisy(), an_assignment(task_options={"label_noise": 0.1}), Watcher(), datasets())
    assert refused.value.where == ("task_options", "label_noise")
    assert refused.value.value == 0.1


def test_an_epoch_that_was_counted_in_other_batches_is_refused() -> None:
    other = a_run().model_copy(update={"task_options": {"batch_size": 100, "train_examples": 600}})
    message = r"an epoch of task digits-mlp is 6 updates \(600 examples in batches of 100\), not 37"
    with pytest.raises(Unsuitable, match=message):
        train(SIZED, other, Watcher(), datasets())


# the data


def test_the_default_options_leave_the_data_as_it_is() -> None:
    found, plain = digits(), MLP().data({"hidden": 64})
    for ours, theirs in ((found.train, plain.train), (found.validation, plain.validation), (found.test, plain.test)):
        assert torch.equal(ours.inputs, theirs.inputs)
        assert torch.equal(ours.targets, theirs.targets)


def test_a_subset_is_drawn_once_and_contained_in_every_larger_one() -> None:
    small, again, large = (digits(train_examples=n).train for n in (100, 100, 101))
    assert len(small) == 100
    assert torch.equal(small.inputs, again.inputs)
    assert torch.equal(small.inputs, large.inputs[:100])
    assert torch.equal(small.targets, large.targets[:100])
    assert set(small.targets.tolist()) == set(range(10))


def test_a_subset_leaves_validation_and_test_whole() -> None:
    found = digits(train_examples=100, label_noise=0.5)
    plain = MLP().data({"hidden": 64})
    assert torch.equal(found.validation.inputs, plain.validation.inputs)
    assert torch.equal(found.validation.targets, plain.validation.targets)
    assert torch.equal(found.test.targets, plain.test.targets)


@pytest.mark.parametrize("share, n_examples, n_changed", [(0.25, 1200, 300), (1, 1200, 1200), (0.1, 333, 33)])
def test_exactly_the_share_of_labels_is_changed_and_each_to_another_class(
    share: float, n_examples: int, n_changed: int
) -> None:
    plain = digits(train_examples=n_examples).train
    noisy = digits(train_examples=n_examples, label_noise=share).train
    assert int((plain.targets != noisy.targets).sum()) == n_changed
    assert torch.equal(plain.inputs, noisy.inputs)
    assert set(noisy.targets.tolist()) <= set(range(10))


def test_more_noise_keeps_the_labels_that_less_noise_has_changed() -> None:
    plain, less, more = (digits(label_noise=share).train.targets for share in (0.0, 0.1, 0.4))
    changed = plain != less
    assert torch.equal(less[changed], more[changed])


def test_changed_labels_are_spread_over_all_other_classes() -> None:
    plain, noisy = digits().train.targets, digits(label_noise=1.0).train.targets
    counts = torch.bincount((noisy - plain) % 10, minlength=10)
    assert counts[0] == 0
    assert counts[1:].min() > 90  # 1200 in 9 classes: 133 each, give or take three and a half times 11


def test_labels_need_not_be_counted_from_zero() -> None:
    class Signs(Sized):
        def data(self, options: dict[str, Any]) -> Data:
            split = Split(torch.zeros(8), torch.tensor([-5, 7] * 4))
            return Data(split, split, split)

    task: Any = Signs()
    found = datasets().get(task, task.info.complete({"label_noise": 1.0})).train
    assert found.targets.tolist() == [7, -5] * 4


# the batches


def test_the_batches_of_a_chosen_size_come_in_the_order_of_their_seed() -> None:
    data = digits(train_examples=330)
    ours = source(SIZED, data, {"batch_size": 100}, CPU)(3)
    plain = batches(data.train, 100, 3)
    for _ in range(7):
        (inputs, targets), (expected, labels) = next(ours), next(plain)
        assert len(inputs) == 100
        assert torch.equal(inputs, expected)
        assert torch.equal(targets, labels)


def test_a_run_takes_the_batch_size_and_the_examples_of_its_options() -> None:
    class Counting(Sized):
        def __init__(self) -> None:
            self.sizes: list[int] = []

        def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
            if torch.is_grad_enabled():
                self.sizes.append(len(targets))
            return super().loss(outputs, targets)

    task: Any = Counting()
    watcher = Watcher()
    train(task, a_run(2, batch_size=100, train_examples=333), watcher, datasets())
    assert task.sizes == [100] * 6
    assert [(point.update, point.epoch) for point in watcher.points] == [(3, 1.0), (6, 2.0)]


# bfloat16


class Watched(Sized):
    """Notes in which type its model computes and its loss is taken, and keeps the model."""

    def __init__(self) -> None:
        self.computed: set[tuple[bool, torch.dtype]] = set()
        self.judged: set[torch.dtype] = set()
        self.kept: nn.Module | None = None

    def model(self, options: dict[str, Any]) -> nn.Module:
        self.kept = nn.Sequential(super().model(options), nn.BatchNorm1d(10))
        self.kept[0].register_forward_hook(lambda module, _, out: self.computed.add((module.training, out.dtype)))
        return self.kept

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.judged.add(outputs.dtype)
        return super().loss(outputs, targets)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_training_and_evaluation_compute_in_the_chosen_type_and_nothing_else_does(dtype: str) -> None:
    task: Any = Watched()
    train(task, a_run(1, dtype=dtype), Watcher(), datasets())
    assert task.computed == {(True, getattr(torch, dtype)), (False, getattr(torch, dtype))}
    assert task.judged == {torch.float32}
    assert task.kept is not None
    assert {weight.dtype for weight in task.kept.parameters()} == {torch.float32}


def test_the_statistics_of_batch_norm_are_measured_in_the_chosen_type_too() -> None:
    task: Any = Watched()
    recipe = a_recipe(kind="sgd").model_copy(update={"averaging": Ema(decay=0.9)})
    train(task, a_run(1, recipe, dtype="bfloat16"), Watcher(), datasets())
    assert task.computed == {(True, torch.bfloat16), (False, torch.bfloat16)}


def test_a_run_in_bfloat16_ends_close_to_one_in_float32() -> None:
    exact, rounded = Watcher(), Watcher()
    train(SIZED, a_run(10), exact, datasets())
    train(SIZED, a_run(10, dtype="bfloat16"), rounded, datasets())
    exact_loss, rounded_loss = exact.curve("val_loss")[-1], rounded.curve("val_loss")[-1]
    assert rounded_loss != exact_loss
    assert rounded_loss == pytest.approx(exact_loss, abs=0.03)


def test_a_split_is_measured_in_the_chosen_type() -> None:
    split = digits().test
    torch.manual_seed(0)
    model = SIZED.model({"hidden": 64})
    exact = measure(SIZED, model, split, "test")
    rounded = measure(SIZED, model, split, "test", dtype="bfloat16")
    assert rounded != exact
    assert rounded["test_loss"] == pytest.approx(exact["test_loss"], abs=0.01)


def test_data_is_kept_apart_by_its_options() -> None:
    kept = Datasets(CPU)
    sizes = [len(kept.get(SIZED, Sized.info.complete({"train_examples": n})).train) for n in (100, 200, 100)]
    assert sizes == [100, 200, 100]
