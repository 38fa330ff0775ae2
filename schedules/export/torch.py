"""A recipe as code that needs only torch."""

from __future__ import annotations

from string import Template
from textwrap import indent
from typing import assert_never

from schedules.base import Shape
from schedules.joins import Warmup
from schedules.optimizers import Adagrad, Adam, AdamW, KnownOptimizer, Sgd
from schedules.plateau import Plateau
from schedules.recipe import Recipe

_HEAD = Template('''\
"""$summary

Etude recipe $digest for a run of $horizon updates.

    optimizer, scheduler = build(model.parameters())
    for every batch:
        loss.backward(); optimizer.step(); scheduler.step(); optimizer.zero_grad()
$usage"""

import math

import torch

''')

_SHAPE = Template('''\

def multiplier(t):
    """The share of the peak learning rate at which update t runs; the first update is t = 0."""
$ramp    t = min($position, $rest)
    return $source


def build(parameters):
    optimizer = $optimizer
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, multiplier)
''')

_PLATEAU = Template('''\

class PlateauLR:
    """Multiplies the rate by $factor after $n_borne evaluations in a row without improvement."""

    def __init__(self, optimizer, peak_lr):
        self.optimizer, self.peak_lr = optimizer, peak_lr
        self.t, self.multiplier, self.best, self.n_bad, self.cooldown_left = 0, 1.0, None, 0, 0
        self.write_rate()

    def step(self):
        """Call after every optimizer.step()."""
        self.t += 1
        self.write_rate()

    def observe(self, metric):
        """Call after every evaluation; the metric improves by $direction."""
$skip        is_good = math.isfinite(metric) and (self.best is None or self.is_better(metric))
        self.best = metric if is_good else self.best
        self.n_bad = 0 if is_good or self.cooldown_left > 0 else self.n_bad + 1
        self.cooldown_left = max(self.cooldown_left - 1, 0)
        if self.n_bad > $patience:
            self.multiplier = max($floor, $factor * self.multiplier)
            self.n_bad, self.cooldown_left = 0, $cooldown
        self.write_rate()

    def is_better(self, metric):
        return $better

    def write_rate(self):
        multiplier = self.multiplier
$ramp        for group in self.optimizer.param_groups:
            group["lr"] = self.peak_lr * multiplier


def build(parameters):
    optimizer = $optimizer
    return optimizer, PlateauLR(optimizer, $peak_lr)
''')


def torch_snippet(recipe: Recipe, horizon: int) -> str:
    """Write a recipe as a Python module that needs only torch.

    The module defines ``build(parameters)``, which returns an optimizer and a scheduler to step after every
    update; the scheduler of a plateau also has ``observe(metric)``.

    Args:
        horizon: updates of the run that it is for.

    Raises:
        ValueError: the horizon is too short for the schedule, or it is made of others beside a warm-up.
    """
    recipe.check(horizon)
    match recipe.schedule:
        case Warmup(then=family) as warmup:
            n_ramp = warmup.updates(horizon)
            ramp = _ramp(n_ramp, warmup.start_ratio)
        case family:
            n_ramp, ramp = 0, ""
    match family:
        case Plateau():
            usage = "    after every evaluation: scheduler.observe(metric)\n"
            body = _plateau(recipe, family, n_ramp, ramp)
        case Shape():
            usage = ""
            body = _shape(recipe, family, horizon, n_ramp, ramp)
        case _:
            raise ValueError(f"there is no torch code for a schedule {family.kind!r}")
    head = _HEAD.substitute(summary=recipe.summary(), digest=recipe.digest[:12], horizon=horizon, usage=usage)
    return (head if "math." in body else head.replace("import math\n\n", "")) + body


def _shape(recipe: Recipe, family: Shape, horizon: int, n_ramp: int, ramp: str) -> str:
    rest = horizon - n_ramp
    start = family(0, rest)
    scaled = ramp if start == 1 else f"({ramp}) * {start!r}"
    return _SHAPE.substitute(
        ramp=f"    if t < {n_ramp}:\n        return {scaled}\n" if n_ramp else "",
        position=f"t - {n_ramp}" if n_ramp else "t",
        rest=rest,
        source=family.source(rest),
        optimizer=_optimizer(recipe.optimizer, recipe.peak_lr),
    )


def _plateau(recipe: Recipe, plateau: Plateau, n_ramp: int, ramp: str) -> str:
    threshold = repr(plateau.threshold)
    sign, than, direction = ("+", ">", "rising") if plateau.mode == "max" else ("-", "<", "falling")
    relative = f"self.best * (1 {sign} math.copysign({threshold}, self.best))"
    bar = relative if plateau.threshold_mode == "rel" else f"self.best {sign} {threshold}"
    return _PLATEAU.substitute(
        factor=repr(plateau.factor),
        n_borne=plateau.patience + 1,
        direction=direction,
        skip=f"        if self.t < {n_ramp}:\n            return  # the warm-up does not count\n" if n_ramp else "",
        better=f"metric {than} {bar}",
        patience=plateau.patience,
        cooldown=plateau.cooldown,
        floor=repr(plateau.final_ratio),
        ramp=indent(f"if self.t < {n_ramp}:\n    t = self.t\n    multiplier = {ramp}\n", " " * 8) if n_ramp else "",
        optimizer=_optimizer(recipe.optimizer, recipe.peak_lr),
        peak_lr=repr(recipe.peak_lr),
    )


def _ramp(n_ramp: int, start_ratio: float) -> str:
    ramp = f"(t + 1) / {n_ramp}"
    return f"{start_ratio!r} + {1 - start_ratio!r} * {ramp}" if start_ratio else ramp


def _optimizer(optimizer: KnownOptimizer, lr: float) -> str:
    match optimizer:
        case Sgd(momentum=momentum, nesterov=nesterov):
            name, constants = "SGD", f"momentum={momentum!r}, nesterov={nesterov!r}"
        case Adagrad(initial_accumulator=start, eps=eps):
            name, constants = "Adagrad", f"initial_accumulator_value={start!r}, eps={eps!r}"
        case Adam(beta1=beta1, beta2=beta2, eps=eps):
            name, constants = "Adam", f"betas=({beta1!r}, {beta2!r}), eps={eps!r}"
        case AdamW(beta1=beta1, beta2=beta2, eps=eps):
            name, constants = "AdamW", f"betas=({beta1!r}, {beta2!r}), eps={eps!r}"
        case _:
            assert_never(optimizer)
    arguments = f"parameters, lr={lr!r}, {constants}, weight_decay={optimizer.weight_decay!r}"
    return f"torch.optim.{name}(\n        {arguments}\n    )"
