"""A task whose training rows stay in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from search.tasks.base import Data, Split
from search.tasks.info import standard_options
from tests.training.toys import Line
from tests.training.twin import Normed

Batch = tuple[Tensor, Tensor]


class Streamed(Normed):
    """The line with BatchNorm, its training rows in a file that is read batch by batch, in the order of the seed."""

    info = Line.info.model_copy(
        update={
            "options": {**Line.info.options, **standard_options(batch_size=4, train_examples=43)},
            "train_examples": 43,
            "batch_size": 4,
        }
    )

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.devices: set[torch.device] = set()
        whole = super().data({"slope": 2.0})
        np.save(path, torch.cat([whole.train.inputs, whole.train.targets], dim=1).numpy())

    def data(self, options: dict[str, Any]) -> Data:
        whole = super().data(options)
        return Data(Split(whole.train.inputs[:1], whole.train.targets[:1]), whole.validation, whole.test)

    def batches(self, options: dict[str, Any], seed: int, device: torch.device) -> Iterator[Batch]:
        self.devices.add(device)
        rows = np.load(self._path, mmap_mode="r")
        generator = torch.Generator().manual_seed(seed)
        whole = options["train_examples"] // options["batch_size"] * options["batch_size"]
        while True:
            order = torch.randperm(options["train_examples"], generator=generator)[:whole]
            for numbers in torch.split(order, options["batch_size"]):
                batch = torch.from_numpy(rows[numbers.numpy()]).to(device)
                yield batch[:, :3], batch[:, 3:]
