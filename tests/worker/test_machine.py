"""What a machine is made of, read from files as Linux writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.machine import cuda_driver, memory_bytes, processor_name

MEMINFO = "MemTotal:       16384 kB\nMemFree:         1024 kB\n"
NO_LIMIT = "9223372036854771712\n"


def _written(root: Path, **files: str) -> Path:
    """A machine whose files hold these texts; two underscores separate folders."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    assert (processor_name(tmp_path), memory_bytes(tmp_path)) == ("", None)


def test_the_processor_is_named_once(tmp_path: Path) -> None:
    root = _written(tmp_path, proc__cpuinfo="processor\t: 0\nmodel name\t: Rex 9000 \n\nmodel name\t: Rex 9000\n")
    assert processor_name(root) == "Rex 9000"


def test_memory_without_a_limit_is_the_machines(tmp_path: Path) -> None:
    root = _written(
        tmp_path,
        proc__meminfo=MEMINFO,
        proc__self__cgroup="0::/user\n",
        sys__fs__cgroup__user__memory_DOT_max="max\n",
    )
    assert memory_bytes(root) == 16384 * 1024


@pytest.mark.parametrize("group", ["/", "/slice/unit", "/not/seen/from/in/here"])
def test_the_lowest_limit_of_all_groups_above_counts(tmp_path: Path, group: str) -> None:
    root = _written(
        tmp_path,
        proc__meminfo=MEMINFO,
        proc__self__cgroup=f"0::{group}\n",
        sys__fs__cgroup__memory_DOT_max="8192\n",
        sys__fs__cgroup__slice__memory_DOT_max="max\n",
        sys__fs__cgroup__slice__unit__memory_DOT_max="9000\n",
    )
    assert memory_bytes(root) == 8192


def test_the_older_kind_of_control_groups_counts_too(tmp_path: Path) -> None:
    root = _written(
        tmp_path,
        proc__meminfo=MEMINFO,
        proc__self__cgroup="9:name=systemd:/\n4:cpu,memory:/box\n",
        sys__fs__cgroup__memory__memory_DOT_limit_in_bytes=NO_LIMIT,
        sys__fs__cgroup__memory__box__memory_DOT_limit_in_bytes="4096\n",
    )
    assert memory_bytes(root) == 4096


@pytest.mark.parametrize(
    "line, version",
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023", "535.104.05"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86  Release Build  (a@b)", "570.86"),
    ],
)
def test_the_driver_is_told_by_its_kernel_module(tmp_path: Path, line: str, version: str) -> None:
    root = _written(tmp_path, proc__driver__nvidia__version=f"{line}\nGCC version:  gcc version 12.2.0 (Debian)\n")
    assert cuda_driver(root) == version


def test_this_machine_tells_its_memory() -> None:
    memory = memory_bytes()
    assert memory is not None
    assert memory > 0
