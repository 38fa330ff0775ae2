"""What a recipe is: schedules, optimizers and recipes as frozen values, without any framework."""

from schedules.base import PlateauState, Range, Schedule, Shape, updates_at
from schedules.cycles import Cyclic
from schedules.decays import Cosine, Factor, InverseSqrt, Linear, OneMinusSqrt, Polynomial
from schedules.drops import Constant, MultiFactor, Step
from schedules.families import FAMILIES, JOINS, SCHEDULES
from schedules.joins import AnySchedule, Cooldown, Product, Restarts, Sequence, Warmup
from schedules.knots import Piecewise
from schedules.nesting import Join
from schedules.optimizers import OPTIMIZERS, Adagrad, Adam, AdamW, AnyOptimizer, Optimizer, Sgd
from schedules.phases import OneCycle, Wsd
from schedules.plateau import Plateau
from schedules.recipe import Recipe
from schedules.shapes import AnyFamily

__all__ = [
    "FAMILIES",
    "JOINS",
    "OPTIMIZERS",
    "SCHEDULES",
    "Adagrad",
    "Adam",
    "AdamW",
    "AnyFamily",
    "AnyOptimizer",
    "AnySchedule",
    "Constant",
    "Cooldown",
    "Cosine",
    "Cyclic",
    "Factor",
    "InverseSqrt",
    "Join",
    "Linear",
    "MultiFactor",
    "OneCycle",
    "OneMinusSqrt",
    "Optimizer",
    "Piecewise",
    "Plateau",
    "PlateauState",
    "Polynomial",
    "Product",
    "Range",
    "Recipe",
    "Restarts",
    "Schedule",
    "Sequence",
    "Sgd",
    "Shape",
    "Step",
    "Warmup",
    "Wsd",
    "updates_at",
]
