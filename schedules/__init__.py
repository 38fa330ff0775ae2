"""What a recipe is: schedules, optimizers and recipes as frozen values, without any framework."""

from schedules.averaging import AVERAGINGS, AnyAveraging, Averaging, ConstantTail, CyclicTail, Ema, Swa
from schedules.base import PlateauState, Range, Schedule, Shape, updates_at
from schedules.cycles import Cyclic
from schedules.decays import Cosine, Factor, InverseSqrt, Linear, OneMinusSqrt, Polynomial
from schedules.drops import Constant, MultiFactor, Step
from schedules.families import FAMILIES, JOINS, SCHEDULES
from schedules.joins import AnySchedule, Cooldown, Product, Restarts, Sequence, Warmup
from schedules.knots import Piecewise
from schedules.nesting import Join
from schedules.optimizers import (
    OPTIMIZERS,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AnyOptimizer,
    Lion,
    Muon,
    Nadam,
    Optimizer,
    Rmsprop,
    ScheduleFreeAdamW,
    ScheduleFreeSgd,
    Sgd,
)
from schedules.phases import OneCycle, Wsd
from schedules.plateau import Plateau
from schedules.recipe import MomentumCurve, Recipe
from schedules.rules import RULES, Finding, Rule, Severity, findings
from schedules.shapes import AnyFamily

__all__ = [
    "AVERAGINGS",
    "FAMILIES",
    "JOINS",
    "OPTIMIZERS",
    "RULES",
    "SCHEDULES",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AnyAveraging",
    "AnyFamily",
    "AnyOptimizer",
    "AnySchedule",
    "Averaging",
    "Constant",
    "ConstantTail",
    "Cooldown",
    "Cosine",
    "Cyclic",
    "CyclicTail",
    "Ema",
    "Factor",
    "Finding",
    "InverseSqrt",
    "Join",
    "Linear",
    "Lion",
    "MomentumCurve",
    "MultiFactor",
    "Muon",
    "Nadam",
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
    "Rmsprop",
    "Rule",
    "Schedule",
    "ScheduleFreeAdamW",
    "ScheduleFreeSgd",
    "Sequence",
    "Severity",
    "Sgd",
    "Shape",
    "Step",
    "Swa",
    "Warmup",
    "Wsd",
    "findings",
    "updates_at",
]
