"""What a training says: its tail is kept, and nothing in it is obeyed by a terminal."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

from search.protocol import LONGEST_LOG

_SEQUENCE = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]")
"""Colours and movements of the cursor."""


def visible(text: str) -> str:
    """The text without colours, and with an escape in place of every character that a terminal would obey."""
    plain = _SEQUENCE.sub("", text.replace("\r\n", "\n"))
    return "".join(letter if letter.isprintable() or letter in "\n\t" else _escaped(letter) for letter in plain)


def tail(text: str) -> str:
    """As much of the end of a log as is kept."""
    return text[-LONGEST_LOG:]


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


class Tail:
    """The last lines written to it, 64 KiB of characters at most.

    Of a line that was drawn again and again, as progress bars are, only the last drawing is kept.
    """

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._length = 0
        self._line = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Take text as it is printed, in pieces of any length."""
        with self._lock:
            *whole, rest = (self._line + text[-2 * LONGEST_LOG :]).split("\n")
            for line in whole:
                self._keep(_last_drawing(line))
            self._line = _last_drawing(rest)[-LONGEST_LOG:]

    def text(self) -> str:
        """What is kept, fit to be shown."""
        with self._lock:
            written = "".join(self._lines) + self._line
        return tail(visible(written))

    def _keep(self, line: str) -> None:
        self._lines.append(f"{line}\n")
        self._length += len(line) + 1
        while self._length > LONGEST_LOG and len(self._lines) > 1:
            self._length -= len(self._lines.popleft())


@contextmanager
def listening() -> Iterator[Tail]:
    """Keep the tail of what this process prints, and of what this thread logs, until the block ends."""
    said = Tail()
    handler = _OfThread(said)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with redirect_stdout(_tee(sys.stdout, said)), redirect_stderr(_tee(sys.stderr, said)):
            yield said
    finally:
        root.removeHandler(handler)


def _tee(stream: TextIO, said: Tail) -> TextIO:
    return cast("TextIO", _Tee(stream, said))


class _Tee:
    """A stream whose text is kept as well; in all else it is the stream itself."""

    def __init__(self, stream: TextIO, said: Tail) -> None:
        self._stream = stream
        self._said = said

    def write(self, text: str) -> int:
        self._said.write(text)
        return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _OfThread(logging.Handler):
    """Keeps what the thread logs that made it."""

    def __init__(self, said: Tail) -> None:
        super().__init__()
        self._said = said
        self._thread = threading.get_ident()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            try:
                self._said.write(f"{self.format(record)}\n")
            except Exception:  # noqa: BLE001  as every handler of the standard library does with a bad record
                self.handleError(record)


def _last_drawing(line: str) -> str:
    return line[line.rstrip("\r").rfind("\r") + 1 :]
