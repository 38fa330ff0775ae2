"""The same examples on every run, so that a failure here is a failure there."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("etude", derandomize=True, deadline=None, database=None, max_examples=100)
settings.load_profile("etude")
