"""Data files: what is missing is named, what is not what it should be is refused before it costs anything."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from search.errors import Unsuitable
from search.protocol import Failed
from search.tasks import registry
from search.tasks.char_gpt import read_text
from search.tasks.cifar10 import FILE_BYTES, read_records
from search.tasks.files import FileRefused, FilesMissing, directory, look_for, require
from search.tasks.idx import read_idx
from search.training.trainer import Trainer
from tests.training.image_files import idx
from tests.training.toys import CPU, Watcher, an_assignment

SHAPE = (5, 4, 3)
NUMBERS = np.arange(60, dtype=np.uint8).reshape(SHAPE)
WHOLE = idx(NUMBERS)


@pytest.fixture
def datasets_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ETUDE_DATASETS_DIR", str(tmp_path))
    return tmp_path


def written(folder: Path, held: bytes, name: str = "some-idx3-ubyte") -> Path:
    path = folder / name
    path.write_bytes(held)
    return path


# what is missing


@pytest.mark.parametrize("name", ["fashion-mnist-lenet", "cifar10-resnet"])
def test_a_trial_without_its_files_fails_as_configuration_and_names_every_path(name: str, datasets_dir: Path) -> None:
    ended = Trainer(CPU)(an_assignment(task=name), Watcher())
    assert isinstance(ended.outcome, Failed)
    assert ended.outcome.cause == "configuration"
    for source in registry.load(name).sources():  # type: ignore[attr-defined]
        for path in source.candidates:
            assert str(path.parent) in ended.outcome.message
            assert path.name in ended.outcome.message


def test_only_the_files_that_are_missing_are_named(datasets_dir: Path) -> None:
    written(datasets_dir, b"", "a.bin")
    sources = [look_for(f"part {name}", [datasets_dir], [f"{name}.bin"]) for name in "ab"]
    with pytest.raises(FilesMissing, match=rf"no folder of {datasets_dir} holds: part b \(b.bin\)$"):
        require("parts", sources)


def test_a_folder_is_no_file(datasets_dir: Path) -> None:
    (datasets_dir / "a.bin").mkdir()
    assert look_for("part a", [datasets_dir], ["a.bin"]).found is None


def test_the_first_spelling_of_the_first_folder_is_taken(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    second = written(folders[1], b"", "a")
    assert require("parts", [look_for("part a", folders, ["a", "b"])]) == [second]
    first = written(folders[0], b"", "b")
    assert require("parts", [look_for("part a", folders, ["a", "b"])]) == [first]


def test_data_sets_lie_in_the_data_directory_unless_the_operator_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert directory() == tmp_path / "etude-data" / "datasets"
    monkeypatch.setenv("ETUDE_DATASETS_DIR", "/srv/images")
    assert directory() == Path("/srv/images")


# IDX


HEADER = WHOLE[:16]


@pytest.mark.parametrize(
    "held, why",
    [
        (b"", "it ends after 0 bytes, inside the header"),
        (WHOLE[:3], "it ends after 3 bytes, inside the header"),
        (WHOLE[:9], "it ends after 9 bytes, inside the header"),
        (b"\x00\x01" + WHOLE[2:], "begins with two zero bytes, this one with 00 01"),
        (b"<html><body>no such page</body></html>", "begins with two zero bytes, this one with 3c 68"),
        (b"\x00\x00\x0d" + WHOLE[3:], "it must hold unsigned bytes .type 0x08., not type 0x0d"),
        (b"\x00\x00\x08\x01" + WHOLE[4:], "it must have 3 dimensions, not 1"),
        (b"\x00\x00\x08\xff" + WHOLE[4:], "it must have 3 dimensions, not 255"),
        (HEADER[:4] + struct.pack(">3I", 5, 4, 4) + WHOLE[16:], "its sizes must be 5 × 4 × 3, not 5 × 4 × 4"),
        (HEADER[:4] + b"\xff" * 12, "its sizes must be 5 × 4 × 3, not 4294967295 × 4294967295 × 4294967295"),
        (WHOLE[:-1], "its header promises 60 bytes after it, but (only )?59 follow"),
        (WHOLE + b"\x00", "its header promises 60 bytes after it, but (61|more) follow"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("is_zipped", [False, True], ids=["plain", "gzip"])
def test_an_idx_file_that_is_not_what_it_should_be_is_refused(
    held: bytes, why: str, is_zipped: bool, tmp_path: Path
) -> None:
    path = written(tmp_path, gzip.compress(held) if is_zipped else held)
    with pytest.raises(FileRefused, match=f"the data file {path} is refused: .*{why}"):
        read_idx(path, SHAPE)


@pytest.mark.parametrize(
    "held",
    [
        gzip.compress(WHOLE)[:-9],
        gzip.compress(WHOLE)[:5],
        gzip.compress(WHOLE)[:10] + b"\x07" * 30,
        gzip.compress(WHOLE) + b"what follows",
        gzip.compress(WHOLE)[:-8] + b"\x00" * 8,
    ],
    ids=["cut short", "only a header", "garbled", "with a tail", "with another check sum"],
)
def test_a_broken_gzip_file_is_refused(held: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, held)
    with pytest.raises(FileRefused, match=f"the data file {path} is refused: it cannot be read: "):
        read_idx(path, SHAPE)


def test_a_gzip_file_that_unpacks_to_more_than_it_promises_is_refused_at_the_first_byte_too_many(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, gzip.compress(WHOLE + bytes(200_000_000), compresslevel=1))
    assert peak_of_refusal(path, SHAPE, "promises 60 bytes after it, but more follow") < 5_000_000


def test_a_small_file_with_the_header_of_a_large_one_costs_nothing(tmp_path: Path) -> None:
    shape = (4_000_000_000, 28, 28)
    path = written(tmp_path, struct.pack(">HBB3I", 0, 8, 3, *shape) + bytes(100))
    assert peak_of_refusal(path, shape, "promises 3136000000000 bytes after it, but 100 follow") < 1_000_000


def peak_of_refusal(path: Path, shape: tuple[int, ...], why: str) -> int:
    """The most memory, in bytes, that Python held while it refused a file."""
    tracemalloc.start()
    try:
        with pytest.raises(FileRefused, match=why):
            read_idx(path, shape)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("held", [WHOLE, gzip.compress(WHOLE)], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", ["some-idx3-ubyte", "some-idx3-ubyte.gz"])
def test_an_idx_file_is_read_whatever_its_name_says_of_gzip(held: bytes, name: str, tmp_path: Path) -> None:
    assert np.array_equal(read_idx(written(tmp_path, held, name), SHAPE), NUMBERS)


def test_a_file_that_is_gone_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match=r"it cannot be read: .*No such file"):
        read_idx(tmp_path / "gone", SHAPE)


# CIFAR-10


@pytest.mark.parametrize("size", [0, FILE_BYTES - 3073, FILE_BYTES - 1, FILE_BYTES + 1, FILE_BYTES + 10_000])
def test_a_batch_of_any_other_size_is_refused(size: int, tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1.bin"
    with path.open("wb") as file:
        file.truncate(size)
    with pytest.raises(FileRefused, match=rf"it must be 30730000 bytes \(10000 records of 3073\), not {size}"):
        read_records([path])


def test_a_label_that_is_none_is_refused_with_its_record(tmp_path: Path) -> None:
    held = bytearray(FILE_BYTES)
    held[3073 * 77] = 10
    with pytest.raises(FileRefused, match="a label must be 0 to 9, but that of record 77 is 10"):
        read_records([written(tmp_path, bytes(held))])


def test_a_record_is_a_label_and_three_planes(tmp_path: Path) -> None:
    held = bytearray(FILE_BYTES)
    held[3073:6146] = bytes([7, *[1] * 1024, *[2] * 1024, *[3] * 1024])
    images, labels = read_records([written(tmp_path, bytes(held))])
    assert (images.shape, labels[1]) == ((10_000, 3, 32, 32), 7)
    assert [images[1, channel].max() for channel in range(3)] == [1, 2, 3]


# text


def test_text_that_is_too_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unsuitable, match="1 modules of Python hold 9 bytes, but 1179649 are needed"):
        read_text([written(tmp_path, b"import os")])


def test_a_module_longer_than_any_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, bytes((1 << 20) + 1), "os.py")
    with pytest.raises(FileRefused, match="a module of Python must be at most 1048576 bytes, and it is longer"):
        read_text([path])
