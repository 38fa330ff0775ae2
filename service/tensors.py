"""What a file of tensors must look like (the format safetensors), checked without reading a tensor."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import BinaryIO, NoReturn

from search.errors import Unsuitable

LARGEST_HEADER_BYTES = 2 * 1024 * 1024
MOST_DIMENSIONS = 64
_PREFIX_BYTES = 8
_METADATA = "__metadata__"
_BITS: Mapping[object, int] = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}
_LARGEST = 2**63 - 1


def check_tensors(file: BinaryIO, size_bytes: int) -> None:
    """Refuse a file that is not in the format safetensors; its tensors must fill it without gaps.

    Raises:
        Unsuitable: it is not; the message says where.
    """
    header = _header(file, size_bytes)
    spans = sorted(_span(name, entry) for name, entry in header.items() if name != _METADATA)
    _check_metadata(header.get(_METADATA, {}))
    room = size_bytes - file.tell()
    ends = [(0, 0), *spans, (room, room)]
    for (_, end), (begin, _) in pairwise(ends):
        if begin != end:
            _refuse(f"its tensors must fill the {room} bytes after the header without gaps: {end} meets {begin}", room)


def _header(file: BinaryIO, size_bytes: int) -> dict[str, object]:
    length = int.from_bytes(file.read(_PREFIX_BYTES), "little")
    if not 2 <= length <= min(LARGEST_HEADER_BYTES, size_bytes - _PREFIX_BYTES):
        _refuse(
            f"its header says that it has {length} bytes, of {size_bytes} in all: a header has 2 to "
            f"{LARGEST_HEADER_BYTES}, and stands whole in the file",
            length,
        )
    try:
        header = json.loads(file.read(length).decode())
    except (ValueError, RecursionError) as error:
        raise Unsuitable("weights must be a safetensors file: its header is not JSON", where=("header",)) from error
    if not isinstance(header, dict):
        _refuse("its header is not a JSON object", header)
    return header


def _span(name: str, entry: object) -> tuple[int, int]:
    """Where a tensor begins and ends."""
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)], **others} if (
            not others and dtype in _BITS and len(shape) <= MOST_DIMENSIONS and all(map(_is_length, shape))
        ):
            bits = math.prod(shape) * _BITS[dtype]
        case _:
            _refuse(f"the header's entry of tensor {name[:80]!r} needs a known dtype, a shape and two offsets", entry)
    if not (0 <= begin <= end and 8 * (end - begin) == bits):
        _refuse(f"tensor {name[:80]!r} is {bits // 8} bytes, not those from {begin} to {end}", entry)
    return begin, end


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _check_metadata(metadata: object) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        _refuse("its metadata must be texts by name", metadata)


def _refuse(why: str, value: object) -> NoReturn:
    raise Unsuitable(f"weights must be a safetensors file: {why}", where=("header",), value=value)
