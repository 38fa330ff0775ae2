"""A task of one's own: two interleaved half moons, told apart by a small network."""

from typing import Any

import torch
from sklearn.datasets import make_moons
from torch import Tensor, nn

from search.tasks.base import Data, Split
from search.tasks.info import Option, TaskInfo


class Moons:
    info = TaskInfo(
        name="moons",
        metrics={"val_loss": "minimize", "val_accuracy": "maximize"},
        updates_per_epoch=20,  # 640 training examples in batches of 32
        options={"noise": Option(type="number", default=0.2, low=0, high=1)},
    )
    batch_size = 32

    def data(self, options: dict[str, Any]) -> Data:
        points, labels = make_moons(1000, noise=options["noise"], random_state=0)
        inputs, targets = torch.tensor(points, dtype=torch.float32), torch.tensor(labels)
        parts = slice(0, 640), slice(640, 820), slice(820, 1000)
        return Data(*(Split(inputs[part], targets[part]) for part in parts))

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"accuracy": (outputs.argmax(dim=1) == targets).float().mean()}
