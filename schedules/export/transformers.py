"""A recipe for the Trainer of transformers."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

from schedules.base import Schedule, updates_at
from schedules.decays import Cosine, InverseSqrt, Linear, Polynomial
from schedules.drops import Constant
from schedules.export.lightning import not_held, refuse_two_optimizers
from schedules.export.natives import without_empty_warmup
from schedules.export.optimizers import Call, literal, torch_call
from schedules.export.scheduler import Scheduler, scheduler
from schedules.export.torch import head, imports
from schedules.joins import Restarts, Sequence
from schedules.knots import Piecewise
from schedules.phases import Wsd
from schedules.recipe import Recipe

_DECAYS = {"linear": "linear", "cosine": "cosine", "one_minus_sqrt": "1-sqrt"}

_OBSERVER = '''\
class Observe(TrainerCallback):
    """Shows the plateau every evaluation."""

    def __init__(self, scheduler):
        self.scheduler = scheduler

    def on_evaluate(self, args, state, control, metrics, **kwargs):
        self.scheduler.observe(metrics[METRIC])
'''


@dataclass(frozen=True)
class Named:
    """A schedule that ``get_scheduler`` knows.

    Attributes:
        name: its ``lr_scheduler_type``.
        arguments: its ``lr_scheduler_kwargs``.
        n_warmup: its ``warmup_steps``.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    n_warmup: int = 0


def transformers_snippet(recipe: Recipe, horizon: int) -> str:
    """Write a recipe as arguments and optimizers for ``Trainer``.

    Where ``get_scheduler`` knows the schedule, the arguments name it; else the scheduler is passed with the optimizer.
    The optimizer is passed in either case: the Trainer's own would leave biases and norms without decay.

    Args:
        horizon: updates of the run that it is for: ``max_steps``.

    Raises:
        NotPossible: the Trainer steps one optimizer, and this one is two.
        ValueError: the recipe cannot be run for so many updates.
    """
    recipe.check(horizon)
    refuse_two_optimizers(recipe, "the Trainer")
    known = named(recipe, horizon)
    made = scheduler(recipe, horizon) if known is None else None
    reads_metric = made is not None and made.reads_metric
    parts = [
        'METRIC = "eval_loss"  # what the recipe\'s plateau reads of every evaluation\n' if reads_metric else "",
        made.definitions if made is not None else "",
        _OBSERVER if reads_metric else "",
        _arguments(recipe, horizon, known),
        _build(recipe, made),
    ]
    body = "\n\n".join(part for part in parts if part)
    names = "TrainerCallback, TrainingArguments" if reads_metric else "TrainingArguments"
    first = head(recipe, horizon, _usage(recipe, reads_metric)) + imports(body, f"from transformers import {names}")
    return f"{first}\n\n{body}"


def named(recipe: Recipe, horizon: int) -> Named | None:
    """Return what ``get_scheduler`` calls exactly the rates of a recipe; ``None`` where it knows nothing like it."""
    has_tail = recipe.averaging is not None and recipe.averaging.tail_at(horizon, horizon) is not None
    if has_tail or recipe.momentum is not None or recipe.weight_decay is not None:
        return None
    schedule = without_empty_warmup(recipe.schedule, horizon)
    start, n_warmup, then = 0.0, 0, schedule
    match schedule:
        case Sequence(schedules=(Piecewise(curve="linear", knots=((_, first), (_, 1.0))), second)):
            start, n_warmup, then = first, schedule.bounds(horizon)[1], second
        case _:
            pass
    if isinstance(then, Wsd):
        return _wsd(then, start, n_warmup, horizon) if n_warmup == 0 or start == then.final_ratio else None
    return None if start else _after_warmup(then, recipe.peak_lr, n_warmup, horizon - n_warmup)


def _after_warmup(schedule: Schedule, peak_lr: float, n_warmup: int, rest: int) -> Named | None:
    match schedule:
        case Constant():
            return Named("constant_with_warmup" if n_warmup else "constant", {}, n_warmup)
        case Linear(final_ratio=0):
            return Named("linear", {}, n_warmup)
        case Cosine(k_decay=1, final_ratio=0):
            return Named("cosine", {}, n_warmup)
        case Cosine(k_decay=1, final_ratio=floor):
            return Named("cosine_with_min_lr", {"min_lr_rate": floor}, n_warmup)
        case Polynomial(final_ratio=floor) | Linear(final_ratio=floor) if floor < 1:
            power = schedule.power if isinstance(schedule, Polynomial) else 1.0
            return Named("polynomial", {"lr_end": floor * peak_lr, "power": power}, n_warmup)
        case InverseSqrt(shift_fraction=0):
            return Named("inverse_sqrt", {"timescale": updates_at(schedule.timescale_fraction, rest)}, n_warmup)
        case Restarts(then=Cosine(k_decay=1, final_ratio=0), peak_decay=1):
            return _restarts(schedule, n_warmup, rest)
        case _:
            return None


def _wsd(wsd: Wsd, start: float, n_warmup: int, horizon: int) -> Named | None:
    if wsd.decay not in _DECAYS:
        return None
    n_decay = horizon - n_warmup - wsd.decay_start(horizon - n_warmup)
    arguments = {"num_decay_steps": n_decay, "decay_type": _DECAYS[wsd.decay], "min_lr_ratio": wsd.final_ratio}
    return Named("warmup_stable_decay", arguments, n_warmup)


def _restarts(restarts: Restarts, n_warmup: int, rest: int) -> Named | None:
    """Return equal cycles, where their own arithmetic in floats finds each restart at its update."""
    bounds = restarts.bounds(rest)
    n_cycles = len(bounds) - 1
    if any(Fraction(bound, rest) != Fraction(number, n_cycles) for number, bound in enumerate(bounds)):
        return None
    if any((n_cycles * (begin / rest)) % 1.0 > 0.5 / (end - begin) for begin, end in pairwise(bounds)):
        return None
    return Named("cosine_with_restarts", {"num_cycles": n_cycles}, n_warmup)


def _arguments(recipe: Recipe, horizon: int, known: Named | None) -> str:
    values = {"max_steps": literal(horizon), "learning_rate": literal(recipe.peak_lr)}
    if known is not None:
        values["lr_scheduler_type"] = literal(known.name)
        if known.arguments:
            inner = ", ".join(f"{literal(key)}: {literal(value)}" for key, value in known.arguments.items())
            values["lr_scheduler_kwargs"] = f"{{{inner}}}"
        values["warmup_steps"] = literal(known.n_warmup)
    call = Call("TrainingArguments", values)
    return f"def arguments(output_dir, **more):\n{call.text('output_dir', '    return ', last='**more')}\n"


def _build(recipe: Recipe, made: Scheduler | None) -> str:
    optimizer = torch_call(recipe.optimizer).text(f"parameters, lr={recipe.peak_lr!r}")
    if made is None:
        return f"def build(parameters):\n{optimizer}\n    return optimizer, None  # the arguments name the schedule\n"
    call = made.call.text("optimizer", "    scheduler = ")
    return f"def build(parameters):\n{optimizer}\n{call}\n    return optimizer, scheduler\n"


def _usage(recipe: Recipe, reads_metric: bool) -> list[str]:
    lines = ["optimizers = build(model.parameters())"]
    more = ", callbacks=[Observe(optimizers[1])]" if reads_metric else ""
    lines.append(f'Trainer(model, arguments("out"), optimizers=optimizers{more}, ...).train()')
    return lines + not_held(recipe, "torch.optim.swa_utils.AveragedModel")
