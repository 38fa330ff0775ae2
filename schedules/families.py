"""The families that a study can search, in one place: a class named here is known everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, get_args

from pydantic import Field

from schedules.base import Schedule
from schedules.plateau import Plateau
from schedules.shapes import Constant, Cosine, Factor, InverseSqrt, Linear, MultiFactor, Polynomial

Family = Constant | Factor | MultiFactor | Linear | Polynomial | InverseSqrt | Cosine | Plateau
AnyFamily = Annotated[Family, Field(discriminator="kind")]

FAMILIES: Mapping[str, type[Schedule]] = MappingProxyType(
    {family.model_fields["kind"].default: family for family in get_args(Family)}
)
"""Each family's class by its kind."""
