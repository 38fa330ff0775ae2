"""Read the arguments of transformers' ``get_scheduler``. transformers itself is not needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from schedules.base import Schedule
from schedules.decays import Cosine, InverseSqrt, Linear, Polynomial
from schedules.drops import Constant
from schedules.joins import Restarts
from schedules.phases import Wsd
from schedules.reading.base import NotExact, Reading, checked, curve, in_turn, is_whole, made, ratio, then_held
from schedules.reading.torch import read_torch_state

_TORCH_PLATEAU: Mapping[str, Any] = MappingProxyType(
    {
        "mode": "min",
        "factor": 0.1,
        "patience": 10,
        "threshold": 1e-4,
        "threshold_mode": "rel",
        "cooldown": 0,
        "min_lr": 0.0,
        "eps": 1e-8,
    }
)
"""What ``ReduceLROnPlateau`` of torch takes when it is given nothing."""


@dataclass(frozen=True)
class _Asked:
    """The arguments of ``get_scheduler``, and what is left of the run after the warm-up."""

    peak_lr: float
    n_warmup: int
    n_training: int
    own: Mapping[str, Any]

    @property
    def rest(self) -> int:
        return self.n_training - self.n_warmup

    def option(self, name: str, default: Any) -> Any:
        value = self.own.get(name)
        return default if value is None else value


def read_transformers(
    name: str,
    *,
    peak_lr: float,
    num_training_steps: int,
    num_warmup_steps: int = 0,
    scheduler_specific_kwargs: Mapping[str, Any] | None = None,
) -> Reading:
    """Read a schedule by the name and the arguments that ``get_scheduler`` takes.

    Args:
        name: ``lr_scheduler_type``.
        peak_lr: the optimizer's rate.
        num_training_steps: updates of the whole run.
        scheduler_specific_kwargs: ``lr_scheduler_kwargs``.

    Raises:
        NotExact: no schedule makes the same rates at every update of the run; the message says why.
    """
    asked = _Asked(peak_lr, num_warmup_steps, num_training_steps, dict(scheduler_specific_kwargs or {}))
    if name == "reduce_lr_on_plateau":
        return _plateau(asked)
    if name not in _READERS:
        raise NotExact(_WHY_NOT.get(name, f"{name!r} is none of the names that are read: {', '.join(_READERS)}"))
    unknown = asked.own.keys() - _KEYWORDS.get(name, frozenset())
    if unknown:
        raise NotExact(f"get_scheduler({name!r}) takes no {', '.join(sorted(unknown))}")
    if name == "constant":
        asked = _Asked(peak_lr, 0, num_training_steps, {})
    if asked.rest < 1:
        raise NotExact(f"a warm-up of {num_warmup_steps} leaves nothing of a run of {num_training_steps} updates")
    then = _READERS[name](asked)
    schedule = _warmed_up(asked, then, name)
    return Reading(checked(schedule, num_training_steps), peak_lr)


_WHY_NOT: Mapping[str, str] = MappingProxyType(
    {
        "cosine_warmup_with_min_lr": "cosine_warmup_with_min_lr counts its decay from t + 1: it begins one step below "
        "the peak and reaches its floor at the last update, where every schedule here does so one update later",
        "greedy": "greedy raises the rate when the metric improves, and no schedule here does",
    }
)


_KEYWORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "constant": frozenset(),
        "cosine": frozenset({"num_cycles"}),
        "cosine_with_restarts": frozenset({"num_cycles"}),
        "cosine_with_min_lr": frozenset({"num_cycles", "min_lr", "min_lr_rate"}),
        "polynomial": frozenset({"lr_end", "power"}),
        "inverse_sqrt": frozenset({"timescale"}),
        "warmup_stable_decay": frozenset(
            {"num_decay_steps", "num_stable_steps", "warmup_type", "decay_type", "min_lr_ratio", "num_cycles"}
        ),
    }
)
"""What each takes beside the numbers of updates."""


def _warmed_up(asked: _Asked, then: Schedule, name: str) -> Schedule:
    if not asked.n_warmup:
        return then
    if asked.n_warmup == 1 and name != "warmup_stable_decay":
        raise NotExact("a warm-up of one update runs that update at rate 0, which no schedule by itself does")
    start, form = 0.0, "linear"
    if name == "warmup_stable_decay":
        start, form = float(asked.option("min_lr_ratio", 0.0)), asked.option("warmup_type", "linear")
    if form not in ("linear", "cosine"):
        raise NotExact(f"a warm-up of the type {form!r} rises as no ramp or curve here does")
    ramp = curve([(0.0, start), (1.0, 1.0)], "cosine" if form == "cosine" else "linear")
    return in_turn(ramp, asked.n_warmup, then, asked.n_training)


def _constant(asked: _Asked) -> Schedule:
    return Constant()


def _linear(asked: _Asked) -> Schedule:
    return Linear()


def _cosine(asked: _Asked) -> Schedule:
    return _waves(asked, 0.0)


def _cosine_with_min_lr(asked: _Asked) -> Schedule:
    floor = asked.own.get("min_lr_rate")
    if floor is None:
        floor = ratio(float(asked.option("min_lr", 0.0)), asked.peak_lr, "min_lr")
    return _waves(asked, float(floor))


def _waves(asked: _Asked, floor: float) -> Schedule:
    n_halves = 2 * float(asked.option("num_cycles", 0.5))
    if n_halves == 1:
        cosine: Schedule = made(Cosine, final_ratio=floor)
        return cosine
    if n_halves < 1 or n_halves != int(n_halves) or asked.rest % int(n_halves):
        raise NotExact(f"num_cycles = {n_halves / 2} waves in {asked.rest} updates do not turn at whole updates")
    return curve([(turn / n_halves, floor if turn % 2 else 1.0) for turn in range(int(n_halves) + 1)], "cosine")


def _cosine_with_restarts(asked: _Asked) -> Schedule:
    n_cycles = int(asked.option("num_cycles", 1))
    if n_cycles <= 1:
        return Cosine()
    if asked.rest % n_cycles:
        raise NotExact(f"{n_cycles} cycles of {asked.rest} updates begin between two updates, ours at one")
    size = asked.rest // n_cycles
    # their place in a cycle is a float that falls just short of a restart for some numbers
    begins = range(0, asked.rest, size)
    late = [begin for begin in begins if (n_cycles * (begin / asked.rest)) % 1.0 > 0.5]
    if late:
        raise NotExact(
            f"transformers comes too late for the restart at update {asked.n_warmup + late[0]}: rounding leaves "
            f"the rate at 0 there, where it should be at the peak"
        )
    restarts: Schedule = made(Restarts, cycles=n_cycles, then=Cosine())
    return restarts


def _polynomial(asked: _Asked) -> Schedule:
    floor = ratio(float(asked.option("lr_end", 1e-7)), asked.peak_lr, "lr_end")
    polynomial: Schedule = made(Polynomial, power=float(asked.option("power", 1.0)), final_ratio=floor)
    return polynomial


def _inverse_sqrt(asked: _Asked) -> Schedule:
    timescale = asked.option("timescale", asked.n_warmup or 10_000)
    if not is_whole(timescale):
        raise NotExact(f"a timescale of {timescale} updates is no whole number of them")
    if timescale > asked.rest:
        raise NotExact(
            f"a timescale of {timescale} updates is longer than the {asked.rest} that are left of the run, "
            f"and ours is a share of them"
        )
    inverse: Schedule = made(InverseSqrt, timescale_fraction=timescale / asked.rest)
    return inverse


def _warmup_stable_decay(asked: _Asked) -> Schedule:
    n_decay, floor = int(asked.own["num_decay_steps"]), float(asked.option("min_lr_ratio", 0.0))
    n_stable = int(asked.option("num_stable_steps", asked.rest - n_decay))
    form = asked.option("decay_type", "cosine")
    if form == "cosine" and asked.option("num_cycles", 0.5) != 0.5:
        raise NotExact("a decay along more or less than half a cosine wave is no form of decay here")
    used = n_stable + n_decay
    if used > asked.rest or n_stable < 0:
        raise NotExact(
            f"{max(n_stable, 0)} stable updates and {n_decay} of decay are more than the {asked.rest} that are left"
        )
    decay = {"linear": "linear", "cosine": "cosine", "1-sqrt": "one_minus_sqrt"}[form]
    wsd = made(Wsd, decay_fraction=n_decay / used, decay=decay, final_ratio=floor)
    return then_held(wsd, used, floor, asked.rest)


def _plateau(asked: _Asked) -> Reading:
    state = dict(_TORCH_PLATEAU) | dict(asked.own)
    state["min_lrs"] = [state.pop("min_lr")]
    return read_torch_state("ReduceLROnPlateau", state, asked.n_training, peak_lr=asked.peak_lr)


_READERS: Mapping[str, Callable[[_Asked], Schedule]] = MappingProxyType(
    {
        "constant": _constant,
        "constant_with_warmup": _constant,
        "linear": _linear,
        "cosine": _cosine,
        "cosine_with_restarts": _cosine_with_restarts,
        "cosine_with_min_lr": _cosine_with_min_lr,
        "polynomial": _polynomial,
        "inverse_sqrt": _inverse_sqrt,
        "warmup_stable_decay": _warmup_stable_decay,
    }
)
