"""Image data sets in their true formats and sizes, made up: each class is a pattern under noise."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FASHION = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}
CIFAR = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")


def idx(numbers: NDArray[np.uint8]) -> bytes:
    """Numbers as an IDX file holds them."""
    return struct.pack(f">HBB{numbers.ndim}I", 0, 8, numbers.ndim, *numbers.shape) + numbers.tobytes()


def patterns(labels: NDArray[np.uint8], n_pixels: int) -> NDArray[np.uint8]:
    """One row for each label: the pattern of its class, with noise."""
    generator = np.random.default_rng(1)
    of_class = generator.integers(0, 200, (10, n_pixels), dtype=np.uint8)
    return of_class[labels] + generator.integers(0, 50, (len(labels), n_pixels), dtype=np.uint8)


def labels_of(n_rows: int) -> NDArray[np.uint8]:
    """Every class in turn."""
    return np.resize(np.arange(10, dtype=np.uint8), n_rows)


def write_fashion(folder: Path, *, dotted: bool = False, zipped: bool = False) -> None:
    """Write the four files of Fashion-MNIST."""
    folder.mkdir(parents=True)
    for name, shape in FASHION.items():
        labels = labels_of(shape[0])
        held = idx(labels if len(shape) == 1 else patterns(labels, 784).reshape(shape))
        path = folder / (name.replace("-idx", ".idx") if dotted else name)
        if zipped:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(held, compresslevel=1))
        else:
            path.write_bytes(held)


def write_cifar(folder: Path) -> None:
    """Write the six files of CIFAR-10; all are one file under six names, for the sake of the disk."""
    folder.mkdir(parents=True)
    first, *others = (folder / name for name in CIFAR)
    labels = labels_of(10_000)
    first.write_bytes(np.concatenate([labels[:, None], patterns(labels, 3072)], axis=1).tobytes())
    for path in others:
        os.link(first, path)
