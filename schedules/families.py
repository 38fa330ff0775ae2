"""The schedules by name, in one place: a class named here is known everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from schedules.base import Schedule
from schedules.joins import Cooldown, Product, Restarts, Sequence, Warmup
from schedules.shapes import Family


def _by_kind(classes: tuple[type[Schedule], ...]) -> Mapping[str, type[Schedule]]:
    return MappingProxyType({each.model_fields["kind"].default: each for each in classes})


FAMILIES: Mapping[str, type[Schedule]] = _by_kind((*get_args(Family), Restarts))
"""Each family that a study can search, by its kind: all that stand alone, and restarts, of a cosine."""

JOINS: Mapping[str, type[Schedule]] = _by_kind((Warmup, Cooldown, Restarts, Sequence, Product))
"""Each schedule that is made of others, by its kind."""

SCHEDULES: Mapping[str, type[Schedule]] = MappingProxyType({**FAMILIES, **JOINS})
"""All of them."""
