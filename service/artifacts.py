"""The files kept of trials: taken in under a temporary name, made durable, then given their place.

No part of a name comes from a request: a file is ``DATABASE/STUDY/TRIAL-SHA256.safetensors``, all of them ours.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from search.errors import NotFound, Unavailable
from search.protocol import Fence
from service.store import Artifact, Store
from service.tensors import check_tensors

WEIGHTS = "weights"
_SUFFIX = ".safetensors"
_UNFINISHED = ".part"

_log = logging.getLogger(__name__)


class Upload:
    """A file that is being taken in.

    Attributes:
        size_bytes: what has been written so far.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.size_bytes = 0
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            Unavailable: the disk does not take them.
        """
        with _writable(self.path.parent):
            self._file.write(chunk)
        self._digest.update(chunk)
        self.size_bytes += len(chunk)

    def finish(self) -> str:
        """Check the file and make its bytes durable; their SHA-256.

        Raises:
            Unsuitable: it holds no tensors.
            Unavailable: the disk does not take them.
        """
        self._file.seek(0)
        check_tensors(self._file, self.size_bytes)
        with _writable(self.path.parent):
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._digest.hexdigest()


class Artifacts:
    """The files kept of one database's trials.

    A row is written after its file is in place, and a file removed after its row is gone: whatever breaks off in
    between leaves a file without a row, and ``sweep`` removes those.
    """

    def __init__(self, directory: Path, store: Store, clock: Callable[[], datetime]) -> None:
        # Of the database, not only of the data directory: another database there has files and ids of its own.
        self._directory = directory / store.database_id()
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._swept_in: int | None = None

    @contextmanager
    def receiving(self) -> Iterator[Upload]:
        """Take a file in; it is gone when the block ends, unless it was kept.

        Raises:
            Unavailable: the directory cannot be written.
        """
        path = self._directory / f"{secrets.token_hex(16)}{_UNFINISHED}"
        with _writable(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)
            file = path.open("xb+")
        try:
            with file:
                yield Upload(path, file)
        finally:
            path.unlink(missing_ok=True)

    def keep_weights(self, fence: Fence, upload: Upload) -> Artifact:
        """Keep what was taken in as the weights of the fence's trial.

        Raises:
            Unsuitable: it holds no tensors.
            NotFound: there is no such study.
            Conflict: the fence does not open the trial, or the study does not keep its weights.
            Unavailable: the disk or the database failed, or this service does not lead.
        """
        artifact = Artifact(
            trial=fence.trial,
            attempt=fence.attempt,
            kind=WEIGHTS,
            sha256=upload.finish(),
            size_bytes=upload.size_bytes,
            created_at=self._clock(),
        )

        def place(study_id: int) -> None:
            self._place(upload.path, self._path(study_id, artifact))

        with self._lock:
            study_id, replaced = self._store.keep_weights(fence, artifact, place)
            for each in replaced:
                _remove(self._path(study_id, each))
        return artifact

    def open(self, study_id: int, artifact: Artifact) -> BinaryIO:
        """Open a file that is kept.

        Raises:
            NotFound: it is not in this service's data directory.
        """
        try:
            return self._path(study_id, artifact).open("rb")
        except OSError as error:
            raise NotFound(
                f"the {artifact.kind} of trial {artifact.trial} were kept, but their file cannot be read from this "
                f"service's data directory: {error.strerror}"
            ) from error

    def forget_study(self, study_id: int) -> None:
        """Remove the files of a study that was deleted."""
        with self._lock:
            shutil.rmtree(self._directory / str(study_id), ignore_errors=True)

    def sweep(self) -> None:
        """Remove the files that no row knows, once in each term as the leader.

        Raises:
            Unavailable: the database failed.
        """
        epoch = self._store.epoch
        if epoch is None or epoch == self._swept_in:
            return
        with self._lock:
            known = {self._path(*each) for each in self._store.all_artifacts()}
            unknown = [path for path in self._directory.glob("**/*") if path.is_file() and path not in known]
            for path in unknown:
                _log.info("%s is removed: no trial refers to it", path)
                _remove(path)
        self._swept_in = epoch

    def _path(self, study_id: int, artifact: Artifact) -> Path:
        return self._directory / str(study_id) / f"{artifact.trial}-{artifact.sha256}{_SUFFIX}"

    def _place(self, source: Path, target: Path) -> None:
        with _writable(self._directory):
            target.parent.mkdir(exist_ok=True)
            source.rename(target)
            for directory in (target.parent, self._directory):
                _sync(directory)


@contextmanager
def _writable(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = "has no room" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "cannot be written"
        raise Unavailable(f"the directory of files, {directory}, {what} ({error.strerror})") from error


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
