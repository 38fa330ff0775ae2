"""Safetensors files written by hand, the right ones and those that only look so."""

from __future__ import annotations

import json
import struct
from typing import Any


def tensor_file(*values: float, **metadata: str) -> bytes:
    """A file with one tensor of 32-bit floats."""
    entry = {"dtype": "F32", "shape": [len(values)], "data_offsets": [0, 4 * len(values)]}
    return with_header({"__metadata__": metadata, "weight": entry}, struct.pack(f"<{len(values)}f", *values))


def with_header(header: Any, content: bytes = b"") -> bytes:
    """A file with this header, whatever it says."""
    written = json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + content
