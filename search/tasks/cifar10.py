"""CIFAR-10: 60,000 colour pictures of 32×32 pixels in ten classes; the binary version, from the operator's files.

Source: A. Krizhevsky (2009), "Learning Multiple Layers of Features from Tiny Images".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search.tasks.base import Data, Split
from search.tasks.builtin import CIFAR10_RESNET, CIFAR_BATCH, CIFAR_VALIDATION
from search.tasks.classification import Classifier, Pixels, split_off
from search.tasks.files import FileRefused, Source, directory, look_for, require
from search.tasks.info import TaskInfo

FOLDER: Final = "cifar-10-batches-bin"
N_RECORDS: Final = 10_000
SHAPE: Final = (3, 32, 32)
RECORD_BYTES: Final = 1 + 3 * 32 * 32
FILE_BYTES: Final = N_RECORDS * RECORD_BYTES
PADDING: Final = 4
MEAN: Final = (0.4914, 0.4822, 0.4465)
DEVIATION: Final = (0.2470, 0.2435, 0.2616)
"""Of the channels, over the training files."""
_SPLIT_SEED: Final = 20_103
_FILES: Final = {f"training images {n}": f"data_batch_{n}.bin" for n in range(1, 6)} | {"test images": "test_batch.bin"}


class ResNet(Classifier):
    """A residual network; the test file is the test split, validation is taken from the others.

    Source: K. He, X. Zhang, S. Ren and J. Sun (2016), section 4.2, arXiv:1512.03385: with three blocks in each of its
    three stages and 16 channels it is their ResNet-20, of 269,722 parameters. The augmentation is theirs too.
    """

    info: ClassVar[TaskInfo] = CIFAR10_RESNET
    batch_size: ClassVar[int] = CIFAR_BATCH
    evaluation_examples: ClassVar[int] = 256

    def sources(self) -> Sequence[Source]:
        return [look_for(name, [directory() / FOLDER], [file]) for name, file in _FILES.items()]

    def data(self, options: dict[str, Any]) -> Data:
        *files, unseen = require(self.info.name, self.sources())
        images, labels = read_records(files)
        train, validation = split_off(labels, np.arange(len(labels)), CIFAR_VALIDATION, _SPLIT_SEED)
        inputs, targets = torch.from_numpy(images), torch.from_numpy(labels)
        return Data(
            Split(inputs[train], targets[train]),
            Split(inputs[validation], targets[validation]),
            Split(*map(torch.from_numpy, read_records([unseen]))),
        )

    def model(self, options: dict[str, Any]) -> nn.Module:
        channels, n_blocks = options["channels"], options["blocks"]
        model = nn.Sequential(
            CropAndFlip() if options["augmentation"] else nn.Identity(),
            Pixels(MEAN, DEVIATION),
            _convolution(3, channels, stride=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            *(Block(channels, channels) for _ in range(n_blocks)),
            Block(channels, 2 * channels),
            *(Block(2 * channels, 2 * channels) for _ in range(n_blocks - 1)),
            Block(2 * channels, 4 * channels),
            *(Block(4 * channels, 4 * channels) for _ in range(n_blocks - 1)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4 * channels, 10),
        )
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        return model


class CropAndFlip(nn.Module):
    """In training, moves each image by up to four pixels either way, black from outside, and mirrors half of them.

    All that is random is drawn on the images' device, from torch's own random state there.
    """

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            return images
        n_images, n_channels, height, width = images.shape
        here = images.device
        down, right = torch.randint(0, 2 * PADDING + 1, (2, n_images, 1), device=here)
        is_mirrored = torch.randint(0, 2, (n_images, 1), device=here, dtype=torch.bool)
        across = torch.arange(width, device=here)
        rows = down + torch.arange(height, device=here)
        columns = right + torch.where(is_mirrored, across.flip(0), across)
        padded = nn.functional.pad(images, (PADDING,) * 4)
        which = torch.arange(n_images, device=here)[:, None, None, None]
        channel = torch.arange(n_channels, device=here)[:, None, None]
        return padded[which, channel, rows[:, None, :, None], columns[:, None, None, :]]


class Block(nn.Module):
    """Two 3×3 convolutions with BatchNorm, added to their input; with more channels out than in, at half the size.

    The way around them has no parameters: of every second pixel, with zeros for the channels that are new.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.stride = 1 if n_in == n_out else 2
        self.n_new = n_out - n_in
        self.body = nn.Sequential(
            _convolution(n_in, n_out, stride=self.stride),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            _convolution(n_out, n_out, stride=1),
            nn.BatchNorm2d(n_out),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        around = inputs[:, :, :: self.stride, :: self.stride]
        around = nn.functional.pad(around, (0, 0, 0, 0, self.n_new // 2, self.n_new - self.n_new // 2))
        return torch.relu(self.body(inputs) + around)


def read_records(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read the images, shape `(records, 3, 32, 32)`, and labels of files of the binary version.

    Raises:
        FileRefused: a file cannot be read, has not exactly the size of 10,000 records, or holds a label above 9.
    """
    records = np.concatenate([_read_file(path) for path in paths])
    return records[:, 1:].reshape(-1, *SHAPE), records[:, 0].astype(np.int64)


def _read_file(path: Path) -> NDArray[np.uint8]:
    try:
        size = path.stat().st_size
        held = np.fromfile(path, np.uint8, FILE_BYTES) if size == FILE_BYTES else None
    except OSError as error:
        raise FileRefused(path, f"it cannot be read: {error}") from error
    if held is None or held.size != FILE_BYTES:
        raise FileRefused(path, f"it must be {FILE_BYTES} bytes ({N_RECORDS} records of {RECORD_BYTES}), not {size}")
    records = held.reshape(N_RECORDS, RECORD_BYTES)
    if records[:, 0].max() > 9:
        number = int(records[:, 0].argmax())
        raise FileRefused(path, f"a label must be 0 to 9, but that of record {number} is {records[number, 0]}")
    return records


def _convolution(n_in: int, n_out: int, *, stride: int) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, kernel_size=3, stride=stride, padding=1, bias=False)
