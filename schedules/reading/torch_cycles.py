"""Read ``OneCycleLR`` and ``CyclicLR``, which move the momentum too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from schedules.base import Schedule
from schedules.cycles import Cyclic
from schedules.joins import Restarts
from schedules.phases import OneCycle
from schedules.reading.base import Momentum, NotExact, Reading, curve, exponential, is_whole, made, ratio
from schedules.recipe import MomentumCurve

State = Mapping[str, Any]


def read_one_cycle(state: State, group: State | None, horizon: int) -> Reading:
    """Read ``OneCycleLR``.

    Args:
        group: the optimizer's group, which holds the rates and the bounds of the momentum.

    Raises:
        NotExact: there is no schedule like it, or no group.
    """
    if group is None or "max_lr" not in group:
        raise NotExact("OneCycleLR keeps its rates in the optimizer's groups: give one as group")
    total, phases = int(state["total_steps"]), state["_schedule_phases"]
    ends = [float(phase["end_step"]) for phase in phases]
    if not total - 1 <= horizon <= total:
        raise NotExact(f"OneCycleLR is for a run of {total} updates and no other, and this one has {horizon}")
    if not all(is_whole(end) and end >= 1 for end in ends):
        raise NotExact(f"OneCycleLR turns between two updates, at {ends}: its peak is no update's rate")
    peak = float(group["max_lr"])
    rates = [float(group[phases[0]["start_lr"]]), *(float(group[phase["end_lr"]]) for phase in phases)]
    levels = [ratio(rate, peak, "a rate of OneCycleLR") for rate in rates]
    turns = [0, *(round(end) for end in ends)]
    form: Literal["cosine", "linear"] = "cosine" if state["_anneal_func_type"] == "cos" else "linear"
    momentum = _one_cycle_momentum(state, group, turns, horizon, form)
    if horizon == total - 1:
        cycle = made(
            OneCycle,
            rise_fraction=turns[1] / horizon,
            start_ratio=levels[0],
            final_ratio=levels[-1],
            phases=len(phases),
            curve=form,
        )
        return Reading(cycle, peak, momentum)
    return Reading(_turning(turns, levels, horizon, form), peak, momentum)


def _turning(turns: list[int], levels: list[float], horizon: int, form: Literal["cosine", "linear"]) -> Schedule:
    """Return a curve that turns at updates and stays at its last level from the last of them on."""
    knots = [(turn / horizon, level) for turn, level in zip(turns, levels, strict=True)]
    return curve(knots if turns[-1] == horizon else [*knots, (1.0, levels[-1])], form)


def _one_cycle_momentum(
    state: State, group: State, turns: list[int], horizon: int, form: Literal["cosine", "linear"]
) -> Momentum | None:
    if not state["cycle_momentum"] or group["base_momentum"] == group["max_momentum"]:
        return None
    places = {"max_momentum": 1.0, "base_momentum": 0.0}
    phases = state["_schedule_phases"]
    levels = [places[phases[0]["start_momentum"]], *(places[phase["end_momentum"]] for phase in phases)]
    return _momentum(
        _turning(turns, levels, horizon, form), float(group["base_momentum"]), float(group["max_momentum"])
    )


def _momentum(schedule: Schedule, low: float, high: float) -> Momentum:
    if not 0 < low < high:
        raise NotExact(f"a momentum moves between a lowest value above 0 and a higher one, got {low} and {high}")
    return Momentum(high, MomentumCurve.model_validate({"low": low, "curve": schedule}))


def read_cyclic(state: State, horizon: int) -> Reading:
    """Read ``CyclicLR``.

    Raises:
        NotExact: there is no schedule like it.
    """
    total, share = float(state["total_size"]), float(state["step_ratio"])
    up, down = share * total, total - share * total
    if total > horizon:
        raise NotExact(f"the first cycle takes {total} updates, of which this run has {horizon}: it would be cut off")
    if state["mode"] == "triangular" and state["scale_mode"] != "cycle":
        raise NotExact("CyclicLR holds a function of its own, scale_fn, and what a function does cannot be read")
    peak = float(state["max_lrs"][0])
    fields: dict[str, object] = {
        "base_ratio": ratio(float(state["base_lrs"][0]), peak, "base_lr"),
        "rise_fraction": up / horizon,
        "fall_fraction": None if abs(up - down) <= 1e-9 * total else down / horizon,
        "mode": state["mode"],
    }
    if state["mode"] == "exp_range":
        decay = exponential(float(state["gamma"]), horizon)
        fields["total_decay"] = getattr(decay, "total_decay", 1.0)
    return Reading(made(Cyclic, **fields), peak, _cyclic_momentum(state, round(up), round(total), horizon))


def _cyclic_momentum(state: State, up: int, total: int, horizon: int) -> Momentum | None:
    if not state["cycle_momentum"] or state["base_momentums"][0] == state["max_momentums"][0]:
        return None
    low, high = float(state["base_momentums"][0]), float(state["max_momentums"][0])
    is_plain = state["mode"] == "triangular" and is_whole(float(state["total_size"]))
    if not is_plain or not is_whole(float(state["step_ratio"]) * float(state["total_size"])):
        raise NotExact(
            "the momentum of CyclicLR mirrors cycles that shrink or turn between two updates, which no curve does: "
            "read it with cycle_momentum=False"
        )
    cycle = curve([(0.0, 1.0), (up / total, 0.0), (1.0, 1.0)])
    if total == horizon:
        return _momentum(cycle, low, high)
    return _momentum(made(Restarts, first_fraction=total / horizon, then=cycle), low, high)
