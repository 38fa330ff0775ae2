"""The built-in tasks as the service knows them, without torch."""

from __future__ import annotations

from typing import Final

from search.tasks.info import Option, TaskInfo

DIGITS_TRAIN: Final = 1200
DIGITS_VALIDATION: Final = 297
DIGITS_TEST: Final = 300
DIGITS_BATCH: Final = 32

DIGITS_MLP: Final = TaskInfo(
    name="digits-mlp",
    description="Handwritten digits of 8×8 pixels (scikit-learn), a multilayer perceptron 64-64-64-10 with ReLU.",
    metrics={"val_loss": "minimize", "val_accuracy": "maximize"},
    updates_per_epoch=DIGITS_TRAIN // DIGITS_BATCH,
    default_epochs=20,
    options={
        "hidden": Option(type="integer", default=64, low=4, high=1024, description="units of each hidden layer"),
    },
)

DIGITS_CNN: Final = TaskInfo(
    name="digits-cnn",
    description="Handwritten digits of 8×8 pixels (scikit-learn), two convolutions, one pooling, one linear layer.",
    metrics={"val_loss": "minimize", "val_accuracy": "maximize"},
    updates_per_epoch=DIGITS_TRAIN // DIGITS_BATCH,
    default_epochs=10,
    options={
        "channels": Option(type="integer", default=8, low=2, high=128, description="channels of the first convolution"),
    },
)

INFOS: Final = (DIGITS_MLP, DIGITS_CNN)
