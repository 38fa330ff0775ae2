"""The devices of this machine, found and chosen without importing torch.

A process sees one device for its whole life: which one is decided in its environment before torch
is imported, and a broken device takes only its own process down.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

PROBE_SECONDS: Final = 120.0
"""Importing torch and starting CUDA on a cold machine."""

_DRIVERS: Final = (Path("/dev/nvidiactl"), Path("/dev/dxg"), Path("/dev/kfd"))
_ASK_TORCH: Final = """
import json, torch
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
print(json.dumps([torch.cuda.get_device_name(index) for index in range(count)]))
"""
THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class DeviceSlot:
    """The place of one worker: a CUDA device, or one core.

    Attributes:
        kind: ``cuda`` or ``cpu``.
        index: number of the device among those that this process may use.
        title: the product's name, where there is one.
    """

    kind: Literal["cpu", "cuda"]
    index: int
    title: str = ""

    @property
    def name(self) -> str:
        """Such as ``cuda:1``."""
        return f"{self.kind}:{self.index}"

    def environment(self, current: Mapping[str, str]) -> dict[str, str]:
        """Variables that give a process this device alone; torch then calls it ``cuda:0``, or ``cpu`` with one thread.

        Args:
            current: the environment in which ``index`` was counted.

        Raises:
            ValueError: the environment shows fewer devices than that.
        """
        if self.kind == "cpu":
            return {"CUDA_VISIBLE_DEVICES": "", **dict.fromkeys(THREADS, "1")}
        visible = current.get("CUDA_VISIBLE_DEVICES")
        if visible is None:
            return {"CUDA_VISIBLE_DEVICES": str(self.index)}
        shown = [part.strip() for part in visible.split(",") if part.strip()]
        if self.index >= len(shown):
            raise ValueError(f"there is no device {self.name}: CUDA_VISIBLE_DEVICES={visible!r} shows {len(shown)}")
        return {"CUDA_VISIBLE_DEVICES": shown[self.index]}


def parse_slot(name: str) -> DeviceSlot:
    """The slot of a name such as ``cuda:1`` or ``cpu``.

    Raises:
        ValueError: the name is not one.
    """
    match = re.fullmatch(r"(cpu|cuda)(?::([0-9]{1,4}))?", name)
    if match is None:
        raise ValueError(f"a device is cpu, cpu:N, cuda or cuda:N with a number N from 0, not {name!r:.80}")
    return DeviceSlot("cuda" if match[1] == "cuda" else "cpu", int(match[2] or 0))


def detect_devices(cores: int | None = None) -> list[DeviceSlot]:
    """A slot for every CUDA device; where there is none, a slot for every core.

    Args:
        cores: of this machine; counted when not given.
    """
    return cuda_slots() or (core_slots() if cores is None else cpu_slots(cores))


def cuda_slots() -> list[DeviceSlot]:
    """A slot for every CUDA device that this process may use; a process that ends at once asks torch for them."""
    titles = _cuda_titles() if has_gpu_driver() else []
    return [DeviceSlot("cuda", index, title) for index, title in enumerate(titles)]


def core_slots() -> list[DeviceSlot]:
    """A slot for every core that this process may use."""
    return cpu_slots(count_cores())


def cpu_slots(count: int) -> list[DeviceSlot]:
    """So many slots of one core each."""
    return [DeviceSlot("cpu", index) for index in range(count)]


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_gpu_driver() -> bool:
    """Whether the kernel has a driver for something that torch calls a CUDA device."""
    return any(driver.exists() for driver in _DRIVERS)


def choose(slot: DeviceSlot, environment: MutableMapping[str, str]) -> None:
    """Give this process one device, before torch is imported.

    Raises:
        RuntimeError: torch is imported already, and has seen all devices.
        ValueError: there is no such device.
    """
    if slot.kind == "cuda" and "torch" in sys.modules:
        raise RuntimeError(f"device {slot.name} cannot be chosen any more: torch was imported before")
    environment.update(slot.environment(environment))


def _cuda_titles() -> list[str]:
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, timeout=PROBE_SECONDS, check=True
        )
        titles: list[str] = json.loads(asked.stdout)
    except (subprocess.SubprocessError, json.JSONDecodeError):
        return []
    return titles
