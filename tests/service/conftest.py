"""Fixtures of the service's tests."""

from __future__ import annotations

from tests.service.server import live_server

__all__ = ["live_server"]
