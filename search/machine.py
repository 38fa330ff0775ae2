"""What this machine is made of, as Linux tells it; nothing here needs torch or a GPU."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path("/")
LONGEST_NAME: Final = 200


def processor_name(root: Path = ROOT) -> str:
    """The product's name of the processor; empty where Linux does not tell it."""
    found = re.search(r"^model name\s*:\s*(.+)$", _read(root / "proc/cpuinfo"), re.MULTILINE)
    return "" if found is None else found[1].strip()[:LONGEST_NAME]


def memory_bytes(root: Path = ROOT) -> int | None:
    """The memory that this process may use: the machine's, or the lowest limit of its control groups."""
    found = re.search(r"^MemTotal:\s*([0-9]+) kB$", _read(root / "proc/meminfo"), re.MULTILINE)
    machine = [] if found is None else [int(found[1]) * 1024]
    return min([*machine, *_group_limits(root)], default=None)


def cuda_driver(root: Path = ROOT) -> str | None:
    """The version of NVIDIA's driver; where its kernel module does not tell, the CUDA version that it speaks.

    None where there is no driver.
    """
    # The version is the first number with dots in the line: the architecture before it has none.
    found = re.search(r"^NVRM version:.*?\s([0-9]+(?:\.[0-9]+)+)\s", _read(root / "proc/driver/nvidia/version"))
    return _cuda_version() if found is None else found[1]


def _cuda_version() -> str | None:
    version = ctypes.c_int()
    try:
        failed = ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
    except (OSError, AttributeError):
        return None
    return None if failed else f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"


def _group_limits(root: Path) -> Iterator[int]:
    """The limits of the control groups that this process is in, of both kinds that Linux has."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounted, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            mounted, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = Path(path.lstrip("/"))
        # A container sees its own group as the root, under a path that may not exist there.
        for each in {group, *group.parents}:
            limit = _read(mounted / each / name).strip()
            if limit.isdecimal():
                yield int(limit)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
