"""How long a worker waits for what."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final


class Backoff:
    """Growing pauses between attempts at something, a random half of each, so that many workers do not come at once."""

    def __init__(self, *, first_seconds: float = 0.5, longest_seconds: float = 15.0) -> None:
        self._first = first_seconds
        self._longest = longest_seconds
        self._failures = 0

    def fail(self) -> float:
        """Note a failure; the seconds to wait before the next attempt."""
        pause = min(self._longest, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return pause * random.uniform(0.5, 1.0)

    def succeed(self) -> None:
        """Note a success: the next pause is a short one again."""
        self._failures = 0


@dataclass(frozen=True)
class Pace:
    """How long a worker waits for what, in seconds.

    Attributes:
        claim: how long a claim waits for work at the service, while nothing is trained. A worker that is told to stop
            lets its claim come back first, so that no trial is handed to a process that is gone.
        idle: between two claims without work, for a service that does not hold them.
        announce: a worker presents itself again this often, so that a service with a new database knows it too.
        send: how long new points wait for company.
        first_pause: after a first failure to reach the service; doubled with each further one.
        longest_pause: between two tries.
        last_words: how long a worker that is told to stop goes on trying to reach the service.
    """

    claim: float = 2.0
    idle: float = 0.2
    announce: float = 300.0
    send: float = 1.0
    first_pause: float = 0.5
    longest_pause: float = 15.0
    last_words: float = 5.0

    def backoff(self) -> Backoff:
        """A new row of pauses."""
        return Backoff(first_seconds=self.first_pause, longest_seconds=self.longest_pause)


PACE: Final = Pace()
