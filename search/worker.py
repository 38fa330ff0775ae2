"""A worker: claims trials, trains them, says how they ended, and begins again."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Final

from search.desk import Desk
from search.pace import PACE, Pace
from search.protocol import Announcement, Assignment, ClaimRequest, Name, WorkService
from search.training.lanes.driver import Feed, Report
from search.training.trainer import Ended

DEVICE_BROKEN: Final = 70
"""Exit code of a process whose device failed: start a fresh one."""

Train = Callable[[Feed, Report], None]
"""Trains what a feed brings until it brings nothing more, and reports how each trial ended."""


def worker_id() -> str:
    """A name for this process that no other worker has, now or later."""
    host = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in socket.gethostname())
    return f"{host[:60] or 'host'}-{os.getpid()}-{secrets.token_hex(4)}"


class Worker:
    """Works for a service until it is told to stop, with as many trials at once as its training has lanes.

    Args:
        announcement: who this worker is and which tasks it can run.
        train: trains trials.
        stop: set when the worker is to end; it gives back what it holds.
        project: work only for this project; for any, when not given.
        studies: work only for these studies of the project.
        pace: how long to wait for what.
    """

    def __init__(
        self,
        service: WorkService,
        announcement: Announcement,
        train: Train,
        stop: threading.Event,
        *,
        project: Name | None = None,
        studies: Iterable[Name] | None = None,
        pace: Pace = PACE,
    ) -> None:
        request = ClaimRequest(
            worker=announcement.worker,
            tasks=tuple(task.name for task in announcement.tasks),
            project=project,
            studies=None if studies is None else tuple(studies),
        )
        self._desk = Desk(service, announcement, request, stop, pace)
        self._train = train
        self._is_broken = False

    def run(self) -> int:
        """Work until told to stop; the exit code for the process.

        Raises:
            SearchError: the service refuses this worker, and would again.
        """
        with self._desk as desk:
            while desk.wait():
                self._train(desk.take, self._end)
        return DEVICE_BROKEN if self._is_broken else 0

    def _end(self, assignment: Assignment, ended: Ended) -> None:
        self._is_broken = self._is_broken or ended.process_broken
        self._desk.end(assignment, ended)
