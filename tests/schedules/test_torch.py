"""A schedule as a torch scheduler, and optimizers as torch's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import optim

from schedules import Adagrad, Adam, AdamW, Cosine, InverseSqrt, Plateau, Schedule, Sgd, Warmup
from schedules.optimizers import KnownOptimizer
from schedules.torch import EtudeLR, build_optimizer

HORIZON = 20
SCHEDULES: list[Schedule] = [
    Cosine(final_ratio=0.1),
    Warmup(fraction=0.2, then=InverseSqrt()),
    Warmup(fraction=0.2, then=Plateau(factor=0.5, patience=1, cooldown=1)),
]
by_summary = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.summary())


def started(schedule: Schedule, peaks: tuple[float, ...] = (0.4,)) -> tuple[optim.Optimizer, EtudeLR]:
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": peak} for peak in peaks]
    optimizer = optim.SGD(groups, lr=1.0, momentum=0.9)
    return optimizer, EtudeLR(optimizer, schedule, HORIZON)


def run(optimizer: optim.Optimizer, scheduler: EtudeLR, n: int) -> Iterator[float]:
    """Yield the rate of each of the next ``n`` updates; the metric does not improve."""
    for _ in range(n):
        yield optimizer.param_groups[0]["lr"]
        optimizer.step()
        scheduler.step()
        scheduler.observe(1.0)


def test_a_horizon_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="'cosine' needs at least 2 updates"):
        EtudeLR(optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1), Cosine(), 1)


def test_a_state_of_another_kind_of_schedule_is_refused() -> None:
    _, plateau = started(Plateau())
    _, cosine = started(Cosine())
    with pytest.raises(ValueError, match="the saved state does not belong to a schedule 'cosine'"):
        cosine.load_state_dict(plateau.state_dict())


@by_summary
def test_the_rates_are_those_of_the_schedule(schedule: Schedule) -> None:
    state, expected = schedule.start(), []
    for t in range(HORIZON + 3):
        expected.append(0.4 * schedule(t, HORIZON, state))
        if state is not None:
            state = schedule.observe(state, 1.0, t + 1, HORIZON)
    assert list(run(*started(schedule), HORIZON + 3)) == expected


def test_each_group_keeps_its_own_peak() -> None:
    optimizer, scheduler = started(Cosine(), peaks=(0.4, 0.1))
    optimizer.step()
    scheduler.step()
    first, second = (group["lr"] for group in optimizer.param_groups)
    assert first == 4 * second == 0.4 * Cosine()(1, HORIZON)


@by_summary
@pytest.mark.parametrize("optimizer_first", [True, False])
def test_a_resumed_run_goes_on_as_if_it_had_never_stopped(schedule: Schedule, optimizer_first: bool) -> None:
    whole = list(run(*started(schedule), HORIZON))
    optimizer, scheduler = started(schedule)
    head = list(run(optimizer, scheduler, 9))
    saved, position = optimizer.state_dict(), scheduler.state_dict()

    again = optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.4, momentum=0.9)
    if optimizer_first:
        again.load_state_dict(saved)
    resumed = EtudeLR(again, schedule, HORIZON)
    resumed.load_state_dict(position)
    if not optimizer_first:
        again.load_state_dict(saved)
    again.step()
    assert again.param_groups[0]["lr"] == whole[9]
    resumed.step()
    resumed.observe(1.0)
    assert [*head, whole[9], *run(again, resumed, HORIZON - 10)] == whole


def test_a_saved_state_does_not_overrule_a_longer_horizon() -> None:
    _, scheduler = started(Cosine())
    _, longer = started(Cosine())
    longer.horizon = 10 * HORIZON
    longer.load_state_dict(scheduler.state_dict())
    assert longer.horizon == 10 * HORIZON


def test_a_rate_changed_by_somebody_else_does_not_last() -> None:
    optimizer, scheduler = started(Cosine())
    optimizer.param_groups[0]["lr"] = 77.0
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.4 * Cosine()(1, HORIZON)


@pytest.mark.parametrize(
    "value, made, constants",
    [
        (Sgd(momentum=0.8, nesterov=True, weight_decay=1e-3), optim.SGD, {"momentum": 0.8, "nesterov": True}),
        (Sgd(momentum=0.0), optim.SGD, {"momentum": 0.0, "nesterov": False, "dampening": 0}),
        (Adagrad(initial_accumulator=0.1), optim.Adagrad, {"initial_accumulator_value": 0.1, "eps": 1e-10}),
        (Adam(beta1=0.8, beta2=0.99), optim.Adam, {"betas": (0.8, 0.99), "eps": 1e-8}),
        (AdamW(weight_decay=0.2), optim.AdamW, {"betas": (0.9, 0.999), "weight_decay": 0.2}),
    ],
)
def test_an_optimizer_is_built_with_its_constants(
    value: KnownOptimizer, made: type[optim.Optimizer], constants: dict[str, object]
) -> None:
    built = build_optimizer(value, [torch.nn.Parameter(torch.ones(2))], lr=0.3)
    (group,) = built.param_groups
    assert type(built) is made
    assert {name: group[name] for name in constants} == constants
    assert (group["lr"], group["weight_decay"]) == (0.3, value.weight_decay)
