"""The scheduler of a recipe as text, for everything that trains with torch."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from textwrap import dedent, indent

from schedules.export.code import curve_functions, rate_functions
from schedules.export.natives import Native, native
from schedules.export.optimizers import Call, torch_momentum
from schedules.export.readings import Window, plateau_of
from schedules.plateau import Plateau
from schedules.recipe import Recipe

_CLASS = Template('''\
class RecipeLR(torch.optim.lr_scheduler.LRScheduler):
    """$doc"""
$start
    def get_lr(self):
$writes        return [peak * $multiplier for peak in self.base_lrs]
$observe''')

_START = """
    def __init__(self, optimizer):
        self.level, self.best, self.n_bad, self.cooldown_left = 1.0, None, 0, 0
        super().__init__(optimizer)
"""

_OBSERVE = Template('''
    def observe(self, metric):
        """Call after every evaluation; the metric improves by $direction."""
$skip        is_good = math.isfinite(metric) and (
            self.best is None or metric $than $bar
        )
        self.best = metric if is_good else self.best
        self.n_bad = 0 if is_good or self.cooldown_left > 0 else self.n_bad + 1
        self.cooldown_left = max(self.cooldown_left - 1, 0)
        if self.n_bad > $patience:
            $drop
            self.n_bad, self.cooldown_left = 0, $cooldown
''')

_REWRITE = """\
        self._last_lr = self.get_lr()
        for group, lr in zip(self.optimizer.param_groups, self._last_lr):
            group["lr"] = lr
"""


@dataclass(frozen=True)
class Scheduler:
    """How a program for torch makes the rates of a recipe.

    Attributes:
        definitions: functions and classes that come first, separated by two empty lines; empty if there are none.
        call: what makes the scheduler of an ``optimizer``.
        native: torch's own scheduler, where it is one.
        reads_metric: the scheduler has ``observe(metric)``.
    """

    definitions: str
    call: Call
    native: Native | None = None
    reads_metric: bool = False


def scheduler(recipe: Recipe, horizon: int) -> Scheduler:
    """Return the shortest scheduler that makes exactly the rates of a recipe: torch's own, a function, or a class."""
    own = native(recipe, horizon)
    if own is not None:
        return Scheduler("", Call(f"torch.optim.lr_scheduler.{own.name}", own.arguments), native=own)
    rate, curves = rate_functions(recipe, horizon), curve_functions(recipe, horizon)
    found = plateau_of(recipe.schedule, horizon)
    if found is None and not curves:
        return Scheduler(rate, Call("torch.optim.lr_scheduler.LambdaLR", {"lr_lambda": "multiplier"}))
    text = _class(recipe, found)
    definitions = "\n\n".join(part for part in (rate, curves, text) if part)
    return Scheduler(definitions, Call("RecipeLR", {}), reads_metric=found is not None)


def _class(recipe: Recipe, found: tuple[Plateau, Window] | None) -> str:
    driven = [name for name, given in (("momentum", recipe.momentum), ("weight decay", recipe.weight_decay)) if given]
    doc = f"Writes the {' and the '.join(['rate', *driven])} of every update."
    return _CLASS.substitute(
        doc=doc if found is None else f"{doc}\n\n    {_what_drops(found[0])}\n    ",
        start="" if found is None else _START,
        writes=indent(_writes(recipe), " " * 8),
        multiplier="multiplier(self.last_epoch)" if found is None else "multiplier(self.last_epoch, self.level)",
        observe="" if found is None else observe_code(*found) + _REWRITE,
    )


def _what_drops(plateau: Plateau) -> str:
    return f"The rate drops after {plateau.patience + 1} evaluations in a row without improvement."


def _writes(recipe: Recipe) -> str:
    lines = [torch_momentum(recipe.optimizer)] if recipe.momentum is not None else []
    if recipe.weight_decay is not None:
        lines.append('group["weight_decay"] = weight_decay(self.last_epoch)')
    if not lines:
        return ""
    return "for group in self.optimizer.param_groups:\n" + "".join(f"    {line}\n" for line in lines)


def observe_code(plateau: Plateau, window: Window, *, updates: str = "self.last_epoch") -> str:
    """Return the method ``observe`` of a class that holds ``level``, ``best``, ``n_bad`` and ``cooldown_left``.

    Args:
        window: when readings count.
        updates: the updates made, as Python.
    """
    sign, than, direction = ("+", ">", "rising") if plateau.mode == "max" else ("-", "<", "falling")
    relative = f"self.best * (1 {sign} math.copysign({plateau.threshold!r}, self.best))"
    refusal = window.refusal(updates)
    skip = f"        if {refusal}:\n            return  # only the plateau's own part of the run counts\n"
    return _OBSERVE.substitute(
        direction=direction,
        skip=skip if refusal else "",
        than=than,
        bar=relative if plateau.threshold_mode == "rel" else f"self.best {sign} {plateau.threshold!r}",
        patience=plateau.patience,
        drop=indent(_drop(plateau), " " * 12).lstrip(),
        cooldown=plateau.cooldown,
    )


def _drop(plateau: Plateau) -> str:
    lower = f"max({plateau.final_ratio!r}, {plateau.factor!r} * self.level)"
    if not plateau.eps:
        return f"self.level = {lower}"
    return dedent(f"""\
        lower = {lower}
        self.level = lower if self.level - lower > {plateau.eps!r} else self.level""")
