"""Breast cancer: 569 tumours described by 30 numbers, malignant or benign; they come with scikit-learn.

Source: W. Wolberg, O. Mangasarian, N. Street and W. Street (1995), "Breast Cancer Wisconsin (Diagnostic)", UCI Machine
Learning Repository.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

from search.tasks.base import Data, Split
from search.tasks.builtin import BREAST_CANCER, CANCER_BATCH, CANCER_TEST, CANCER_VALIDATION
from search.tasks.classification import Classifier, split_off
from search.tasks.info import TaskInfo
from search.tasks.tabular import perceptron, standardised

_SPLIT_SEED: Final = 20_104


class BreastCancer(Classifier):
    """A multilayer perceptron 30-32-32-2 with ReLU; the split is stratified by class."""

    info: ClassVar[TaskInfo] = BREAST_CANCER
    batch_size: ClassVar[int] = CANCER_BATCH

    def data(self, options: dict[str, Any]) -> Data:
        columns, labels = load_breast_cancer(return_X_y=True)
        rest, test = split_off(labels, np.arange(len(labels)), CANCER_TEST, _SPLIT_SEED)
        train, validation = split_off(labels, rest, CANCER_VALIDATION, _SPLIT_SEED)
        inputs, targets = standardised(columns, train), torch.tensor(labels, dtype=torch.int64)
        return Data(*(Split(inputs[rows], targets[rows]) for rows in (train, validation, test)))

    def model(self, options: dict[str, Any]) -> nn.Module:
        return perceptron(30, options["hidden"], 2)
