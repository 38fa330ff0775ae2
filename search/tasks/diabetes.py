"""Diabetes: ten numbers about each of 442 patients, and how far the disease had come a year later; with scikit-learn.

Source: B. Efron, T. Hastie, I. Johnstone and R. Tibshirani (2004), "Least Angle Regression".
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from search.tasks.base import Data, Split
from search.tasks.builtin import DIABETES, DIABETES_BATCH, DIABETES_TEST, DIABETES_TRAIN
from search.tasks.info import TaskInfo
from search.tasks.tabular import perceptron, standardised

_SPLIT_SEED: Final = 20_105


class Diabetes:
    """Regression by a multilayer perceptron 10-32-32-1 with ReLU; inputs and target are standardised.

    A loss of 1 is that of the training mean, whatever the patient; ``r2`` is the share of the variance explained.
    """

    info: ClassVar[TaskInfo] = DIABETES
    batch_size: ClassVar[int] = DIABETES_BATCH

    def data(self, options: dict[str, Any]) -> Data:
        columns, progression = load_diabetes(return_X_y=True, scaled=False)
        rows = range(len(progression))
        train, rest = train_test_split(rows, train_size=DIABETES_TRAIN, random_state=_SPLIT_SEED)
        validation, test = train_test_split(rest, test_size=DIABETES_TEST, random_state=_SPLIT_SEED)
        inputs, targets = standardised(columns, train), standardised(progression[:, None], train)
        return Data(*(Split(inputs[part], targets[part]) for part in (train, validation, test)))

    def model(self, options: dict[str, Any]) -> nn.Module:
        return perceptron(10, options["hidden"], 1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"r2": 1 - nn.functional.mse_loss(outputs, targets) / targets.var(correction=0)}
