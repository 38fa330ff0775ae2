"""A lock that ends with the process that holds it, however that process ends."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path


class LockHeld(Exception):
    """Another process, or another part of this one, holds the lock.

    Attributes:
        path: the lock file.
        pid: the holder, where it could be read.
    """

    def __init__(self, path: Path, pid: int | None) -> None:
        super().__init__(path, pid)
        self.path = path
        self.pid = pid

    def __str__(self) -> str:
        holder = "another process" if self.pid is None else f"process {self.pid}"
        return f"{holder} holds {self.path}"


@dataclass(frozen=True)
class HeldLock:
    """The lock, until it is let go or the process ends; the file stays, since removing it would let two hold it."""

    path: Path
    descriptor: int

    def let_go(self) -> None:
        os.close(self.descriptor)


def hold(path: Path) -> HeldLock:
    """Take the lock at once or not at all; the kernel frees it when the process dies.

    Raises:
        LockHeld: somebody else holds it.
        OSError: the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(descriptor)
        os.close(descriptor)
        raise LockHeld(path, holder) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return HeldLock(path, descriptor)


def find_holder(path: Path) -> LockHeld | None:
    """Say who holds the lock, without making its file or taking it; None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # Shared, and let go at once: two that look do not take each other for a holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return LockHeld(path, _holder(descriptor))
    finally:
        os.close(descriptor)
    return None


def _holder(descriptor: int) -> int | None:
    found = os.read(descriptor, 20).decode("ascii", "ignore").strip()
    return int(found) if found.isdecimal() else None
