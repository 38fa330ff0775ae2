"""Devices: named, found and chosen without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from search.devices import DeviceSlot, choose, cpu_slots, detect_devices, parse_slot
from search.launch import describe
from search.machine import memory_bytes

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:-1", "cuda:one", "cpu:0:1", "cuda:99999"])
def test_what_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"a device is cpu, cpu:N, cuda or cuda:N with a number N from 0, not "):
        parse_slot(name)


def test_a_device_that_the_environment_hides_is_refused() -> None:
    with pytest.raises(ValueError, match=r"there is no device cuda:2: CUDA_VISIBLE_DEVICES='3,5' shows 2"):
        DeviceSlot("cuda", 2).environment({"CUDA_VISIBLE_DEVICES": "3,5"})


def test_a_gpu_cannot_be_chosen_once_torch_is_imported() -> None:
    code = """
import torch, os
from search.devices import choose, parse_slot
choose(parse_slot("cuda:0"), os.environ)
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "device cuda:0 cannot be chosen any more: torch was imported before" in ended.stderr


@pytest.mark.parametrize("name,slot", [("cpu", ("cpu", 0)), ("cpu:3", ("cpu", 3)), ("cuda:1", ("cuda", 1))])
def test_a_device_is_found_by_its_name(name: str, slot: tuple[str, int]) -> None:
    parsed = parse_slot(name)
    assert (parsed.kind, parsed.index) == slot


@pytest.mark.parametrize(
    "visible,chosen",
    [(None, "1"), ("3,5", "5"), ("GPU-8f0c, GPU-77ab", "GPU-77ab"), ("MIG-1,MIG-2,MIG-3", "MIG-2")],
)
def test_a_gpu_is_counted_among_those_that_are_visible(visible: str | None, chosen: str) -> None:
    current = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert DeviceSlot("cuda", 1).environment(current) == {"CUDA_VISIBLE_DEVICES": chosen}


def test_a_worker_on_a_core_sees_no_gpu_and_has_one_thread() -> None:
    environment: dict[str, str] = {"CUDA_VISIBLE_DEVICES": "0", "OMP_NUM_THREADS": "8"}
    choose(parse_slot("cpu:1"), environment)
    assert (environment["CUDA_VISIBLE_DEVICES"], environment["OMP_NUM_THREADS"]) == ("", "1")


def test_a_machine_without_a_gpu_has_a_slot_for_each_core() -> None:
    code = "from search.devices import detect_devices; print([slot.name for slot in detect_devices(cores=3)])"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    asked = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert asked.stdout.strip() == "['cpu:0', 'cpu:1', 'cpu:2']"
    assert [slot.name for slot in cpu_slots(2)] == ["cpu:0", "cpu:1"]


def test_looking_for_devices_imports_no_torch() -> None:
    code = "import sys, search.fleet; search.fleet.detect_devices(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_core_is_announced_with_the_memory_of_its_machine() -> None:
    device = describe(parse_slot("cpu:1"), torch.device("cpu"))
    assert (device.kind, device.index, device.uuid, device.driver) == ("cpu", 1, None, None)
    assert device.name
    assert device.memory_bytes == memory_bytes()


@pytest.mark.gpu
def test_a_gpu_is_announced_with_its_own_memory_its_uuid_and_its_driver() -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    device = describe(parse_slot("cuda:0"), torch.device("cuda", 0))
    assert device.memory_bytes == torch.cuda.get_device_properties(0).total_memory
    assert device.uuid
    assert device.driver


@pytest.mark.gpu
def test_every_gpu_has_a_slot() -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    found = detect_devices()
    assert [slot.name for slot in found] == [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    assert found[0].title == torch.cuda.get_device_name(0)
