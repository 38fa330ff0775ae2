"""Tasks of somebody else: one that works, and some that do not, each in a way of its own."""

import os
import sys
import time
from typing import Any

import torch
from torch import Tensor, nn

from search.tasks.base import Data, Split
from search.tasks.info import TaskInfo


class Honest:
    name = "honest"
    updates = 20
    metrics_named = ("val_loss", "val_accuracy")
    batch_size = 16

    @property
    def info(self) -> TaskInfo:
        metrics = dict.fromkeys(self.metrics_named, "minimize")
        described = {"name": self.name, "metrics": metrics, "updates_per_epoch": self.updates}
        return TaskInfo.model_validate(described)

    def data(self, options: dict[str, Any]) -> Data:
        sys.stdout.write('{"doing": "mischief", "check": "none"}\n')
        points = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
        side = (points.sum(dim=1) > 0).long()
        return Data(*(Split(points[a:b], side[a:b]) for a, b in ((0, 320), (320, 360), (360, 400))))

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"accuracy": (outputs.argmax(dim=1) == targets).float().mean()}


class Raises(Honest):
    name = "raises"

    def data(self, options: dict[str, Any]) -> Data:
        raise ValueError("there is no such column")


class Hangs(Honest):
    name = "hangs"

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        time.sleep(3600)
        return super().loss(outputs, targets)


class Aborts(Honest):
    name = "aborts"

    def __init__(self) -> None:
        os.abort()


class Crashes(Honest):
    name = "crashes"

    def model(self, options: dict[str, Any]) -> nn.Module:
        os.abort()


class NotANumber(Honest):
    name = "not-a-number"

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return super().loss(outputs, targets) * float("nan")


class Explodes(Honest):
    """Its loss is finite for a while."""

    name = "explodes"

    def model(self, options: dict[str, Any]) -> nn.Module:
        self.n_losses = 0
        return super().model(options)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.n_losses += 1
        return super().loss(outputs, targets) * (1.0 if self.n_losses < 100 else float("inf"))


class Restless(Honest):
    """Its weights begin elsewhere each time, whatever the seed."""

    name = "restless"

    def model(self, options: dict[str, Any]) -> nn.Module:
        model = super().model(options)
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(int.from_bytes(os.urandom(2), "big") / 65536)
        return model


class Forgetful(Honest):
    """Its data is drawn anew each time that it is loaded."""

    name = "forgetful"

    def data(self, options: dict[str, Any]) -> Data:
        data = super().data(options)
        return Data(Split(data.train.inputs + torch.randn(320, 2), data.train.targets), data.validation, data.test)


class Miscounts(Honest):
    name = "miscounts"
    updates = 21


class Unmeasured(Honest):
    name = "unmeasured"
    metrics_named = ("val_loss", "val_f1")


class Idle(nn.Module):
    """A layer that takes no part."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(2, 2)
        self.unused = nn.Linear(2, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.used(inputs)
        return outputs


class HalfTrained(Honest):
    name = "half-trained"

    def model(self, options: dict[str, Any]) -> nn.Module:
        return Idle()
