"""What a task is: data, model, loss and metrics, in torch."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, device, nn

from search.tasks.info import TaskInfo


class Split(Protocol):
    """Inputs and targets of one part of the data, resident on the device.

    Attributes:
        inputs: shape `(examples, ...)`.
        targets: shape `(examples, ...)`.
    """

    inputs: Tensor
    targets: Tensor


class Data(Protocol):
    """The three parts of a task's data."""

    train: Split
    validation: Split
    test: Split


class Task(Protocol):
    """A named problem: data, model, loss and metrics. A user's own task is a class like this."""

    info: TaskInfo

    def data(self, options: dict[str, Any], device: device) -> Data: ...

    def model(self, options: dict[str, Any]) -> nn.Module: ...

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor: ...

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]: ...
