"""Schedules and recipes read from other people's code, where they are exactly the same at every update of a run."""

from schedules.reading.base import Momentum, NotExact, Reading
from schedules.reading.optimizers import read_optimizer, read_recipe
from schedules.reading.timm import TimmArguments, read_timm
from schedules.reading.torch import read_torch, read_torch_state
from schedules.reading.transformers import read_transformers

__all__ = [
    "Momentum",
    "NotExact",
    "Reading",
    "TimmArguments",
    "read_optimizer",
    "read_recipe",
    "read_timm",
    "read_torch",
    "read_torch_state",
    "read_transformers",
]
