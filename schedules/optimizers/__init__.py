"""The optimizers that a recipe can name: their constants, and where a search looks for them.

The ranges are for small and medium networks trained from scratch with batches of up to a few hundred
examples; a study can give its own. ``peak_lr`` is the peak learning rate, ``weight_decay`` the decay
as the optimizer itself defines it, ``momentum`` its (first) moment's memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, get_args

from pydantic import Field

from schedules.optimizers.adaptive import Adagrad, Adam, Adamax, AdamW, Nadam, Rmsprop, ScheduleFreeAdamW
from schedules.optimizers.base import Optimizer
from schedules.optimizers.descent import Lion, Muon, ScheduleFreeSgd, Sgd

__all__ = [
    "OPTIMIZERS",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AnyOptimizer",
    "KnownOptimizer",
    "Lion",
    "Muon",
    "Nadam",
    "Optimizer",
    "Rmsprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSgd",
    "Sgd",
]

KnownOptimizer = (
    Sgd | Adagrad | Rmsprop | Adam | AdamW | Nadam | Adamax | Lion | Muon | ScheduleFreeSgd | ScheduleFreeAdamW
)
AnyOptimizer = Annotated[KnownOptimizer, Field(discriminator="kind")]

OPTIMIZERS: Mapping[str, type[Optimizer]] = MappingProxyType(
    {optimizer.model_fields["kind"].default: optimizer for optimizer in get_args(KnownOptimizer)}
)
"""Each optimizer's class by its kind."""
