"""The IDX format of MNIST and its kin: a header with type and sizes, then the numbers; often inside gzip.

Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", which describes the format.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from search.tasks.files import FileRefused

UNSIGNED_BYTES: Final = 0x08
_GZIP: Final = b"\x1f\x8b"


def read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes that must have this shape; gzip is known by its content, not by its name.

    Nothing is allocated on the word of a header: it must promise exactly ``shape``, and a file that holds less or more
    than that is refused, inside gzip after the first byte too many.

    Raises:
        FileRefused: the file cannot be read, or is not what it should be; the message says which and how.
    """
    try:
        with path.open("rb") as file:
            is_zipped = file.read(2) == _GZIP
            file.seek(0)
            if is_zipped:
                with gzip.open(file) as stream:
                    return _read(stream, shape, path, None)
            return _read(file, shape, path, os.fstat(file.fileno()).st_size)
    except (OSError, EOFError, zlib.error) as error:
        raise FileRefused(path, f"it cannot be read: {error}") from error


def _read(stream: BinaryIO | gzip.GzipFile, shape: tuple[int, ...], path: Path, size: int | None) -> NDArray[np.uint8]:
    """Read header and numbers; ``size`` is the file's, where it is known beforehand."""
    header = stream.read(4 + 4 * len(shape))
    _check_header(header, shape, path)
    n_bytes = math.prod(shape)
    if size is not None and size != len(header) + n_bytes:
        raise FileRefused(path, f"its header promises {n_bytes} bytes after it, but {size - len(header)} follow")
    held = stream.read(n_bytes)
    if len(held) < n_bytes or stream.read(1):
        followed = "more" if len(held) == n_bytes else f"only {len(held)}"
        raise FileRefused(path, f"its header promises {n_bytes} bytes after it, but {followed} follow")
    return np.frombuffer(held, np.uint8).reshape(shape).copy()


def _check_header(header: bytes, shape: tuple[int, ...], path: Path) -> None:
    if len(header) < 4:
        raise FileRefused(path, f"it ends after {len(header)} bytes, inside the header")
    zeros, kind, n_dimensions = struct.unpack(">HBB", header[:4])
    if zeros:
        raise FileRefused(path, f"an IDX file begins with two zero bytes, this one with {header[:2].hex(' ')}")
    if kind != UNSIGNED_BYTES:
        raise FileRefused(path, f"it must hold unsigned bytes (type 0x08), not type 0x{kind:02x}")
    if n_dimensions != len(shape):
        raise FileRefused(path, f"it must have {len(shape)} dimensions, not {n_dimensions}")
    if len(header) < 4 + 4 * n_dimensions:
        raise FileRefused(path, f"it ends after {len(header)} bytes, inside the header")
    sizes = struct.unpack(f">{n_dimensions}I", header[4:])
    if sizes != shape:
        raise FileRefused(path, f"its sizes must be {_times(shape)}, not {_times(sizes)}")


def _times(sizes: tuple[int, ...]) -> str:
    return " × ".join(map(str, sizes))
