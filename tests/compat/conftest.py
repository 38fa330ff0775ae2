"""The comparisons with other libraries: how far apart each was, shown at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

_LARGEST: dict[str, tuple[float, int]] = {}

settings.register_profile("compat", derandomize=True, deadline=None, database=None, max_examples=50)
settings.load_profile("compat")


@pytest.fixture
def compared() -> Callable[[str, float], None]:
    """Record the largest difference of one comparison, as a share of the peak, under a name."""

    def record(name: str, difference: float) -> None:
        largest, n_comparisons = _LARGEST.get(name, (0.0, 0))
        _LARGEST[name] = (max(largest, difference), n_comparisons + 1)

    return record


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _LARGEST:
        terminalreporter.section("largest difference of the rates, as a share of the peak rate")
        for name, (largest, n_comparisons) in sorted(_LARGEST.items()):
            terminalreporter.write_line(f"{largest:8.1e}  {name} ({n_comparisons} comparisons)")
