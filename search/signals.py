"""SIGTERM and ctrl-C, heard even while the main thread is deep in a long operation."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

PARENT_CHECK_SECONDS: Final = 1.0
AT_ONCE: Final = 1
"""Exit code when the second signal did not wait for the first."""


@contextmanager
def stopped_by_signals(
    stop: threading.Event, *, parent: int | None = None, end: Callable[[int], object] = os._exit
) -> Iterator[None]:
    """Set ``stop`` at the first SIGTERM or SIGINT, or when the parent process is gone; end at once at the second.

    The handlers do nothing themselves: an event set inside a handler can wait for ever for the very thread that
    the handler has interrupted. The interpreter writes the signal's number to a socket, and a thread reads it.

    Args:
        parent: process id of the parent; when it changes, the parent has died.
    """
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    wakeup_before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(ours, stop, parent, end), name="signals", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        theirs.close()
        listener.join()
        ours.close()


def _listen(ours: socket.socket, stop: threading.Event, parent: int | None, end: Callable[[int], object]) -> None:
    while True:
        readable, _, _ = select.select([ours], [], [], PARENT_CHECK_SECONDS)
        if not readable:
            if parent is not None and os.getppid() != parent:
                stop.set()
            continue
        heard = ours.recv(64)
        if not heard:
            return
        for number in heard:
            if number not in (signal.SIGTERM, signal.SIGINT):
                continue
            if stop.is_set():
                end(AT_ONCE)
            stop.set()
