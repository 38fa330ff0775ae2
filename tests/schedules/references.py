"""Schedules beside the same curve from torch, SciPy and numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from torch.optim import SGD, Optimizer
from torch.optim import lr_scheduler as theirs

from schedules import (
    Cooldown,
    Cosine,
    Cyclic,
    Factor,
    InverseSqrt,
    MultiFactor,
    OneCycle,
    Piecewise,
    Polynomial,
    Product,
    Restarts,
    Schedule,
    Step,
    Warmup,
    Wsd,
)
from schedules import Sequence as SequenceOf

PEAK = 0.3
Build = Callable[[Optimizer], theirs.LRScheduler]


@dataclass(frozen=True)
class Reference:
    """A schedule and somebody else's multipliers of it, from update 0 on.

    Attributes:
        horizon: updates of the run.
        multipliers: theirs, as far as they define the same.
    """

    name: str
    schedule: Schedule
    horizon: int
    multipliers: Callable[[], Sequence[float]]

    def largest_difference(self) -> float:
        """Return by how much the schedule and theirs are apart at most, as a share of the peak rate."""
        found = self.multipliers()
        return max(abs(self.schedule(t, self.horizon) - theirs) for t, theirs in enumerate(found))


def their_rates(build: Build, n: int) -> list[float]:
    """Return the rate of each of the first ``n`` updates under one of torch's schedulers."""
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    scheduler = build(optimizer)
    rates = []
    for t in range(n):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if t + 1 < n:
            scheduler.step()
    return rates


def _torch(name: str, schedule: Schedule, horizon: int, build: Build, n: int | None = None) -> Reference:
    n_updates = horizon if n is None else n
    return Reference(
        f"torch {name}", schedule, horizon, lambda: [rate / PEAK for rate in their_rates(build, n_updates)]
    )


def cosine_restarts(first: int, t_mult: int) -> Build:
    return lambda optimizer: theirs.CosineAnnealingWarmRestarts(optimizer, first, t_mult, eta_min=0.02 * PEAK)


def _cyclic(up: float, down: float, mode: str, gamma: float = 1.0) -> Build:
    def build(optimizer: Optimizer) -> theirs.LRScheduler:
        return theirs.CyclicLR(
            optimizer,
            base_lr=0.2 * PEAK,
            max_lr=PEAK,
            step_size_up=up,  # type: ignore[arg-type]  # torch divides by it, and takes any number
            step_size_down=down,  # type: ignore[arg-type]  # likewise
            mode=mode,  # type: ignore[arg-type]  # one of its three, named below
            gamma=gamma,
            cycle_momentum=False,
        )

    return build


def _one_cycle(schedule: OneCycle, horizon: int) -> Reference:
    """torch's phases end an update earlier: a run one longer has them where ours has them."""
    pct_start = (schedule.fair_from(horizon) + 1) / (horizon + 1)

    def build(optimizer: Optimizer) -> theirs.LRScheduler:
        return theirs.OneCycleLR(
            optimizer,
            max_lr=PEAK,
            total_steps=horizon + 1,
            pct_start=pct_start,
            anneal_strategy="cos" if schedule.curve == "cosine" else "linear",
            cycle_momentum=False,
            div_factor=1 / schedule.start_ratio,
            final_div_factor=schedule.start_ratio / schedule.final_ratio,
            three_phase=schedule.phases == 3,
        )

    return _torch(f"OneCycleLR {schedule.phases} phases {schedule.curve}", schedule, horizon, build, horizon + 1)


def _sequence(*parts: Build, milestones: list[int]) -> Build:
    return lambda optimizer: theirs.SequentialLR(optimizer, [part(optimizer) for part in parts], milestones)


def _hold(optimizer: Optimizer) -> theirs.LRScheduler:
    return theirs.ConstantLR(optimizer, factor=1.0)


def _multi_step(optimizer: Optimizer) -> theirs.LRScheduler:
    return theirs.MultiStepLR(optimizer, [24, 36], gamma=0.3)


def _line(first: float, last: float, n: int) -> Build:
    return lambda optimizer: theirs.LinearLR(optimizer, start_factor=first, end_factor=last, total_iters=n)


def _inverse_sqrt(optimizer: Optimizer) -> theirs.LRScheduler:
    return theirs.LambdaLR(optimizer, lambda t: math.sqrt(8 / (8 + t)))


def _chained(optimizer: Optimizer) -> theirs.LRScheduler:
    return theirs.ChainedScheduler(
        [theirs.ExponentialLR(optimizer, 0.1 ** (1 / 96)), theirs.StepLR(optimizer, 32, gamma=0.5)]
    )


_LOW = Cosine(final_ratio=0.02)
_KNOTS = ((0.0, 0.2), (0.1, 0.9), (0.25, 1.0), (0.5, 0.95), (0.55, 0.3), (0.8, 0.3), (0.9, 0.35), (1.0, 0.0))
_PLACES = [100 * place for place, _ in _KNOTS]
_HEIGHTS = [height for _, height in _KNOTS]

REFERENCES: list[Reference] = [
    _torch("StepLR", Step(drops=3, gamma=0.3), 96, lambda o: theirs.StepLR(o, 24, gamma=0.3)),
    _torch("CosineAnnealingWarmRestarts equal", Restarts(cycles=4, then=_LOW), 96, cosine_restarts(24, 1)),
    _torch(
        "CosineAnnealingWarmRestarts doubled", Restarts(cycles=3, t_mult=2.0, then=_LOW), 98, cosine_restarts(14, 2)
    ),
    _torch(
        "CosineAnnealingWarmRestarts cut off",
        Restarts(first_fraction=0.25, t_mult=2.0, then=_LOW),
        100,
        cosine_restarts(25, 2),
    ),
    _torch(
        "CyclicLR triangular",
        Cyclic(base_ratio=0.2, rise_fraction=0.1, fall_fraction=0.15),
        97,
        _cyclic(9.7, 14.55, "triangular"),
    ),
    _torch(
        "CyclicLR triangular2",
        Cyclic(base_ratio=0.2, rise_fraction=0.125, mode="triangular2"),
        96,
        _cyclic(12, 12, "triangular2"),
    ),
    _torch(
        "CyclicLR exp_range",
        Cyclic(base_ratio=0.2, rise_fraction=0.1, mode="exp_range", total_decay=0.05),
        97,
        _cyclic(9.7, 9.7, "exp_range", 0.05 ** (1 / 97)),
    ),
    _one_cycle(OneCycle(), 97),
    _one_cycle(OneCycle(curve="linear", rise_fraction=0.4), 97),
    _one_cycle(OneCycle(phases=3), 100),
    _one_cycle(OneCycle(phases=3, curve="linear", start_ratio=0.1, final_ratio=1e-3), 100),
    _torch(
        "SequentialLR of ConstantLR and LinearLR",
        Wsd(decay_fraction=0.25, decay="linear", final_ratio=0.1),
        96,
        _sequence(_hold, _line(1.0, 0.1, 24), milestones=[72]),
    ),
    _torch(
        "SequentialLR of LinearLR, ConstantLR and LinearLR",
        Warmup(fraction=0.25, then=Wsd(decay_fraction=0.25, decay="linear")),
        96,
        _sequence(_line(1 / 24, 1.0, 23), _hold, _line(1.0, 0.0, 18), milestones=[24, 78]),
    ),
    _torch(
        "SequentialLR of LambdaLR and LinearLR",
        Cooldown(fraction=0.25, decay="linear", first=InverseSqrt(timescale_fraction=1 / 9)),
        96,
        _sequence(_inverse_sqrt, _line(math.sqrt(8 / 80), 0.0, 24), milestones=[72]),
    ),
    _torch(
        "SequentialLR of MultiStepLR, CosineAnnealingLR and PolynomialLR",
        SequenceOf(
            schedules=(MultiFactor(milestones=(0.5, 0.75), gamma=0.3), _LOW, Polynomial(power=2.0)),
            milestones=(0.5, 0.75),
        ),
        96,
        _sequence(
            _multi_step,
            lambda o: theirs.CosineAnnealingLR(o, 24, eta_min=0.02 * PEAK),
            lambda o: theirs.PolynomialLR(o, 24, power=2.0),
            milestones=[48, 72],
        ),
    ),
    _torch(
        "ChainedScheduler of ExponentialLR and StepLR",
        Product(schedules=(Factor(total_decay=0.1), Step(drops=2, gamma=0.5))),
        96,
        _chained,
    ),
    Reference(
        "scipy PchipInterpolator",
        Piecewise(knots=_KNOTS),
        100,
        lambda: PchipInterpolator(_PLACES, _HEIGHTS)(np.arange(101)).tolist(),
    ),
    Reference(
        "numpy interp",
        Piecewise(knots=_KNOTS, curve="linear"),
        100,
        lambda: np.interp(np.arange(101), _PLACES, _HEIGHTS).tolist(),
    ),
    _torch(
        "CosineAnnealingLR, as a curve through two knots",
        Piecewise(knots=((0.0, 1.0), (1.0, 0.02)), curve="cosine"),
        97,
        lambda o: theirs.CosineAnnealingLR(o, 97, eta_min=0.02 * PEAK),
    ),
    _torch(
        "LinearLR, as a curve through two knots", Piecewise(knots=((0.0, 1.0), (1.0, 0.1))), 97, _line(1.0, 0.1, 97)
    ),
]
"""Comparisons with code that others keep well; the decays have theirs in ``test_against_torch.py``."""
