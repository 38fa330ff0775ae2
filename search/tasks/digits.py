"""Handwritten digits: 1797 images of 8×8 pixels that come with scikit-learn, nothing to download.

Source: E. Alpaydin and C. Kaynak (1998), "Optical Recognition of Handwritten Digits", UCI Machine
Learning Repository; here the test part of it, as ``sklearn.datasets.load_digits`` ships it.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from search.tasks.base import Data, Split
from search.tasks.builtin import (
    DIGITS_BATCH,
    DIGITS_CNN,
    DIGITS_MLP,
    DIGITS_TEST,
    DIGITS_TRAIN,
    DIGITS_VALIDATION,
)
from search.tasks.classification import Classifier
from search.tasks.info import TaskInfo

_SPLIT_SEED = 20_101
_BRIGHTEST = 16.0


class Digits(Classifier):
    """The data of both digits tasks; the split is stratified by digit and always the same."""

    batch_size: ClassVar[int] = DIGITS_BATCH
    shape: ClassVar[tuple[int, ...]]

    def data(self, options: dict[str, Any]) -> Data:
        images, labels = load_digits(return_X_y=True)
        numbers = np.arange(len(labels))
        train, rest = train_test_split(numbers, train_size=DIGITS_TRAIN, stratify=labels, random_state=_SPLIT_SEED)
        validation, test = train_test_split(
            rest,
            train_size=DIGITS_VALIDATION,
            test_size=DIGITS_TEST,
            stratify=labels[rest],
            random_state=_SPLIT_SEED,
        )
        inputs = torch.tensor(images / _BRIGHTEST, dtype=torch.float32).reshape(-1, *self.shape)
        targets = torch.tensor(labels, dtype=torch.int64)
        return Data(*(Split(inputs[part], targets[part]) for part in (train, validation, test)))


class MLP(Digits):
    """A multilayer perceptron 64-64-64-10 with ReLU."""

    info: ClassVar[TaskInfo] = DIGITS_MLP
    shape: ClassVar[tuple[int, ...]] = (64,)

    def model(self, options: dict[str, Any]) -> nn.Module:
        hidden = options["hidden"]
        return nn.Sequential(
            nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10)
        )


class CNN(Digits):
    """Two 3×3 convolutions with ReLU, a 2×2 pooling after them, one linear layer."""

    info: ClassVar[TaskInfo] = DIGITS_CNN
    shape: ClassVar[tuple[int, ...]] = (1, 8, 8)

    def model(self, options: dict[str, Any]) -> nn.Module:
        channels = options["channels"]
        return nn.Sequential(
            nn.Conv2d(1, channels, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, 2 * channels, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * channels * 16, 10),
        )
