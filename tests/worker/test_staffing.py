"""How many workers a machine starts on which devices."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from search.devices import DeviceSlot, cpu_slots
from search.staffing import parse_staffing

ROOT = Path(__file__).parents[2]


def slots(text: str, *, gpus: int, cores: int = 2) -> list[str]:
    """Names of the places that an operator's words mean on a machine."""
    found = [DeviceSlot("cuda", index) for index in range(gpus)]
    return [slot.name for slot in parse_staffing(text).slots(lambda: found, lambda: cpu_slots(cores))]


@pytest.mark.parametrize(
    "text",
    [
        *("", "many", "-1", "1025", "99999", "1.5", "auto/device", "2/core", "cuda", "cuda=", "tpu=1", "cuda=many"),
        *("4,4", "auto,cpu=2", "cuda=1,2", "cuda=1,", "cuda:2", "cuda=cpu=1"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"workers are auto, a number from 0 to 1024, or N/device, for each kind"):
        parse_staffing(text)


def test_a_kind_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="each kind of device may be named once"):
        parse_staffing("cuda=1,cuda=2")


def test_workers_on_gpus_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="4 workers are to train on cuda devices, and this machine has none"):
        slots("cuda=4", gpus=0)


@pytest.mark.parametrize(
    "text, names",
    [
        ("auto", ["cuda:0", "cuda:1"]),
        ("0", []),
        ("1", ["cuda:0"]),
        ("3", ["cuda:0", "cuda:1", "cuda:0"]),
        ("2/device", ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]),
        ("cuda=auto", ["cuda:0", "cuda:1"]),
        ("cuda=auto, cpu=1", ["cuda:0", "cuda:1", "cpu:0"]),
        ("cpu=3,cuda=1", ["cpu:0", "cpu:1", "cpu:2", "cuda:0"]),
        ("cuda=0,cpu=auto", ["cpu:0", "cpu:1"]),
    ],
)
def test_a_machine_with_two_gpus_fills_them_in_turn(text: str, names: list[str]) -> None:
    assert slots(text, gpus=2) == names


@pytest.mark.parametrize(
    "text, names",
    [
        ("auto", ["cpu:0", "cpu:1"]),
        ("3", ["cpu:0", "cpu:1", "cpu:2"]),
        ("cuda=auto,cpu=1", ["cpu:0"]),
        ("cpu=2/device", ["cpu:0", "cpu:1", "cpu:0", "cpu:1"]),
    ],
)
def test_a_machine_without_a_gpu_has_its_cores(text: str, names: list[str]) -> None:
    assert slots(text, gpus=0) == names


def test_gpus_are_looked_for_only_where_somebody_is_to_work_on_them() -> None:
    def asked() -> list[DeviceSlot]:
        pytest.fail("nobody is to work on a GPU")

    assert parse_staffing("cuda=0,cpu=1").slots(asked, lambda: cpu_slots(4)) == cpu_slots(1)


def test_words_are_read_without_torch() -> None:
    code = "import sys, search.staffing as s; s.parse_staffing('cpu=2').slots(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
