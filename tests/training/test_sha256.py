"""The SHA-256 by which a study knows its data."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from typing import Any

import pytest
import torch

from search.errors import OtherData
from search.tasks.base import Data, Split
from search.training.data import sha256_of
from search.training.loop import train
from tests.training.sized import SIZED
from tests.training.toys import Line, Watcher, an_assignment, datasets

SPLIT = Split(torch.tensor([[0.5, 1.0], [2.0, 3.0]]), torch.tensor([1, 0]))
DATA = Data(SPLIT, SPLIT, SPLIT)


def test_data_other_than_the_study_s_is_refused_before_any_update() -> None:
    watcher = Watcher()
    here = sha256_of(Line().data({"slope": 2.0}))
    with pytest.raises(OtherData, match=f"task line has the SHA-256 {here} here, and {'0' * 64} where"):
        train(Line(), an_assignment(data_sha256="0" * 64), watcher, datasets())
    assert watcher.update == 0


def test_the_study_s_own_data_is_trained_on() -> None:
    here = sha256_of(Line().data({"slope": 2.0}))
    assert train(Line(), an_assignment(data_sha256=here), Watcher(), datasets()) is not None


def test_the_hash_is_that_of_types_shapes_and_bytes() -> None:
    inputs = b"torch.float32 (2, 2)\n" + struct.pack("<4f", 0.5, 1.0, 2.0, 3.0)
    targets = b"torch.int64 (2,)\n" + struct.pack("<2q", 1, 0)
    assert sha256_of(DATA) == hashlib.sha256(3 * (inputs + targets)).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        Split(SPLIT.inputs.double(), SPLIT.targets),
        Split(SPLIT.inputs, SPLIT.targets.int()),
        Split(SPLIT.inputs.reshape(2, 1, 2), SPLIT.targets),
        Split(SPLIT.inputs, torch.tensor([1, 1])),
        Split(SPLIT.inputs.flip(0), SPLIT.targets.flip(0)),
    ],
    ids=["type of inputs", "type of targets", "shape", "one label", "order"],
)
@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_any_difference_is_another_hash(part: str, other: Split) -> None:
    assert sha256_of(replace(DATA, **{part: other})) != sha256_of(DATA)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.bfloat16, torch.complex64])
def test_tensors_of_every_type_have_a_hash_wherever_they_lie_in_memory(dtype: torch.dtype) -> None:
    wide = torch.arange(12).reshape(3, 4).to(dtype)
    column, copy = wide[:, 1], wide[:, 1].clone()
    assert sha256_of(replace(DATA, train=Split(column, column))) == sha256_of(replace(DATA, train=Split(copy, copy)))


def test_the_hash_is_that_of_the_data_before_anything_is_left_out_or_changed() -> None:
    kept = datasets()

    def digest(**options: Any) -> str:
        return kept.sha256(SIZED, SIZED.info.complete(options))

    assert (
        digest() == digest(train_examples=100, label_noise=0.5, batch_size=10) == sha256_of(SIZED.data({"hidden": 64}))
    )
