"""What a recipe is: schedules, optimizers and recipes as frozen values, without any framework."""

from schedules.base import PlateauState, Range, Schedule, Shape, updates_at
from schedules.families import FAMILIES, AnyFamily
from schedules.joins import AnySchedule, Warmup
from schedules.optimizers import OPTIMIZERS, Adagrad, Adam, AdamW, AnyOptimizer, Optimizer, Sgd
from schedules.plateau import Plateau
from schedules.recipe import Recipe
from schedules.shapes import Constant, Cosine, Factor, InverseSqrt, Linear, MultiFactor, Polynomial

__all__ = [
    "FAMILIES",
    "OPTIMIZERS",
    "Adagrad",
    "Adam",
    "AdamW",
    "AnyFamily",
    "AnyOptimizer",
    "AnySchedule",
    "Constant",
    "Cosine",
    "Factor",
    "InverseSqrt",
    "Linear",
    "MultiFactor",
    "Optimizer",
    "Plateau",
    "PlateauState",
    "Polynomial",
    "Range",
    "Recipe",
    "Schedule",
    "Sgd",
    "Shape",
    "Warmup",
    "updates_at",
]
