"""What other libraries are asked for, and the schedule that does the same. None of them is needed to read this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

HORIZON = 40
PEAK = 0.3


@dataclass(frozen=True)
class Case:
    """One schedule of a library.

    Attributes:
        name: what it is called in its library.
        arguments: what it is called with, as JSON values.
        schedule: ours, as JSON; ``None`` where the arguments are read.
        peak_lr: the rate where ours is 1.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] | None = None
    horizon: int = HORIZON
    peak_lr: float = PEAK


def _line(start: float, end: float = 1.0) -> dict[str, Any]:
    return {"kind": "piecewise", "knots": [[0.0, start], [1.0, end]], "curve": "linear"}


def _in_turn(n_first: int, first: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "sequence", "schedules": [first, then], "milestones": [n_first / HORIZON]}


COSINE = {"kind": "cosine", "final_ratio": 0.1}
FLOOR = {"kind": "piecewise", "knots": [[0.0, 0.1], [1.0, 0.1]], "curve": "linear"}

OPTAX = [
    Case("constant_schedule", {"value": PEAK}, {"kind": "constant"}),
    Case("cosine_decay_schedule", {"init_value": PEAK, "decay_steps": HORIZON, "alpha": 0.1}, COSINE),
    Case(
        "linear_schedule",
        {"init_value": PEAK, "end_value": 0.1 * PEAK, "transition_steps": HORIZON},
        {"kind": "linear", "final_ratio": 0.1},
    ),
    Case(
        "linear_schedule",
        {"init_value": PEAK, "end_value": 0.1 * PEAK, "transition_steps": 10, "transition_begin": 30},
        {"kind": "wsd", "decay_fraction": 0.25, "decay": "linear", "final_ratio": 0.1},
    ),
    Case(
        "polynomial_schedule",
        {"init_value": PEAK, "end_value": 0.1 * PEAK, "power": 2.0, "transition_steps": HORIZON},
        {"kind": "polynomial", "power": 2.0, "final_ratio": 0.1},
    ),
    Case(
        "exponential_decay",
        {"init_value": PEAK, "transition_steps": HORIZON, "decay_rate": 0.05, "end_value": 0.1 * PEAK},
        {"kind": "factor", "total_decay": 0.05, "final_ratio": 0.1},
    ),
    Case(
        "exponential_decay",
        {"init_value": PEAK, "transition_steps": 10, "decay_rate": 0.5, "staircase": True, "end_value": 0.2 * PEAK},
        {"kind": "step", "drops": 3, "gamma": 0.5, "final_ratio": 0.2},
    ),
    Case(
        "piecewise_constant_schedule",
        {"init_value": PEAK, "boundaries_and_scales": {"15": 0.1, "30": 0.1}},
        {"kind": "multi_factor", "milestones": [15 / HORIZON, 30 / HORIZON], "gamma": 0.1},
    ),
    *(
        Case(
            "piecewise_interpolate_schedule",
            {"interpolate_type": form, "init_value": PEAK, "boundaries_and_scales": {"10": 0.5, "40": 0.2}},
            {"kind": "piecewise", "knots": [[0.0, 1.0], [0.25, 0.5], [1.0, 0.1]], "curve": form},
        )
        for form in ("linear", "cosine")
    ),
    Case(
        "cosine_onecycle_schedule",
        {
            "transition_steps": HORIZON,
            "peak_value": PEAK,
            "pct_start": 0.3,
            "div_factor": 25.0,
            "final_div_factor": 100.0,
        },
        {"kind": "one_cycle", "rise_fraction": 0.3, "start_ratio": 0.04, "final_ratio": 0.0004},
    ),
    Case(
        "linear_onecycle_schedule",
        {
            "transition_steps": HORIZON,
            "peak_value": PEAK,
            "pct_start": 0.3,
            "pct_final": 0.6,
            "final_div_factor": 100.0,
        },
        {
            "kind": "one_cycle",
            "rise_fraction": 0.3,
            "start_ratio": 0.04,
            "final_ratio": 0.0004,
            "phases": 3,
            "curve": "linear",
        },
    ),
    Case(
        "warmup_cosine_decay_schedule",
        {"init_value": 0.0, "peak_value": PEAK, "warmup_steps": 8, "decay_steps": HORIZON, "end_value": 0.1 * PEAK},
        _in_turn(8, _line(0.0), COSINE),
    ),
    Case(
        "warmup_exponential_decay_schedule",
        {"init_value": 0.03, "peak_value": PEAK, "warmup_steps": 8, "transition_steps": 32, "decay_rate": 0.05},
        _in_turn(8, _line(0.1), {"kind": "factor", "total_decay": 0.05}),
    ),
    Case(
        "sgdr_schedule",
        {
            "cosine_kwargs": [
                {
                    "init_value": 0.0,
                    "peak_value": PEAK * 0.5**cycle,
                    "warmup_steps": 0,
                    "decay_steps": 10 * 2**cycle,
                    "end_value": 0.1 * PEAK * 0.5**cycle,
                }
                for cycle in range(2)
            ]
        },
        {"kind": "restarts", "cycles": 2, "t_mult": 2.0, "peak_decay": 0.5, "then": COSINE},
        horizon=30,
    ),
]

KERAS = [
    Case("CosineDecay", {"initial_learning_rate": PEAK, "decay_steps": HORIZON, "alpha": 0.1}, COSINE),
    Case(
        "CosineDecay",
        {"initial_learning_rate": 0.03, "decay_steps": 32, "alpha": 0.1, "warmup_target": PEAK, "warmup_steps": 8},
        _in_turn(8, _line(0.1), COSINE),
    ),
    Case(
        "PolynomialDecay",
        {"initial_learning_rate": PEAK, "decay_steps": HORIZON, "end_learning_rate": 0.1 * PEAK, "power": 2.0},
        {"kind": "polynomial", "power": 2.0, "final_ratio": 0.1},
    ),
    Case(
        "ExponentialDecay",
        {"initial_learning_rate": PEAK, "decay_steps": HORIZON, "decay_rate": 0.05},
        {"kind": "factor", "total_decay": 0.05},
    ),
    Case(
        "ExponentialDecay",
        {"initial_learning_rate": PEAK, "decay_steps": 10, "decay_rate": 0.5, "staircase": True},
        {"kind": "step", "drops": 3, "gamma": 0.5},
    ),
    Case(
        "PiecewiseConstantDecay",
        {"boundaries": [14, 29], "values": [PEAK, 0.1 * PEAK, 0.01 * PEAK]},
        {"kind": "multi_factor", "milestones": [15 / HORIZON, 30 / HORIZON], "gamma": 0.1},
    ),
    Case(
        "CosineDecayRestarts",
        {"initial_learning_rate": PEAK, "first_decay_steps": 10, "t_mul": 2.0, "m_mul": 0.5, "alpha": 0.0},
        {"kind": "restarts", "cycles": 2, "t_mult": 2.0, "peak_decay": 0.5, "then": {"kind": "cosine"}},
        horizon=30,
    ),
]

IGNITE = [
    Case("CosineAnnealingScheduler", {"start_value": PEAK, "end_value": 0.1 * PEAK, "cycle_size": HORIZON}, COSINE),
    Case(
        "CosineAnnealingScheduler",
        {"start_value": PEAK, "end_value": 0.0, "cycle_size": 10, "cycle_mult": 3.0, "start_value_mult": 0.5},
        {"kind": "restarts", "cycles": 2, "t_mult": 3.0, "peak_decay": 0.5, "then": {"kind": "cosine"}},
    ),
    Case(
        "LinearCyclicalScheduler",
        {"start_value": 0.03, "end_value": PEAK, "cycle_size": 10},
        {"kind": "cyclic", "base_ratio": 0.1, "rise_fraction": 0.125},
    ),
    Case(
        "LinearCyclicalScheduler",
        {"start_value": PEAK, "end_value": 0.03, "cycle_size": HORIZON, "monotonic": True},
        {"kind": "linear", "final_ratio": 0.1},
    ),
    Case(
        "PiecewiseLinear",
        {"milestones_values": [[0, PEAK], [10, 0.5 * PEAK], [40, 0.1 * PEAK]]},
        {"kind": "piecewise", "knots": [[0.0, 1.0], [0.25, 0.5], [1.0, 0.1]], "curve": "linear"},
    ),
    Case("torch ExponentialLR", {"gamma": 0.9}, {"kind": "factor", "total_decay": 0.9**HORIZON}),
    Case(
        "create_lr_scheduler_with_warmup",
        {"warmup_start_value": 0.03, "warmup_end_value": PEAK, "warmup_duration": 10, "gamma": 0.9},
        # the ramp ends at the peak, which is the first rate of what follows
        _in_turn(9, _line(0.1), {"kind": "factor", "total_decay": 0.9**31}),
    ),
]


def _hf(name: str, n_warmup: int = 0, horizon: int = HORIZON, **own: Any) -> Case:
    asked = {
        "name": name,
        "num_warmup_steps": n_warmup,
        "num_training_steps": horizon,
        "scheduler_specific_kwargs": own,
    }
    return Case(name, asked, horizon=horizon)


TRANSFORMERS = [
    _hf("constant"),
    _hf("constant_with_warmup", 8),
    _hf("linear"),
    _hf("linear", 8),
    _hf("cosine", 8),
    _hf("cosine", 8, num_cycles=1.0),
    _hf("cosine_with_restarts", 8, num_cycles=4),
    _hf("polynomial", 8),
    _hf("polynomial", 0, power=2.0, lr_end=0.03),
    _hf("inverse_sqrt", 8),
    _hf("inverse_sqrt", 8, timescale=20),
    _hf("inverse_sqrt", timescale=5),
    _hf("cosine_with_min_lr", 8, min_lr=0.03),
    _hf("cosine_with_min_lr", min_lr_rate=0.1),
    *(
        _hf("warmup_stable_decay", 8, num_decay_steps=10, min_lr_ratio=0.1, decay_type=decay, warmup_type=ramp)
        for decay, ramp in (("linear", "linear"), ("cosine", "cosine"), ("1-sqrt", "linear"))
    ),
    _hf("warmup_stable_decay", 8, num_decay_steps=10, num_stable_steps=12),
    _hf("warmup_stable_decay", 8, num_decay_steps=10, num_stable_steps=12, min_lr_ratio=0.1),
]


def _timm(sched: str, horizon: int = HORIZON, **arguments: Any) -> Case:
    return Case(
        sched, {"sched": sched, "num_epochs": 4, "updates_per_epoch": 10, **_STEPPED, **arguments}, None, horizon
    )


_STEPPED = {"step_on_epochs": False}
_PREFIX = {"warmup_prefix": True, "warmup_epochs": 1, "warmup_lr": 0.03}

TIMM = [
    _timm("cosine", min_lr=0.03),
    _timm("cosine", 50, min_lr=0.03, **_PREFIX),
    _timm("cosine", k_decay=2.0),
    _timm("cosine", 60, cooldown_epochs=2),
    _timm("cosine", 60, cooldown_epochs=2, min_lr=0.03),
    _timm("cosine", 120, cycle_limit=3, cycle_decay=1.0, min_lr=0.03),
    _timm("cosine", 120, cycle_limit=3, cycle_decay=0.5),
    _timm("cosine", 120, cycle_limit=2, cycle_mul=2.0, cycle_decay=0.5),
    _timm("poly", decay_rate=2.0, min_lr=0.03),
    _timm("poly", 130, decay_rate=1.0, cycle_limit=3, cycle_decay=0.5, **_PREFIX),
    _timm("step", decay_epochs=1.5, decay_rate=0.5),
    _timm("step", 50, decay_epochs=1, decay_rate=0.5, **_PREFIX),
    _timm("step", decay_epochs=2, decay_rate=0.5, warmup_epochs=1, warmup_lr=0.0),
    _timm("multistep", decay_milestones=[2, 3], decay_rate=0.1),
    _timm("multistep", 50, decay_milestones=[2, 3], decay_rate=0.1, **_PREFIX),
    _timm("multistep", decay_milestones=[2, 3], decay_rate=0.1, step_on_epochs=True),
    _timm("constant", warmup_epochs=1, warmup_lr=0.0),
    *(
        _timm("wsd", warmup_epochs=1, decay_epochs=0.5, decay_fn=form, min_lr=0.03)
        for form in ("linear", "cosine", None)
    ),
    _timm("wsd", 60, decay_epochs=1, cooldown_epochs=1, **_PREFIX),
    _timm("rsqrt", warmup_epochs=1, decay_epochs=1, warmup_lr=0.0),
    _timm("rsqrt", stable_timescale=2.0, decay_epochs=0.5, decay_fn="1-sqrt"),
]

LIBRARIES = {"optax": OPTAX, "keras": KERAS, "ignite": IGNITE, "transformers": TRANSFORMERS, "timm": TIMM}
