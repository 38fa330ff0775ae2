"""Read the schedulers of torch, as objects or as what ``state_dict`` keeps of them. torch itself is not needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from schedules.base import Schedule
from schedules.decays import Cosine, Linear, Polynomial
from schedules.joins import Restarts, Sequence, Warmup
from schedules.plateau import Plateau
from schedules.reading.base import (
    NotExact,
    Reading,
    checked,
    curve,
    drops,
    exponential,
    flat,
    in_turn,
    made,
    ratio,
    then_held,
)
from schedules.reading.torch_cycles import read_cyclic, read_one_cycle

State = Mapping[str, Any]

_MARKS: Mapping[str, str] = MappingProxyType(
    {
        "start_factor": "LinearLR",
        "factor": "ConstantLR",
        "step_size": "StepLR",
        "milestones": "MultiStepLR",
        "power": "PolynomialLR",
        "T_max": "CosineAnnealingLR",
        "T_0": "CosineAnnealingWarmRestarts",
        "gamma": "ExponentialLR",
    }
)
"""A key that only the state of one scheduler has, after those before it have been looked for."""


def read_torch(scheduler: Any, horizon: int) -> Reading:
    """Read a scheduler of torch that is stepped after every update; ``ReduceLROnPlateau`` after every evaluation.

    Args:
        scheduler: the object, at any update.
        horizon: updates of the whole run.

    Raises:
        NotExact: no schedule makes the same rates at every update of the run; the message says why.
    """
    name = type(scheduler).__name__
    if name in ("LambdaLR", "MultiplicativeLR"):
        raise NotExact(f"{name} holds a function, and what a function does cannot be read")
    state = dict(vars(scheduler))
    if getattr(scheduler, "_scale_fn_custom", None) is not None:
        raise NotExact("CyclicLR holds a function of its own, scale_fn, and what a function does cannot be read")
    if name == "SequentialLR":
        state["_schedulers"] = [{**vars(each), "name": type(each).__name__} for each in scheduler._schedulers]
    groups = scheduler.optimizer.param_groups
    if name == "ReduceLROnPlateau" and scheduler.last_epoch > 0 and "initial_lr" not in groups[0]:
        raise NotExact("the peak rate cannot be told from a ReduceLROnPlateau that has read a metric: pass its state")
    _refuse_several_rates([group.get("initial_lr", group["lr"]) for group in groups])
    return read_torch_state(name, state, horizon, group=groups[0])


def read_torch_state(
    name: str, state: State, horizon: int, *, group: State | None = None, peak_lr: float | None = None
) -> Reading:
    """Read what ``state_dict`` keeps of a scheduler of torch.

    Args:
        name: the scheduler's class.
        state: its ``state_dict()``.
        horizon: updates of the whole run.
        group: the optimizer's group, or what its own ``state_dict`` keeps of it; ``OneCycleLR`` keeps its rates there.
        peak_lr: the rate before the first drop, which ``ReduceLROnPlateau`` does not keep.

    Raises:
        NotExact: no schedule makes the same rates at every update of the run; the message says why.
    """
    _refuse_several_rates(state.get("base_lrs", ()))
    match name:
        case "ReduceLROnPlateau":
            reading = _plateau(state, _initial(state, group, peak_lr))
        case "OneCycleLR":
            reading = read_one_cycle(state, group, horizon)
        case "CyclicLR":
            reading = read_cyclic(state, horizon)
        case "SequentialLR":
            reading = _sequential(state, horizon)
        case _:
            _refuse_unknown(name)
            base = _number(state, "base_lrs", name)
            reading = Reading(_read(name, state, horizon, base), base)
    return Reading(checked(reading.schedule, horizon), reading.peak_lr, reading.momentum, reading.conditions)


def _refuse_several_rates(rates: Any) -> None:
    found = {float(rate) for rate in rates}
    if len(found) > 1:
        raise NotExact(f"a recipe has one rate, but the groups of the optimizer have {sorted(found)}")


def _number(state: State, key: str, name: str) -> float:
    try:
        return float(state[key][0])
    except (KeyError, IndexError) as error:
        raise NotExact(f"this is not the state of a {name}: it has no {key!r}") from error


def _refuse_unknown(name: str) -> None:
    if name not in _READERS:
        raise NotExact(f"{name} is none of the schedulers that are read: {', '.join(sorted(_READERS))}")


def _read(name: str, state: State, n_updates: int, base: float) -> Schedule:
    """Return the schedule of a run, or of the part of a run, of so many updates.

    Raises:
        NotExact: there is none, or the state is not one of this scheduler.
    """
    _refuse_unknown(name)
    try:
        return _READERS[name](state, n_updates, base)
    except KeyError as error:
        raise NotExact(f"this is not the state of a {name}: it has no {error}") from error


def _constant(state: State, n: int, base: float) -> Schedule:
    factor, until = float(state["factor"]), int(state["total_iters"])
    if factor == 0 and 0 < until < n:
        raise NotExact("ConstantLR with the factor 0 fails when it ends: it divides by its factor")
    if factor == 1 or not 0 < until < n:
        return flat(factor)
    start = [(0.0, factor)] if until == 1 else [(0.0, factor), ((until - 1) / n, factor)]
    return curve([*start, (until / n, 1.0), (1.0, 1.0)])


def _linear(state: State, n: int, base: float) -> Schedule:
    start, end, until = float(state["start_factor"]), float(state["end_factor"]), int(state["total_iters"])
    if start == end or until == 0:
        return flat(start)
    if until == n and start == 1:
        linear: Schedule = made(Linear, final_ratio=end)
        return linear
    if until >= n:
        return curve([(0.0, start), (1.0, start + (end - start) * n / until)])
    return curve([(0.0, start), (until / n, end), (1.0, end)])


def _exponential(state: State, n: int, base: float) -> Schedule:
    return exponential(float(state["gamma"]), n)


def _step(state: State, n: int, base: float) -> Schedule:
    size = int(state["step_size"])
    return drops(range(size, n, size), float(state["gamma"]), n)


def _multi_step(state: State, n: int, base: float) -> Schedule:
    # a Counter, in which torch looks for the update: one that is not whole is never found
    found = [int(each) for each, times in state["milestones"].items() if each == int(each) for _ in range(times)]
    return drops([each for each in found if each >= 0], float(state["gamma"]), n)


def _polynomial(state: State, n: int, base: float) -> Schedule:
    until, power = int(state["total_iters"]), float(state["power"])
    if power == 1 and until > n:
        return curve([(0.0, 1.0), (1.0, 1 - n / until)])
    if until > n:
        raise NotExact(f"PolynomialLR falls for {until} updates, of which this run has {n}: it would be cut off")
    return then_held(made(Polynomial, power=power), until, 0.0, n)


def _cosine(state: State, n: int, base: float) -> Schedule:
    period, floor = int(state["T_max"]), ratio(float(state["eta_min"]), base, "eta_min")
    if period == n:
        cosine: Schedule = made(Cosine, final_ratio=floor)
        return cosine
    if period > n:
        raise NotExact(f"CosineAnnealingLR falls for {period} updates, of which this run has {n}: it would be cut off")
    if n % period:
        raise NotExact(
            f"CosineAnnealingLR climbs again after {period} updates, and the run of {n} ends in the middle of a wave"
        )
    return curve([(number * period / n, floor if number % 2 else 1.0) for number in range(n // period + 1)], "cosine")


def _warm_restarts(state: State, n: int, base: float) -> Schedule:
    first, longer = int(state["T_0"]), int(state["T_mult"])
    cosine = made(Cosine, final_ratio=ratio(float(state["eta_min"]), base, "eta_min"))
    if first > n:
        raise NotExact(f"the first cycle takes {first} updates, of which this run has {n}: it would be cut off")
    if first == n:
        whole: Schedule = cosine
        return whole
    restarts: Schedule = made(Restarts, first_fraction=first / n, t_mult=float(longer), then=cosine)
    return restarts


_READERS: Mapping[str, Callable[[State, int, float], Schedule]] = MappingProxyType(
    {
        "ConstantLR": _constant,
        "LinearLR": _linear,
        "ExponentialLR": _exponential,
        "StepLR": _step,
        "MultiStepLR": _multi_step,
        "PolynomialLR": _polynomial,
        "CosineAnnealingLR": _cosine,
        "CosineAnnealingWarmRestarts": _warm_restarts,
    }
)
"""Those that can also stand in a ``SequentialLR``."""


def _sequential(state: State, horizon: int) -> Reading:
    inner = state["_schedulers"]
    names = [each["name"] if "name" in each else _name_of(each) for each in inner]
    base = _number(inner[0], "base_lrs", names[0])
    ends = [*(min(int(each), horizon) for each in state["_milestones"]), horizon]
    places = [
        (name, each, begin, end)
        for name, each, (begin, end) in zip(names, inner, pairwise([0, *ends]), strict=True)
        if begin < end
    ]
    as_warmup = _as_warmup(places, base, horizon)
    if as_warmup is not None:
        return Reading(as_warmup, base)
    parts = tuple(_read(name, each, end - begin, base) for name, each, begin, end in places)
    if len(parts) == 1:
        return Reading(parts[0], base)
    if len(parts) == 2:
        return Reading(in_turn(parts[0], places[0][3], parts[1], horizon), base)
    milestones = tuple(begin / horizon for _, _, begin, _ in places[1:])
    return Reading(made(Sequence, schedules=parts, milestones=milestones), base)


def _name_of(state: State) -> str:
    name = next((name for key, name in _MARKS.items() if key in state), None)
    if name is None or "max_lrs" in state or "total_steps" in state:
        raise NotExact(f"a part of SequentialLR is none of {', '.join(sorted(_READERS))}")
    return name


def _as_warmup(places: list[tuple[str, State, int, int]], base: float, horizon: int) -> Schedule | None:
    """Return a ramp that reaches the peak at its last update, and what follows as a warm-up; ``None`` if it is none."""
    if len(places) != 2 or places[0][0] != "LinearLR":
        return None
    (_, ramp, _, n_ramp), (name, after, _, _) = places
    start, is_ramp = float(ramp["start_factor"]), ramp["end_factor"] == 1 and ramp["total_iters"] == n_ramp - 1
    if not is_ramp or n_ramp < 2 or start * n_ramp < 1:
        return None
    then = _read(name, after, horizon - n_ramp, base)
    begin = (start * n_ramp - 1) / (n_ramp - 1)
    warmup: Schedule = made(Warmup, fraction=n_ramp / horizon, start_ratio=begin, then=then)
    return warmup


def _initial(state: State, group: State | None, peak_lr: float | None) -> float:
    if peak_lr is not None:
        return peak_lr
    if group is not None and ("initial_lr" in group or state["last_epoch"] == 0):
        return float(group.get("initial_lr", group["lr"]))
    if state["last_epoch"] == 0:
        return _number(state, "_last_lr", "ReduceLROnPlateau")
    raise NotExact("ReduceLROnPlateau does not keep the rate that it began with: give it as peak_lr")


def _plateau(state: State, peak_lr: float) -> Reading:
    plateau: Plateau = made(
        Plateau,
        factor=float(state["factor"]),
        patience=int(state["patience"]),
        cooldown=int(state["cooldown"]),
        threshold=float(state["threshold"]),
        threshold_mode=state["threshold_mode"],
        mode=state["mode"],
        final_ratio=ratio(_number(state, "min_lrs", "ReduceLROnPlateau"), peak_lr, "min_lr"),
        eps=ratio(float(state["eps"]), peak_lr, "eps"),
    )
    return Reading(plateau, peak_lr, conditions=plateau_conditions(plateau))


def plateau_conditions(plateau: Plateau) -> tuple[str, ...]:
    """Return when a plateau of torch and one of ours drop at the same readings."""
    finite = "exact while no reading is infinite: torch takes one of the good sign for the best there can be"
    if plateau.threshold_mode == "abs" or plateau.threshold == 0:
        return (finite,)
    return (finite, "exact while no reading is negative: torch's relative threshold then counts the wrong way")
