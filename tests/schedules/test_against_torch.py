"""Every family equals torch's own scheduler, update by update, where torch has the same thing."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.optim import SGD, Optimizer
from torch.optim import lr_scheduler as theirs

from schedules import (
    Constant,
    Cosine,
    Factor,
    InverseSqrt,
    Linear,
    MultiFactor,
    OneMinusSqrt,
    Plateau,
    Polynomial,
    Schedule,
    Warmup,
)
from tests.strategies import plateaus

PEAK = 0.3
PLATEAU_PEAK = 0.25
"""A power of two, so that torch compares the size of a drop exactly as we do."""

HORIZON = 97
Build = Callable[[Optimizer, int], theirs.LRScheduler]


def optimizer_at(peak: float) -> Optimizer:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)


def their_rates(build: Build, horizon: int, n: int) -> list[float]:
    optimizer = optimizer_at(PEAK)
    scheduler = build(optimizer, horizon)
    rates = []
    for _ in range(n):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


def _inverse_sqrt(optimizer: Optimizer, horizon: int) -> theirs.LRScheduler:
    timescale = math.floor(0.05 * horizon + 0.5)
    return theirs.LambdaLR(optimizer, lambda t: math.sqrt(timescale / (timescale + t)))


def _multi_step(optimizer: Optimizer, horizon: int) -> theirs.LRScheduler:
    milestones = [math.floor(fraction * horizon + 0.5) for fraction in (0.3, 0.55, 0.9)]
    return theirs.MultiStepLR(optimizer, milestones, gamma=0.3)


SAME: list[tuple[Schedule, Build]] = [
    (Constant(), lambda o, n: theirs.ConstantLR(o, factor=1.0)),
    (OneMinusSqrt(), lambda o, n: theirs.LambdaLR(o, lambda t: 1 - math.sqrt(t / n))),
    (Factor(total_decay=0.003), lambda o, n: theirs.ExponentialLR(o, gamma=0.003 ** (1 / n))),
    (MultiFactor(milestones=(0.3, 0.55, 0.9), gamma=0.3), _multi_step),
    (Cosine(final_ratio=0.02), lambda o, n: theirs.CosineAnnealingLR(o, T_max=n, eta_min=0.02 * PEAK)),
    (Cosine(), lambda o, n: theirs.CosineAnnealingLR(o, T_max=n)),
    (Linear(final_ratio=0.1), lambda o, n: theirs.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=n)),
    (Polynomial(power=1.7), lambda o, n: theirs.PolynomialLR(o, total_iters=n, power=1.7)),
    (Polynomial(power=0.5), lambda o, n: theirs.PolynomialLR(o, total_iters=n, power=0.5)),
    (InverseSqrt(timescale_fraction=0.05), _inverse_sqrt),
]
NAMES = [schedule.summary() for schedule, _ in SAME]


@pytest.mark.parametrize("schedule, build", SAME, ids=NAMES)
def test_a_family_equals_torch(schedule: Schedule, build: Build) -> None:
    ours = [PEAK * schedule(t, HORIZON) for t in range(HORIZON)]
    assert ours == pytest.approx(their_rates(build, HORIZON, HORIZON), abs=1e-12)


@pytest.mark.parametrize("kind", ["linear", "polynomial"])
def test_where_torch_stays_past_the_end_so_does_the_family(kind: str) -> None:
    schedule, build = next(pair for pair in SAME if pair[0].model_dump()["kind"] == kind)
    ours = [PEAK * schedule(t, 10) for t in range(20)]
    assert ours == pytest.approx(their_rates(build, 10, 20), abs=1e-12)


def test_torch_cosine_climbs_again_past_the_end_and_ours_does_not() -> None:
    schedule, build = Cosine(), SAME[5][1]
    assert their_rates(build, 10, 15)[14] > 0.1
    assert schedule(14, 10) == 0.0


@pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")  # torch's own SequentialLR passed it before 2.13
@pytest.mark.parametrize("schedule, build", SAME, ids=NAMES)
def test_a_warmup_equals_torch_in_sequence(schedule: Schedule, build: Build) -> None:
    warmup = Warmup.model_validate({"fraction": 0.1, "start_ratio": 0.2, "then": schedule})
    n_ramp = warmup.updates(HORIZON)

    def sequence(optimizer: Optimizer, horizon: int) -> theirs.LRScheduler:
        first = 0.2 + 0.8 / n_ramp
        ramp = theirs.LinearLR(optimizer, start_factor=first, total_iters=n_ramp - 1)
        return theirs.SequentialLR(optimizer, [ramp, build(optimizer, horizon - n_ramp)], milestones=[n_ramp])

    ours = [PEAK * warmup(t, HORIZON) for t in range(HORIZON)]
    assert ours == pytest.approx(their_rates(sequence, HORIZON, HORIZON), abs=1e-12)


def their_plateau(plateau: Plateau, metrics: list[float]) -> list[float]:
    optimizer = optimizer_at(PLATEAU_PEAK)
    scheduler = theirs.ReduceLROnPlateau(
        optimizer,
        mode=plateau.mode,
        factor=plateau.factor,
        patience=plateau.patience,
        threshold=plateau.threshold,
        threshold_mode=plateau.threshold_mode,
        cooldown=plateau.cooldown,
        min_lr=plateau.final_ratio * PLATEAU_PEAK,
        eps=plateau.eps * PLATEAU_PEAK,
    )
    rates = []
    for metric in metrics:
        scheduler.step(metric)
        rates.append(float(optimizer.param_groups[0]["lr"]))
    return rates


def our_plateau(plateau: Plateau, metrics: list[float]) -> list[float]:
    state, rates = plateau.start(), []
    for t, metric in enumerate(metrics, start=1):
        state = plateau.observe(state, metric, t, 1000)
        rates.append(PLATEAU_PEAK * plateau(t, 1000, state))
    return rates


positive = st.floats(1e-3, 1e3)
few_values = st.sampled_from([1.0, 0.9, 0.5, 2.0, math.nan])


# torch's first best is infinite, and infinity times 1 - threshold is no number or a negative one from 1 on
with_torch = plateaus().filter(lambda plateau: plateau.threshold_mode == "abs" or plateau.threshold < 1)


@given(with_torch, st.lists(st.one_of(positive, few_values), max_size=60))
def test_a_plateau_equals_torch_on_positive_metrics(plateau: Plateau, metrics: list[float]) -> None:
    # From 1 on, torch's first best, infinity times 1 - threshold, is never beaten: even the first reading is bad there.
    assume(plateau.threshold_mode == "abs" or plateau.mode == "max" or plateau.threshold < 1)
    assert our_plateau(plateau, metrics) == pytest.approx(their_plateau(plateau, metrics), abs=1e-12)


@given(plateaus().filter(lambda plateau: plateau.threshold_mode == "abs"), st.lists(st.floats(-1e3, 1e3), max_size=60))
def test_a_plateau_with_an_absolute_threshold_equals_torch_on_any_metric(
    plateau: Plateau, metrics: list[float]
) -> None:
    assert our_plateau(plateau, metrics) == pytest.approx(their_plateau(plateau, metrics), abs=1e-12)


def test_on_a_negative_metric_torch_never_drops_and_ours_does() -> None:
    plateau, metrics = Plateau(factor=0.5, patience=2), [-1.0] * 6
    assert their_plateau(plateau, metrics) == [PLATEAU_PEAK] * 6
    assert our_plateau(plateau, metrics) == [PLATEAU_PEAK] * 3 + [PLATEAU_PEAK / 2] * 3
