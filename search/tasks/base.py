"""What a task is: data, model, loss and metrics, in torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from search.tasks.files import Source
from search.tasks.info import TaskInfo


@dataclass(frozen=True)
class Split:
    """Inputs and targets of one part of the data, row by row.

    Attributes:
        inputs: shape `(examples, ...)`.
        targets: shape `(examples, ...)`.
    """

    inputs: Tensor
    targets: Tensor

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.targets) or not len(self.inputs):
            raise ValueError(
                "a split needs as many inputs as targets, and at least one: "
                f"it has {len(self.inputs)} inputs and {len(self.targets)} targets"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    def to(self, device: torch.device) -> Split:
        """The same rows on another device."""
        return Split(self.inputs.to(device), self.targets.to(device))


@dataclass(frozen=True)
class Data:
    """The three parts of a task's data; how they were split must not depend on anything random."""

    train: Split
    validation: Split
    test: Split

    def to(self, device: torch.device) -> Data:
        """The same data on another device."""
        return Data(self.train.to(device), self.validation.to(device), self.test.to(device))


class Task(Protocol):
    """A named problem: data, model, loss and metrics. A user's own task is a class like this.

    All of it is written for the CPU; data and model are moved to the worker's device. The model is
    built under a seed, so that torch's own random initial weights repeat.

    The options ``batch_size``, ``train_examples``, ``label_noise`` and ``dtype`` are applied by the training: a task
    that takes them from ``standard_options`` into its TaskInfo need not look at them. One whose training data is too
    large for the device brings its own loader, see ``BringsBatches``.

    Attributes:
        info: what the service must know of it.
        batch_size: examples of one update, unless an option says otherwise. The last, partial batch of an epoch is
            dropped, so that ``info.updates_per_epoch`` is ``len(data.train) // batch_size``.
    """

    info: TaskInfo
    batch_size: int

    def data(self, options: dict[str, Any]) -> Data:
        """Load the data; called once per worker and set of options."""

    def model(self, options: dict[str, Any]) -> nn.Module:
        """Build the network with fresh weights; called once per trial."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of a batch, a scalar. Reported as ``train_loss``, ``val_loss``, ``test_loss``."""

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """More to measure on a whole split: ``accuracy`` becomes ``val_accuracy`` and ``test_accuracy``."""


@runtime_checkable
class NamesHiddenMatrices(Protocol):
    """What a task may have besides: it says itself which weights the optimizer ``muon`` takes."""

    def hidden_matrices(self, model: nn.Module) -> Iterable[Tensor]:
        """Those of the model's two-dimensional weights that are neither embedding nor first nor last layer.

        A task without this method leaves it to the order of the layers in the model.
        """


@runtime_checkable
class ReadsFiles(Protocol):
    """What a task may have besides: it reads files, and a worker that lacks one of them works without the task."""

    def sources(self) -> Sequence[Source]:
        """Look for every file that ``data`` reads."""


@runtime_checkable
class BoundsEvaluation(Protocol):
    """What a task may have besides: its activations are large.

    Attributes:
        evaluation_examples: the most examples that one forward pass of an evaluation may take.
    """

    evaluation_examples: int


@runtime_checkable
class BringsBatches(Protocol):
    """What a task has whose training data is too large for the device: its own loader.

    Its ``data`` returns a sample as the training part. Nothing is trained on that, but it goes into the SHA-256 by
    which a study knows its data: let it stand for all of the data. Validation and test are evaluated as they are.
    Its TaskInfo says ``train_examples`` and ``batch_size``, and the loader itself applies those of the options
    ``batch_size``, ``train_examples`` and ``label_noise`` that the task declares; ``dtype`` stays the training's.
    """

    def batches(self, options: dict[str, Any], seed: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs and targets of one update after the other, on the device, without end.

        It is called once per trial, and at each evaluation where statistics of BatchNorm are measured anew over an
        epoch of it: several may be under way at once.

        Args:
            seed: the order, and all else that is drawn, must be a pure function of it; every trial of a study is
                given the same.
        """
