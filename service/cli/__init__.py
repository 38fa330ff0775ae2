"""The ``etude`` command line."""

from service.cli.app import main

__all__ = ["main"]
