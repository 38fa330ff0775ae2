"""Fashion-MNIST: 70,000 grey pictures of clothing, 28×28, in ten classes; read from files that the operator provides.

Source: H. Xiao, K. Rasul and R. Vollgraf (2017), arXiv:1708.07747.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from search.tasks.base import Data, Split
from search.tasks.builtin import FASHION_BATCH, FASHION_MNIST_LENET, FASHION_VALIDATION
from search.tasks.classification import Classifier, Pixels, split_off
from search.tasks.files import FileRefused, Source, directory, look_for, require
from search.tasks.idx import read_idx
from search.tasks.info import TaskInfo

N_TRAIN: Final = 60_000
N_TEST: Final = 10_000
SIDE: Final = 28
FOLDERS: Final = ("fashion-mnist", "FashionMNIST/raw")
_SPLIT_SEED: Final = 20_102
_FILES: Final = {
    "training images": "train-images-idx3-ubyte",
    "training labels": "train-labels-idx1-ubyte",
    "test images": "t10k-images-idx3-ubyte",
    "test labels": "t10k-labels-idx1-ubyte",
}


class LeNet(Classifier):
    """LeNet with ReLU and maximum pooling; the test file is the test split, validation is taken from the other.

    Source: A. Zhang, Z. Lipton, M. Li and A. Smola, "Dive into Deep Learning", chapter on learning-rate scheduling.
    There an epoch is all 60,000 images, and what is printed was measured on the test file.
    """

    info: ClassVar[TaskInfo] = FASHION_MNIST_LENET
    batch_size: ClassVar[int] = FASHION_BATCH
    evaluation_examples: ClassVar[int] = 512

    def sources(self) -> Sequence[Source]:
        folders = [directory() / folder for folder in FOLDERS]
        return [look_for(name, folders, _spellings(file)) for name, file in _FILES.items()]

    def data(self, options: dict[str, Any]) -> Data:
        images, labels, test_images, test_labels = require(self.info.name, self.sources())
        inputs, targets = _read_images(images, N_TRAIN), _read_labels(labels, N_TRAIN)
        train, validation = split_off(targets, np.arange(N_TRAIN), FASHION_VALIDATION, _SPLIT_SEED)
        return Data(
            Split(torch.from_numpy(inputs[train]), torch.from_numpy(targets[train])),
            Split(torch.from_numpy(inputs[validation]), torch.from_numpy(targets[validation])),
            Split(*map(torch.from_numpy, (_read_images(test_images, N_TEST), _read_labels(test_labels, N_TEST)))),
        )

    def model(self, options: dict[str, Any]) -> nn.Module:
        first, second, third, fourth = (round(n * options["width"]) for n in (6, 16, 120, 84))
        return nn.Sequential(
            Pixels((0.0,), (1.0,)),
            nn.Conv2d(1, first, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(second * 25, third),
            nn.ReLU(),
            nn.Linear(third, fourth),
            nn.ReLU(),
            nn.Linear(fourth, 10),
        )


def _spellings(file: str) -> list[str]:
    dotted = file.replace("-idx", ".idx")
    return [file, f"{file}.gz", dotted, f"{dotted}.gz"]


def _read_images(path: Path, n_images: int) -> NDArray[np.uint8]:
    return read_idx(path, (n_images, SIDE, SIDE))[:, None]


def _read_labels(path: Path, n_labels: int) -> NDArray[np.int64]:
    labels = read_idx(path, (n_labels,))
    if labels.max() > 9:
        raise FileRefused(path, f"its labels must be 0 to 9, but one is {labels.max()}")
    return labels.astype(np.int64)
