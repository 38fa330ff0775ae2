"""Which files are taken for weights."""

from __future__ import annotations

import io
from typing import Any

import pytest
import safetensors.torch
import torch

from search.errors import Unsuitable
from service.tensors import LARGEST_HEADER_BYTES, check_tensors
from tests.service.tensor_files import tensor_file, with_header


def check(content: bytes) -> None:
    check_tensors(io.BytesIO(content), len(content))


def entry(**fields: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **fields}


FAULTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "0 bytes, of 0 in all"),
    "a pickle": (b"\x80\x02}q\x00(X\x06\x00\x00\x00weightq\x01K\x01u.", "its header says that it has"),
    "half a file": (tensor_file(1.0, 2.0)[:-1], "fill the 7 bytes after the header without gaps: 8 meets 7"),
    "a file and more": (tensor_file(1.0) + b"\0", "4 meets 5"),
    "a header that is longer than the file": ((1000).to_bytes(8, "little") + b"{}", "says that it has 1000 bytes"),
    "a header beyond all bounds": (b"\xff" * 8 + b"{}", "says that it has 18446744073709551615 bytes"),
    "a header that is too large": (with_header({"x" * LARGEST_HEADER_BYTES: entry()}), "stands whole in the file"),
    "a header that is not JSON": ((4).to_bytes(8, "little") + b"{{{{", "its header is not JSON"),
    "a header of brackets": ((100_000).to_bytes(8, "little") + b"[" * 100_000, "its header is not JSON"),
    "a header that is a list": (with_header([]), "not a JSON object"),
    "a tensor that is a text": (with_header({"w": "F32"}), "needs a known dtype, a shape and two offsets"),
    "an unknown dtype": (with_header({"w": entry(dtype="F31")}, b"\0" * 4), "needs a known dtype"),
    "a negative length": (with_header({"w": entry(shape=[-1])}, b"\0" * 4), "needs a known dtype"),
    "an endless shape": (with_header({"w": entry(shape=[2**63 - 1] * 65)}, b"\0" * 4), "needs a known dtype"),
    "more in an entry": (with_header({"w": entry(code="x")}, b"\0" * 4), "needs a known dtype"),
    "offsets that turn back": (with_header({"w": entry(data_offsets=[4, 0])}, b"\0" * 4), "not those from 4 to 0"),
    "a shape that is not its bytes": (with_header({"w": entry(shape=[2])}, b"\0" * 4), "is 8 bytes, not"),
    "two tensors in one place": (with_header({"v": entry(), "w": entry()}, b"\0" * 4), "4 meets 0"),
    "metadata that are no texts": (with_header({"__metadata__": {"updates": 3}}), "texts by name"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_holds_no_tensors_is_refused(fault: str) -> None:
    content, rule = FAULTS[fault]
    with pytest.raises(Unsuitable, match=rule):
        check(content)


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool]
)
def test_what_safetensors_writes_is_taken(dtype: torch.dtype) -> None:
    tensors = {"weight": torch.ones(3, 5).to(dtype), "scalar": torch.tensor(1).to(dtype), "empty": torch.empty(0, 4)}
    check(safetensors.torch.save(tensors, {"format": "pt"}))


def test_a_model_without_any_weight_is_taken() -> None:
    check(safetensors.torch.save({}))
