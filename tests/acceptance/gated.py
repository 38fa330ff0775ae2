"""A task of a package of its own, made for the tests: it waits where it is told to, and fails where it is told to.

While the file that ``GATE`` names exists, a training stops in its twentieth batch; so a test decides what is under
way when a process is killed.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from search.tasks.base import Data, Split
from search.tasks.info import Option, TaskInfo

STOP_AT = 20


class Gated:
    """A straight line through 64 points."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="gated",
        metrics={"val_loss": "minimize"},
        updates_per_epoch=8,
        default_epochs=8,
        options={"raises": Option(type="boolean", default=False)},
    )
    batch_size: ClassVar[int] = 8

    def data(self, options: dict[str, Any]) -> Data:
        inputs = torch.linspace(-1, 1, 64).unsqueeze(1)
        split = Split(inputs, 3 * inputs + 1)
        return Data(split, split, split)

    def model(self, options: dict[str, Any]) -> nn.Module:
        if options["raises"]:
            raise LookupError("the model was left at home")
        sys.stdout.write("building a line\n")
        self.n_batches = 0
        return nn.Linear(1, 1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.n_batches += 1
        while self.n_batches == STOP_AT and Path(os.environ["GATE"]).exists():
            time.sleep(0.02)
        return nn.functional.mse_loss(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {}
