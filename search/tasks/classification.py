"""What tasks that tell classes apart have in common: loss, metrics, and a split that keeps each class's share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor, nn


class Classifier:
    """Loss and metrics of a task whose outputs are a score for each class, and whose targets are class numbers."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"accuracy": (outputs.argmax(dim=1) == targets).float().mean()}


class Pixels(nn.Module):
    """Turns images of bytes into numbers: 0 to 255 becomes 0 to 1, from which a mean and a deviation are taken.

    Images stay bytes until here, a quarter of the memory.

    Args:
        mean: of each channel, in [0, 1].
        deviation: of each channel.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).reshape(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return (images.to(self.mean.dtype) / 255 - self.mean) / self.deviation


def split_off(labels: NDArray[Any], rows: NDArray[np.int64], n_rows: int, seed: int) -> tuple[NDArray[np.int64], ...]:
    """Part ``n_rows`` of these rows from the others, so that each class keeps its share; the others come first."""
    rest, parted = train_test_split(rows, test_size=n_rows, stratify=labels[rows], random_state=seed)
    return rest, parted
