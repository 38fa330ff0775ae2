"""Disks: room, permission, and the kind of file system."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from search.doctor.diagnosis import Diagnosis, failing, fine, size, warning

LEAST_BYTES: Final = 1 << 30
TOO_FEW_BYTES: Final = 64 << 20
NETWORK: Final = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gpfs", "lustre"),
        *("nfs", "nfs4", "smb3", "smbfs"),
    )
)
"""Kinds of file systems that other machines share."""


def look_at_directory(directory: Path, artifacts: Path) -> Iterator[Diagnosis]:
    """Look at the data directory, or at where it would be made: room, permission, and what is kept there."""
    yield _room(directory)
    yield _kept(artifacts)


def _room(directory: Path) -> Diagnosis:
    directory = directory.absolute()
    place = nearest(directory)
    here = f"{directory}" if place == directory else f"{directory} (to be made in {place})"
    if not place.is_dir():
        return failing("disk", f"{place} is no directory", "choose another data directory: --data-dir, ETUDE_DATA_DIR")
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"\0")
            file.flush()
    except OSError as error:
        todo = "allow it, or choose another data directory: --data-dir, ETUDE_DATA_DIR"
        return failing("disk", f"the data directory {here} cannot be written: {error.strerror}", todo)
    free = shutil.disk_usage(place).free
    said = f"{size(free)} are free for the data directory {here}"
    if free < TOO_FEW_BYTES:
        return failing("disk", said, "free some space: the database could not be written soon", free_bytes=free)
    if free < LEAST_BYTES:
        return warning("disk", said, "free some space: the database and kept weights grow", free_bytes=free)
    return fine("disk", said, free_bytes=free)


def _kept(artifacts: Path) -> Diagnosis:
    if not artifacts.is_dir():
        return fine("kept files", "no weights or logs are kept yet", files=0, bytes=0)
    sizes = [path.stat().st_size for path in artifacts.rglob("*") if path.is_file()]
    said = f"{len(sizes)} files of trials are kept, {size(sum(sizes))} in {artifacts}"
    return fine("kept files", said, files=len(sizes), bytes=sum(sizes))


def nearest(path: Path) -> Path:
    """The path itself, or the nearest of its parents that is there."""
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.exists())


def file_system(path: Path) -> str:
    """The kind of file system that a path lies on, as the kernel calls it; empty where it does not say."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return ""
    real = os.path.realpath(path)
    # A mount over another one comes later, and hides it.
    holding = [(len(place), kind) for place, kind in mounts if Path(real).is_relative_to(_unescaped(place))]
    return max(reversed(holding), default=(0, ""), key=lambda each: each[0])[1]


def _unescaped(place: str) -> str:
    return place.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
