"""The log of a process that keeps running."""

from __future__ import annotations

import logging
import sys


def set_up_log(level: int) -> None:
    """Log to standard error, one line each, with the time."""
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    # Of each request that the service sends or takes there is a line: only for those who ask for it.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
