"""Migrations of the ``etude_*`` tables."""
