"""How a script of an arm speaks with who started it: ready, start, result.

Output that libraries print is not mistaken for it: what counts begins with a mark.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from pydantic import TypeAdapter

from tests.benchmarks.peers.values import Ran

MARK: Final = "@peers "
TRIALS: Final = TypeAdapter(tuple[Ran, ...])
_PARENT: Final = os.getppid()


def wait_for_start() -> None:
    """Say that the first trial could begin, and wait until it may."""
    print(f"{MARK}ready", flush=True)
    if not sys.stdin.readline():
        sys.exit("the benchmark that started this script is gone")


def say_result(trials: Sequence[Ran]) -> None:
    """Say what was trained."""
    print(MARK + TRIALS.dump_json(tuple(trials)).decode(), flush=True)


def gone() -> bool:
    """Whether the process that wanted the result runs no more."""
    return os.getppid() != _PARENT
