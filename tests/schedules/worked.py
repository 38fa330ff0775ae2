"""What examples worked out by hand are compared with, and how closely."""

from __future__ import annotations

import pytest

from schedules import Schedule


def values(schedule: Schedule, horizon: int, n: int | None = None) -> list[float]:
    """Return the first ``n`` multipliers; by default all of a run and two past its end."""
    return [schedule(t, horizon) for t in range(horizon + 2 if n is None else n)]


def approx(expected: list[float]) -> object:
    return pytest.approx(expected, abs=1e-12)
