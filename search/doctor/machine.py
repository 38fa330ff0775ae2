"""The machine without torch: Python, cores and memory as the kernel shares them out, time zones."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from search.devices import count_cores
from search.doctor.diagnosis import Diagnosis, failing, fine, size, warning

LEAST_MEMORY_BYTES: Final = 2 << 30
_CGROUPS: Final = Path("/sys/fs/cgroup")


def look_at_machine() -> Iterator[Diagnosis]:
    """Look at cores, memory and time zones; nothing is imported for it."""
    yield _cores(count_cores(), _cpu_quota())
    yield _memory(_available_bytes(), _memory_limit())
    yield _time_zones()


def _cores(cores: int, quota: float | None) -> Diagnosis:
    seen = f"this process may use {cores} of {os.cpu_count()} cores of {platform.machine()}"
    figures = {"cores": cores, "quota_cores": quota, "load": round(os.getloadavg()[0], 2)}
    if quota is not None and quota < cores:
        return warning(
            "cores",
            f"{seen}, and the control group gives it the time of {quota:g}: one worker per core would be too many",
            f"set ETUDE_WORKERS={max(1, int(quota))} where workers train on cores",
            **figures,
        )
    return fine("cores", seen, **figures)


def _memory(available: int | None, limit: int | None) -> Diagnosis:
    if available is None:
        return fine("memory", "this system does not say how much memory is available")
    least = min(available, available if limit is None else limit)
    said = f"{size(available)} of memory are available" + ("" if limit is None else f", limited to {size(limit)}")
    if least < LEAST_MEMORY_BYTES:
        todo = "stop other programs, or start fewer workers: each needs about 0.5 GiB and its data set"
        return warning("memory", said, todo, available_bytes=available, limit_bytes=limit)
    return fine("memory", said, available_bytes=available, limit_bytes=limit)


def _time_zones() -> Diagnosis:
    try:
        ZoneInfo("Europe/Berlin")
    except ZoneInfoNotFoundError:
        return failing(
            "time zones",
            "there is no time zone database: times of day in a time zone cannot be worked out",
            f"install the system's tzdata, or run: {sys.executable} -m pip install tzdata",
        )
    return fine("time zones", "the time zone database is there")


def _cpu_quota() -> float | None:
    """Cores' worth of time that the control group gives, in its version 2 or 1; None without a limit."""
    quota, _, period = (_read("cpu.max") or "").partition(" ")
    if not period:
        quota, period = _read("cpu/cpu.cfs_quota_us") or "", _read("cpu/cpu.cfs_period_us") or ""
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else None


def _memory_limit() -> int | None:
    limit = _read("memory.max") or _read("memory/memory.limit_in_bytes") or ""
    # Version 1 says "no limit" as the largest multiple of a page.
    return int(limit) if limit.isdecimal() and int(limit) < 1 << 60 else None


def _read(name: str) -> str | None:
    """A file of this process's control group; the root's in a container, whose root it is."""
    own = next((line[3:] for line in _lines(Path("/proc/self/cgroup")) if line.startswith("0::")), "/")
    for folder in (_CGROUPS / own.lstrip("/"), _CGROUPS):
        lines = _lines(folder / name)
        if lines:
            return lines[0].strip()
    return None


def _available_bytes() -> int | None:
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
