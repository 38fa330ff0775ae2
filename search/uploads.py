"""The weights of trials that are over, sent while the next ones train."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from search.errors import Conflict, Unavailable
from search.naming import fields_of, name_of
from search.pace import Pace
from search.protocol import Fence, WorkService

MOST_UPLOADS: Final = 5
"""Tries at sending weights; then the trial stays without them."""

log = logging.getLogger(__name__)


class Uploads:
    """Sends weights one after the other, in a thread of its own; a trial stays what it is, whether they arrive or not.

    Args:
        stop: set when this process is to end; what is left is tried for a few seconds more.
    """

    def __init__(self, service: WorkService, stop: threading.Event, pace: Pace) -> None:
        self._service = service
        self._stop = stop
        self._pace = pace
        self._waiting: queue.SimpleQueue[tuple[Fence, Callable[[], bytes]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def add(self, fence: Fence, weights: Callable[[], bytes]) -> None:
        """Send weights when all those before are sent."""
        self._waiting.put((fence, weights))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="uploads", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Return when all is sent, or given up."""
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while (next_one := self._waiting.get()) is not None:
            fence, weights = next_one
            try:
                is_sent = self._send(fence, weights())
            except Conflict as error:
                log.info("%s is kept without its weights: %s", name_of(fence), error, extra=fields_of(fence))
                continue
            except Exception:  # a model is a stranger's program, and may not be written as a file
                log.exception("%s is kept without its weights", name_of(fence), extra=fields_of(fence))
                continue
            if not is_sent:
                without = "%s is kept without its weights: the service does not take them"
                log.error(without, name_of(fence), extra=fields_of(fence))

    def _send(self, fence: Fence, packed: bytes) -> bool:
        backoff = self._pace.backoff()
        for _ in range(MOST_UPLOADS):
            try:
                self._service.keep_weights(fence, packed)
                return True
            except Unavailable as error:
                log.warning("the weights of %s wait for the service: %s", name_of(fence), error, extra=fields_of(fence))
                if self._stop.wait(backoff.fail()):
                    time.sleep(self._pace.last_words / MOST_UPLOADS)
        return False
