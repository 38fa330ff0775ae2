"""A recipe for optax: a schedule of its own where it has one, else the rates of every update in a table."""

from __future__ import annotations

from itertools import pairwise
from string import Template

from schedules.base import Schedule
from schedules.decays import Cosine, Factor, Linear, Polynomial
from schedules.drops import Constant, MultiFactor, Step
from schedules.export.code import curve_functions, rate_functions
from schedules.export.lightning import not_held
from schedules.export.optimizers import Call, OptaxOptimizer, optax_optimizer
from schedules.export.readings import plateau_of
from schedules.export.scheduler import observe_code
from schedules.export.torch import head
from schedules.joins import Cooldown, Restarts, Sequence, Warmup
from schedules.phases import Wsd
from schedules.recipe import Recipe

MOST_PARTS = 12
"""Schedules of optax above which a join of them is harder to read than a table."""

_TABLE = Template('''\
# float64 where jax_enable_x64 is set
$name = jnp.asarray([$value for t in range($size)])


def $function(count):
    """$doc"""
    return $name[jnp.minimum(count, $last)]
''')

_PLATEAU = Template('''\
class PlateauRate:
    """Writes the rate of every update into the optimizer's state; outside of jit."""

    def __init__(self):
        self.updates, self.level, self.best, self.n_bad, self.cooldown_left = 0, 1.0, None, 0, 0

    def rate(self):
        """The learning rate of the next update."""
        return $peak * multiplier(self.updates, self.level)

    def write(self, state):
        """Return the optimizer's state with the rate of the next update in it."""
        return optax.tree.set(state, learning_rate=jnp.asarray(self.rate()))

    def step(self):
        """Call after every update."""
        self.updates += 1
$observe''')


_DIVIDING = ("linear_schedule", "polynomial_schedule", "exponential_decay")

_WIDENED = '''\
def schedule(count):
    """The learning rate of the update of index count, which optax would divide in float32 if it were not a float."""
    return rates(1.0 * count)
'''


def optax_snippet(recipe: Recipe, horizon: int) -> str:
    """Write a recipe as a Python module for optax.

    The module defines ``schedule(count)``, the rate of the update of index ``count``, and ``optimizer`` where optax
    has one that makes the same updates. With a plateau it defines ``PlateauRate`` in place of the schedule, which
    writes the rate into the optimizer's state.

    Args:
        horizon: updates of the run that it is for.

    Raises:
        ValueError: the recipe cannot be run for so many updates.
    """
    recipe.check(horizon)
    found = plateau_of(recipe.schedule, horizon)
    if found is not None:
        observe = observe_code(*found, updates="self.updates")
        plateau = _PLATEAU.substitute(peak=repr(recipe.peak_lr), observe=observe)
        rate = f"{rate_functions(recipe, horizon)}\n\n{plateau}"
    else:
        own = primitive(recipe, horizon)
        rate = _table_of_rates(recipe, horizon) if own is None else _named(own)
    parts = [rate, _curves(recipe, horizon), _optimizer(recipe, reads_metric=found is not None)]
    body = "\n\n".join(part for part in parts if part)
    usage = _usage(recipe, reads_metric=found is not None)
    return f"{head(recipe, horizon, usage)}{_imports(body)}\n\n{body}"


def primitive(recipe: Recipe, horizon: int) -> str | None:
    """Return the rates of a recipe as schedules of optax, in Python; ``None`` where optax has none of their form."""
    if recipe.averaging is not None and recipe.averaging.tail_at(horizon, horizon) is not None:
        return None
    parts = _parts(recipe.schedule, recipe.peak_lr, horizon)
    if parts is None or len(parts) > MOST_PARTS:
        return None
    if len(parts) == 1:
        return parts[0][1]
    schedules = "".join(f"        {text},\n" for _, text in parts)
    return f"optax.join_schedules(\n    [\n{schedules}    ],\n    boundaries={[begin for begin, _ in parts[1:]]},\n)"


def _named(schedules: str) -> str:
    """Return schedules of optax as ``schedule``, so that float64 holds where it is asked for.

    Optax counts in int32, and what divides such a count does so in float32.
    """
    if not any(f"optax.{name}(" in schedules for name in _DIVIDING):
        return f"schedule = {schedules}\n"
    return f"rates = {schedules}\n\n\n{_WIDENED}"


def _parts(schedule: Schedule, peak: float, horizon: int) -> list[tuple[int, str]] | None:
    """Return schedules of optax that follow one another, each with the update at which it begins."""
    match schedule:
        case Warmup():
            return _warmup(schedule, peak, horizon)
        case Sequence():
            places = zip(schedule.schedules, pairwise(schedule.bounds(horizon)), strict=True)
            return _joined([(begin, _parts(part, peak, end - begin)) for part, (begin, end) in places])
        case Restarts():
            cycles = enumerate(pairwise(schedule.bounds(horizon)))
            lower = schedule.peak_decay
            return _joined(
                [(begin, _parts(schedule.then, peak * lower**cycle, end - begin)) for cycle, (begin, end) in cycles]
            )
        case Cooldown():
            start = schedule.decay_start(horizon)
            if schedule.first.start() is not None:
                return None
            level = peak * schedule.first.multiplier(start, start, None)
            fall = _fall(schedule.decay, level, schedule.final_ratio, horizon - start)
            return _joined([(0, _parts(schedule.first, peak, start)), (start, fall)])
        case Wsd():
            start = schedule.decay_start(horizon)
            fall = _fall(schedule.decay, peak, schedule.final_ratio, horizon - start)
            stable = [(0, f"optax.constant_schedule({peak!r})")]
            return _joined([(0, stable), (start, fall)]) if start else fall
        case _:
            own = _of_shape(schedule, peak, horizon)
            return None if own is None else [(0, own)]


def _of_shape(schedule: Schedule, peak: float, horizon: int) -> str | None:
    match schedule:
        case Constant():
            return f"optax.constant_schedule({peak!r})"
        case Cosine(k_decay=1, final_ratio=floor):
            return f"optax.cosine_decay_schedule({peak!r}, decay_steps={horizon}, alpha={floor!r})"
        case Linear(final_ratio=floor):
            return f"optax.linear_schedule({peak!r}, {floor * peak!r}, transition_steps={horizon})"
        case Polynomial(final_ratio=floor, power=power):
            return f"optax.polynomial_schedule({peak!r}, {floor * peak!r}, power={power!r}, transition_steps={horizon})"
        case Factor(total_decay=decay, final_ratio=floor):
            end = max(floor, decay) * peak
            return f"optax.exponential_decay({peak!r}, {horizon}, {decay!r}, end_value={end!r})"
        case Step(final_ratio=0):
            return _drops(peak, schedule.drops_at(horizon), schedule.gamma)
        case MultiFactor():
            return _drops(peak, schedule.drops_at(horizon), schedule.gamma)
        case _:
            return None


def _warmup(warmup: Warmup, peak: float, horizon: int) -> list[tuple[int, str]] | None:
    n_ramp, rest = warmup.updates(horizon), warmup.rest(horizon)
    then = _parts(warmup.then, peak, rest)
    if not n_ramp:
        return then
    if warmup.ramp != "linear" or warmup.then.start() is not None:
        return None
    top = peak * warmup.then.multiplier(0, rest, None)
    first = top * (warmup.start_ratio + (1 - warmup.start_ratio) / n_ramp)
    ramp = f"optax.linear_schedule({first!r}, {top!r}, transition_steps={n_ramp - 1})"
    if n_ramp == 1:
        ramp = f"optax.constant_schedule({top!r})"
    return _joined([(0, [(0, ramp)]), (n_ramp, then)])


def _fall(decay: str, level: float, floor: float, n_updates: int) -> list[tuple[int, str]] | None:
    match decay:
        case "linear":
            return [(0, f"optax.linear_schedule({level!r}, {floor * level!r}, transition_steps={n_updates})")]
        case "cosine":
            return [(0, f"optax.cosine_decay_schedule({level!r}, decay_steps={n_updates}, alpha={floor!r})")]
        case "exponential":
            end = floor * level
            return [(0, f"optax.exponential_decay({level!r}, {n_updates}, {floor!r}, end_value={end!r})")]
        case _:
            return None


def _joined(parts: list[tuple[int, list[tuple[int, str]] | None]]) -> list[tuple[int, str]] | None:
    found: list[tuple[int, str]] = []
    for begin, inner in parts:
        if inner is None:
            return None
        found += [(begin + place, text) for place, text in inner]
    return found


def _drops(peak: float, milestones: tuple[int, ...], gamma: float) -> str:
    return f"optax.piecewise_constant_schedule({peak!r}, {dict.fromkeys(milestones, gamma)})"


def _table_of_rates(recipe: Recipe, horizon: int) -> str:
    table = _TABLE.substitute(
        name="RATES",
        value=f"{recipe.peak_lr!r} * multiplier(t)",
        size=horizon + 1,
        last=horizon,
        function="schedule",
        doc="The learning rate of the update of index count.",
    )
    return f"{rate_functions(recipe, horizon)}\n\n{table}"


def _curves(recipe: Recipe, horizon: int) -> str:
    texts = [curve_functions(recipe, horizon)]
    for name, given in (("momentum", recipe.momentum), ("weight_decay", recipe.weight_decay)):
        if given is not None:
            texts.append(
                _TABLE.substitute(
                    name=f"{name.upper()}S",
                    value=f"{name}(t)",
                    size=horizon + 1,
                    last=horizon,
                    function=f"{name}_schedule",
                    doc=f"The {name.replace('_', ' ')} of the update of index count.",
                )
            )
    return "\n\n".join(text for text in texts if text)


def _optimizer(recipe: Recipe, *, reads_metric: bool) -> str:
    own = optax_optimizer(recipe.optimizer)
    if own is None:
        return ""
    arguments = dict(own.call.arguments)
    if recipe.momentum is not None and own.momentum:
        arguments[own.momentum] = "momentum_schedule"
    if recipe.weight_decay is not None and own.decay:
        arguments[own.decay] = "weight_decay_schedule"
    rate = f"{recipe.peak_lr!r}" if reads_metric else "schedule"
    is_injected = reads_metric or recipe.momentum is not None or (recipe.weight_decay is not None and own.decay)
    name = _injected(own) if is_injected else own.call.name
    call = Call(name, arguments)
    if not own.decay_first:
        return f"{call.text(f'learning_rate={rate}', 'optimizer = ')}\n"
    first = f"optax.add_decayed_weights({own.decay_first!r})"
    if recipe.weight_decay is not None:
        first = "optax.inject_hyperparams(optax.add_decayed_weights)(weight_decay=weight_decay_schedule)"
    return f"optimizer = optax.chain(\n    {first},\n{call.text(f'learning_rate={rate}', '    ')},\n)\n"


def _injected(own: OptaxOptimizer) -> str:
    static = ', static_args="nesterov"' if "nesterov" in own.call.arguments else ""
    return f"optax.inject_hyperparams({own.call.name}{static})"


def _imports(body: str) -> str:
    first = "import math\n\n" if "math." in body else ""
    jax = "import jax.numpy as jnp\n" if "jnp." in body else ""
    return f"{first}{jax}import optax\n"


def _usage(recipe: Recipe, *, reads_metric: bool) -> list[str]:
    lines: list[str] = []
    if optax_optimizer(recipe.optimizer) is None:
        lines += [
            f"optax has no optimizer that makes the updates of {recipe.optimizer.kind}: give one this schedule.",
            "",
        ]
    if reads_metric:
        lines += [
            "plateau, state = PlateauRate(), optimizer.init(parameters)",
            "for every batch:",
            "    updates, state = optimizer.update(gradients, plateau.write(state), parameters)",
            "    plateau.step()",
            "after every evaluation: plateau.observe(metric)",
        ]
    else:
        lines += [
            "state = optimizer.init(parameters)",
            "updates, state = optimizer.update(gradients, state, parameters)",
        ]
    return lines + not_held(recipe, "optax.ema")
