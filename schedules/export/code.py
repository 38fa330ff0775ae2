"""A schedule as Python functions that need nothing but ``math``.

The functions are for one run of so many updates: every fraction is written as the update it falls on, every number
as ``repr`` has it, so that they compute what the schedule computes.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence as Several
from itertools import pairwise
from textwrap import indent
from typing import Final

from schedules.averaging import ConstantTail, Swa
from schedules.base import Schedule, Shape
from schedules.joins import Cooldown, Product, Restarts, Sequence, Warmup
from schedules.levels import descend_source, rise_source
from schedules.plateau import Plateau
from schedules.recipe import Recipe

_SAMPLE: Final = 1_000_003
"""A length that no schedule comes by itself: where it stands in a text, the length stands."""


def rate_functions(recipe: Recipe, horizon: int) -> str:
    """Write the function ``multiplier`` of a recipe; with a plateau in it, it takes that one's ``level`` as well."""
    head = _tail(recipe, horizon)
    return functions(
        "multiplier",
        recipe.schedule,
        horizon,
        "The share of the peak learning rate at which update t runs; the first update is t = 0.",
        head=head,
    )


def curve_functions(recipe: Recipe, horizon: int) -> str:
    """Write the functions ``momentum`` and ``weight_decay`` of a recipe, those that it has; empty if it has none."""
    texts = []
    if recipe.momentum is not None:
        low, own = recipe.momentum.low, recipe.optimizer.memory or 0.0
        texts.append(functions("momentum_curve", recipe.momentum.curve, horizon, "Where the momentum is at update t."))
        texts.append(_one_line("momentum", f"{low!r} + {own - low!r} * momentum_curve(t)", "The momentum of update t."))
    if recipe.weight_decay is not None:
        own = recipe.optimizer.weight_decay
        texts.append(
            functions("decay_curve", recipe.weight_decay, horizon, "The share of the weight decay at update t.")
        )
        texts.append(_one_line("weight_decay", f"{own!r} * decay_curve(t)", "The weight decay of update t."))
    return "\n\n".join(texts)


def functions(name: str, schedule: Schedule, horizon: int, doc: str, *, head: Several[str] = ()) -> str:
    """Write a schedule as the function ``name``, after the functions that it calls.

    Args:
        horizon: updates of the run that it is for; the text holds the value at its end from there on.
        doc: what the function returns, one sentence.
        head: lines that come first in it.
    """
    writer = _Writer(name)
    # a constant or a plateau asks for no place, so it needs none within the run
    lines = writer.statements(schedule, horizon)
    pin = [f"t = min(t, {horizon})"] if any(_reads_t(line) for line in lines) else []
    body = [*head, *pin, *lines]
    return "\n\n\n".join([*writer.others, _function(name, _arguments(schedule), doc, body)]) + "\n"


class _Writer:
    """Writes one function, and others for the factors of products and for what a cooldown falls from."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.others: list[str] = []
        self._n_named: Counter[str] = Counter()

    def statements(self, schedule: Schedule, horizon: int) -> list[str]:
        """Return lines that read ``t``, from 0 to ``horizon``, and return the multiplier on every path."""
        match schedule:
            case Plateau():
                return ["return level"]
            case Warmup():
                return self._warmup(schedule, horizon)
            case Cooldown():
                return self._cooldown(schedule, horizon)
            case Sequence():
                return self._sequence(schedule, horizon)
            case Product():
                factors = [self._factor(part, horizon) for part in schedule.parts]
                return [f"return {' * '.join(factors)}"]
            case Restarts():
                return self._restarts(schedule, horizon)
            case Shape():
                return _returning(schedule.source(horizon))
            case _:
                raise TypeError(f"the schedule {schedule.kind!r} has no text")

    def _warmup(self, warmup: Warmup, horizon: int) -> list[str]:
        n_ramp, rest = warmup.updates(horizon), warmup.rest(horizon)
        after = self.statements(warmup.then, rest)
        if not n_ramp:
            return after
        ramp = rise_source(warmup.ramp, f"(t + 1) / {n_ramp}", warmup.start_ratio)
        begin = warmup.then.multiplier(0, rest, None)
        scaled = ramp if begin == 1 else f"{_enclosed(ramp)} * {begin!r}"
        return [f"if t < {n_ramp}:", f"    return {scaled}", *_from(n_ramp, after)]

    def _cooldown(self, cooldown: Cooldown, horizon: int) -> list[str]:
        start = cooldown.decay_start(horizon)
        if isinstance(cooldown.first, Plateau):
            level, before = "level", ["return level"]
        elif cooldown.first.start() is None:
            level = repr(cooldown.first.multiplier(start, start, None))
            before = self.statements(cooldown.first, start)
        else:
            first = self._other("before", cooldown.first, start, "What comes before the cooldown.")
            level, before = f"{first}({start}, level)", [f"return {first}(t, level)"]
        fall = descend_source(cooldown.decay, f"(t - {start}) / {horizon - start}", cooldown.final_ratio)
        return [f"if t <= {start}:", *(f"    {line}" for line in before), f"return {level} * {_enclosed(fall)}"]

    def _sequence(self, sequence: Sequence, horizon: int) -> list[str]:
        bounds = list(pairwise(sequence.bounds(horizon)))
        lines: list[str] = []
        for number, (part, (begin, end)) in enumerate(zip(sequence.schedules, bounds, strict=True), start=1):
            inner = self.statements(part, end - begin)
            if number == len(bounds):
                return [*lines, *_from(begin, inner)]
            lines += [f"if t < {end}:", *(f"    {line}" for line in _from(begin, inner))]
        return lines

    def _restarts(self, restarts: Restarts, horizon: int) -> list[str]:
        bounds = restarts.bounds(horizon)
        lengths = [end - begin for begin, end in pairwise(bounds)]
        inner = self._of_any_length(restarts.then, lengths)
        if inner is None:
            return self._cycles_one_by_one(restarts, bounds)
        if len(set(lengths)) == 1:
            place = [
                f"cycle = min(t // {lengths[0]}, {len(lengths) - 1})",
                f"t, n = t - {lengths[0]} * cycle, {lengths[0]}",
            ]
        else:
            place = [
                f"starts = {list(bounds)}",
                "cycle = sum(start <= t for start in starts[1:-1])",
                "t, n = t - starts[cycle], starts[cycle + 1] - starts[cycle]",
            ]
        return [*place, *_lowered(restarts.peak_decay, inner)]

    def _of_any_length(self, schedule: Schedule, lengths: Several[int]) -> list[str] | None:
        """Return the lines of a schedule over n updates, or ``None`` if the lengths differ in more than n."""
        if not isinstance(schedule, Shape):
            return None
        general = schedule.source(_SAMPLE)
        if any(general.replace(str(_SAMPLE), str(n)) != schedule.source(n) for n in set(lengths)):
            return None
        return _returning(general.replace(str(_SAMPLE), "n"))

    def _cycles_one_by_one(self, restarts: Restarts, bounds: Several[int]) -> list[str]:
        lines: list[str] = []
        for cycle, (begin, end) in enumerate(pairwise(bounds)):
            inner = self.statements(restarts.then, end - begin)
            inner = _from(begin, _lowered(restarts.peak_decay, inner, cycle))
            last = cycle == len(bounds) - 2
            lines += inner if last else [f"if t < {end}:", *(f"    {line}" for line in inner)]
        return lines

    def _factor(self, schedule: Schedule, horizon: int) -> str:
        if isinstance(schedule, Plateau):
            return "level"
        arguments = _arguments(schedule)
        return f"{self._other('factor', schedule, horizon, f'A factor of {self.name}.')}({arguments})"

    def _other(self, word: str, schedule: Schedule, horizon: int, doc: str) -> str:
        lines = self.statements(schedule, horizon)
        self._n_named[word] += 1
        name = f"{self.name}_{word}_{self._n_named[word]}"
        self.others.append(_function(name, _arguments(schedule), doc, lines))
        return name


def _tail(recipe: Recipe, horizon: int) -> list[str]:
    """Return the lines of the rate that an averaging puts in place of the schedule's."""
    averaging = recipe.averaging
    if not isinstance(averaging, Swa) or averaging.tail is None:
        return []
    start, every, tail = averaging.start(horizon), averaging.every(horizon), averaging.tail
    if isinstance(tail, ConstantTail):
        inner = [f"return {tail.ratio!r}"]
    else:
        inner = [
            f"progress = ((min(t, {horizon}) - {start}) % {every} + 1) / {every}",
            f"return (1 - progress) * {tail.high_ratio!r} + progress * {tail.low_ratio!r}",
        ]
    return [f"if t >= {start}:  # the weights are averaged from here on", *(f"    {line}" for line in inner)]


def _function(name: str, arguments: str, doc: str, lines: Several[str]) -> str:
    return f'def {name}({arguments}):\n    """{doc}"""\n' + indent("\n".join(lines), "    ")


def _one_line(name: str, expression: str, doc: str) -> str:
    return _function(name, "t", doc, [f"return {expression}"]) + "\n"


def _from(begin: int, lines: list[str]) -> list[str]:
    if not begin or not any(_reads_t(line) for line in lines):
        return lines
    return [f"t -= {begin}", *lines]


def _lowered(peak_decay: float, lines: list[str], cycle: int | None = None) -> list[str]:
    """Return the lines with the peak lowered at every restart: in a cycle of this number, or of any."""
    if peak_decay == 1 or cycle == 0:
        return lines
    factor = f"{peak_decay!r}**cycle" if cycle is None else repr(float(peak_decay**cycle))
    return [
        f"{line[: line.index('return ')]}return {factor} * {_enclosed(line[line.index('return ') + 7 :])}"
        if line.lstrip().startswith("return ")
        else line
        for line in lines
    ]


def _reads_t(line: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "t" for node in ast.walk(_parsed(line)))


def _parsed(line: str) -> ast.AST:
    statement = line.strip()
    return ast.parse(f"{statement} pass" if statement.endswith(":") else statement)


def _arguments(schedule: Schedule) -> str:
    return "t" if schedule.start() is None else "t, level"


def _enclosed(expression: str) -> str:
    """Return an expression that can stand as a factor."""
    node = ast.parse(expression, mode="eval").body
    is_whole = isinstance(node, ast.Constant | ast.Call | ast.Name)
    has_parentheses = node.col_offset == 1 and node.end_col_offset == len(expression) - 1
    return expression if is_whole or has_parentheses else f"({expression})"


def _returning(expression: str) -> list[str]:
    """Return lines that return an expression, a chain of conditions as one ``if`` each."""
    node, lines = ast.parse(expression, mode="eval").body, []
    while isinstance(node, ast.IfExp):
        lines += [f"if {_text(expression, node.test)}:", f"    return {_text(expression, node.body)}"]
        node = node.orelse
    return [*lines, f"return {_text(expression, node)}"]


def _text(expression: str, node: ast.AST) -> str:
    return ast.get_source_segment(expression, node) or ast.unparse(node)
