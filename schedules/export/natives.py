"""Torch's own schedulers, where one makes exactly the rates of a recipe.

Each runs at the recipe's rate in every update of the run. What is not here has no scheduler that does, or only one that
drifts (``ExponentialLR`` and ``CyclicLR`` of the mode ``exp_range`` multiply up a rounded factor) or restores wrongly
(``SequentialLR``, when the optimizer is restored first).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from schedules.base import Schedule
from schedules.cycles import Cyclic
from schedules.decays import Cosine, Linear, Polynomial
from schedules.drops import Constant, MultiFactor, Step
from schedules.export.optimizers import literal
from schedules.joins import Restarts, Warmup
from schedules.phases import OneCycle
from schedules.recipe import Recipe


@dataclass(frozen=True)
class Native:
    """A scheduler of torch.

    Attributes:
        name: its class.
        arguments: the keywords after the optimizer, by name, as Python.
        past: what it does past the end of the run, where a recipe would stay.
    """

    name: str
    arguments: dict[str, str]
    past: str = ""


def native(recipe: Recipe, horizon: int) -> Native | None:
    """Return the scheduler of torch that makes the rates of a recipe, and drives what the recipe drives beside them."""
    if recipe.averaging is not None and recipe.averaging.tail_at(horizon, horizon) is not None:
        return None
    if recipe.weight_decay is not None:
        return None
    schedule = without_empty_warmup(recipe.schedule, horizon)
    if isinstance(schedule, OneCycle):
        return _one_cycle(recipe, schedule, horizon)
    return None if recipe.momentum is not None else _of_schedule(schedule, recipe.peak_lr, horizon)


def without_empty_warmup(schedule: Schedule, horizon: int) -> Schedule:
    """Return what a warm-up of no update leads to; any other schedule as it is."""
    return schedule.then if isinstance(schedule, Warmup) and not schedule.updates(horizon) else schedule


def _of_schedule(schedule: Schedule, peak_lr: float, horizon: int) -> Native | None:
    match schedule:
        case Constant():
            return _native("ConstantLR", factor=1.0)
        case Cosine(k_decay=1, final_ratio=floor):
            return _native("CosineAnnealingLR", "it climbs again", T_max=horizon, eta_min=floor * peak_lr)
        case Linear(final_ratio=floor):
            return _native("LinearLR", start_factor=1.0, end_factor=floor, total_iters=horizon)
        case Polynomial(final_ratio=0, power=power):
            return _native("PolynomialLR", total_iters=horizon, power=power)
        case Restarts(then=Cosine(k_decay=1, final_ratio=floor), peak_decay=1):
            return _restarts(schedule, floor * peak_lr, horizon)
        case Cyclic(total_decay=None):
            return _cyclic(schedule, peak_lr, horizon)
        case _:
            return _of_drops(schedule, horizon)


def _of_drops(schedule: Schedule, horizon: int) -> Native | None:
    match schedule:
        case Step(final_ratio=0) if horizon % (schedule.drops + 1) == 0:
            size = horizon // (schedule.drops + 1)
            return _native("StepLR", "it goes on dropping", step_size=size, gamma=schedule.gamma)
        case Step(final_ratio=0):
            return _native("MultiStepLR", milestones=list(schedule.drops_at(horizon)), gamma=schedule.gamma)
        case MultiFactor():
            return _native("MultiStepLR", milestones=list(schedule.drops_at(horizon)), gamma=schedule.gamma)
        case _:
            return None


def _restarts(restarts: Restarts, eta_min: float, horizon: int) -> Native | None:
    bounds, longer = restarts.bounds(horizon), int(restarts.t_mult)
    lengths = [end - begin for begin, end in pairwise(bounds)]
    if any(length != lengths[0] * longer**cycle for cycle, length in enumerate(lengths)):
        return None
    name = "CosineAnnealingWarmRestarts"
    return _native(name, "it restarts again", T_0=lengths[0], T_mult=longer, eta_min=eta_min)


def _cyclic(cyclic: Cyclic, peak_lr: float, horizon: int) -> Native | None:
    up, down = cyclic.halves(horizon)
    if horizon > 500 * min(up, down):  # it finds its place in a cycle as a difference of large numbers
        return None
    return _native(
        "CyclicLR",
        "it goes on cycling",
        base_lr=cyclic.base_ratio * peak_lr,
        max_lr=peak_lr,
        step_size_up=up,
        step_size_down=down,
        mode=cyclic.mode,
        cycle_momentum=False,
    )


def _one_cycle(recipe: Recipe, cycle: OneCycle, horizon: int) -> Native | None:
    """Return ``OneCycleLR`` of a run one longer, whose last update is the first that this run no longer makes."""
    if min(cycle.start_ratio, cycle.final_ratio) < 1e-9:  # it divides by them
        return None
    momentum: dict[str, object] = {"cycle_momentum": False}
    if recipe.momentum is not None:
        if recipe.momentum.curve != cycle.mirrored() or recipe.optimizer.kind == "muon":
            return None
        momentum = {"base_momentum": recipe.momentum.low, "max_momentum": recipe.optimizer.memory}
    n_rise, n_fallen = cycle.knots(horizon)[1][0], cycle.knots(horizon)[-2][0]
    if cycle.phases == 3 and n_fallen != 2 * n_rise:  # its fall is as long as its rise, ours up to rounding
        return None
    return _native(
        "OneCycleLR",
        "it raises an error",
        max_lr=recipe.peak_lr,
        total_steps=horizon + 1,
        pct_start=(n_rise + 1) / (horizon + 1),
        anneal_strategy="cos" if cycle.curve == "cosine" else "linear",
        div_factor=1 / cycle.start_ratio,
        final_div_factor=cycle.start_ratio / cycle.final_ratio,
        three_phase=cycle.phases == 3,
        **momentum,
    )


def _native(name: str, past: str = "", **arguments: object) -> Native:
    return Native(name, {each: literal(value) for each, value in arguments.items()}, past)
