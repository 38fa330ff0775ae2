"""Optimizer values as torch's, and Muon and AdamW as one."""

from __future__ import annotations

from typing import Any

import pytest
import schedulefree
import torch
from lion_pytorch.foreach import Lion as LionPytorch
from torch import nn, optim

from schedules import (
    OPTIMIZERS,
    Adamax,
    Cosine,
    Lion,
    Muon,
    Nadam,
    Rmsprop,
    ScheduleFreeAdamW,
    ScheduleFreeSgd,
)
from schedules.optimizers import KnownOptimizer
from schedules.torch import EtudeLR, MuonWithAdamW, build_optimizer, hidden_matrices


def weights() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(size)) for size in ((4, 3), (4,), (4, 4), (4,), (2, 4))]


def step(optimizer: optim.Optimizer, values: list[nn.Parameter], number: int) -> None:
    generator = torch.Generator().manual_seed(number)
    for value in values:
        value.grad = torch.randn(value.shape, generator=generator)
    optimizer.step()


# refusals


def test_muon_without_a_hidden_matrix_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'muon' needs a hidden matrix, .* of these 2 weights none is one"):
        build_optimizer(Muon(), [nn.Parameter(torch.zeros(2, 2)) for _ in range(2)], 0.1)


def test_muon_for_a_convolution_is_refused_by_torch() -> None:
    kernel = nn.Parameter(torch.zeros(2, 2, 3, 3))
    with pytest.raises(ValueError, match="Muon only supports 2D parameters"):
        build_optimizer(Muon(), [kernel], 0.1, hidden=[kernel])


# constants


@pytest.mark.parametrize(
    "value, made, constants",
    [
        (Rmsprop(alpha=0.9, centered=True), optim.RMSprop, {"alpha": 0.9, "centered": True, "momentum": 0.0}),
        (Nadam(decoupled=True), optim.NAdam, {"momentum_decay": 4e-3, "decoupled_weight_decay": True}),
        (Adamax(beta1=0.8), optim.Adamax, {"betas": (0.8, 0.999), "eps": 1e-8}),
        (Lion(beta2=0.98), LionPytorch, {"betas": (0.9, 0.98)}),
        (ScheduleFreeSgd(momentum=0.95), schedulefree.SGDScheduleFree, {"momentum": 0.95, "warmup_steps": 0}),
        (ScheduleFreeAdamW(beta1=0.95), schedulefree.AdamWScheduleFree, {"betas": (0.95, 0.999), "warmup_steps": 0}),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_an_optimizer_is_built_with_its_constants(
    value: KnownOptimizer, made: type[optim.Optimizer], constants: dict[str, object]
) -> None:
    built = build_optimizer(value, weights(), lr=0.3)
    (group,) = built.param_groups
    assert type(built) is made
    assert {name: group[name] for name in constants} == constants
    assert (group["lr"], group["weight_decay"]) == (0.3, value.weight_decay)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_optimizer_runs_under_a_schedule_of_torchs_kind(kind: str) -> None:
    values = weights()
    optimizer = build_optimizer(OPTIMIZERS[kind].model_validate({"kind": kind}), values, lr=0.01)  # type: ignore[arg-type]  # the mapping knows only the base
    if isinstance(optimizer, (schedulefree.SGDScheduleFree, schedulefree.AdamWScheduleFree)):
        optimizer.train()
    scheduler = EtudeLR(optimizer, Cosine(), 10)
    for t in range(10):
        assert {group["lr"] for group in optimizer.param_groups} == {0.01 * Cosine()(t, 10)}
        step(optimizer, values, t)
        scheduler.step()
    assert not any(torch.equal(value, before) for value, before in zip(values, weights(), strict=True))


# Muon


def test_the_hidden_matrices_lie_between_the_first_and_the_last_layer() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 2))
    assert [tuple(matrix.shape) for matrix in hidden_matrices(model)] == [(5, 4), (5, 5)]


def test_embeddings_and_convolutions_are_no_hidden_matrices() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(7, 4)
            self.places = nn.Embedding(5, 4)
            self.filter = nn.Conv1d(4, 4, 3)
            self.hidden = nn.Linear(4, 4)
            self.head = nn.Linear(4, 7)

    assert [tuple(matrix.shape) for matrix in hidden_matrices(Mixed())] == [(4, 4)]
    assert hidden_matrices(nn.Linear(3, 2)) == []


def test_muon_and_adamw_are_one_optimizer_with_two_groups() -> None:
    built = build_optimizer(Muon(beta2=0.99, weight_decay=0.2), weights(), lr=0.3)
    assert isinstance(built, MuonWithAdamW)
    matrices, rest = built.param_groups
    assert [tuple(matrix.shape) for matrix in matrices["params"]] == [(4, 4)]
    assert len(rest["params"]) == 4
    assert rest["betas"] == (0.9, 0.99)
    assert [(group["lr"], group["weight_decay"]) for group in (matrices, rest)] == [(0.3, 0.2)] * 2


def test_muon_alone_needs_nothing_for_adamw() -> None:
    (matrix,) = values = [nn.Parameter(torch.ones(3, 3))]
    built = build_optimizer(Muon(), values, lr=0.1, hidden=[matrix])
    step(built, values, 0)
    assert len(built.param_groups) == 1
    assert not torch.equal(matrix, torch.ones(3, 3))


def test_a_restored_muon_goes_on_as_if_it_had_never_stopped() -> None:
    whole, stopped = weights(), weights()
    unstopped, first = (build_optimizer(Muon(), values, lr=0.1) for values in (whole, stopped))
    for number in range(6):
        step(unstopped, whole, number)
        if number < 3:
            step(first, stopped, number)
    again = build_optimizer(Muon(), stopped, lr=0.7)
    again.load_state_dict(first.state_dict())
    assert [group["lr"] for group in again.param_groups] == [0.1, 0.1]
    for number in range(3, 6):
        step(again, stopped, number)
    assert all(torch.equal(one, other) for one, other in zip(whole, stopped, strict=True))


def test_muon_can_be_given_a_closure() -> None:
    values = weights()
    built = build_optimizer(Muon(), values, lr=0.1)

    def closure() -> float:
        loss: Any = sum((value**2).sum() for value in values)
        built.zero_grad()
        loss.backward()
        return float(loss.detach())

    assert built.step(closure) > closure()
