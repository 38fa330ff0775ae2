"""What happens inside the service, told to whoever counts and times it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Literal, Protocol

from search.ledger import Changes
from search.protocol import Verdict

Operation = Literal["ask", "report", "finish", "commit"]
"""What is timed.

A trial that the sampler draws and a study hands out, a message with reports, a message with finishes (both with the
wait for their turn and the commit), and one transaction.
"""


class Watch(Protocol):
    """Told what happens, while it happens; it must be quick, and never raise."""

    def took(self, operation: Operation, seconds: float) -> None:
        """Note how long something took that ended well."""

    def wrote(self, changes: Changes) -> None:
        """Note changes that are durable now."""

    def answered(self, verdicts: Iterable[Verdict]) -> None:
        """Note what reports were answered."""


class Unwatched:
    """Nobody looks."""

    def took(self, operation: Operation, seconds: float) -> None:
        return

    def wrote(self, changes: Changes) -> None:
        return

    def answered(self, verdicts: Iterable[Verdict]) -> None:
        return


UNWATCHED: Final = Unwatched()


@contextmanager
def timed(watch: Watch, operation: Operation) -> Iterator[None]:
    """Time the block, if it ends well."""
    began = time.perf_counter()
    yield
    watch.took(operation, time.perf_counter() - began)
