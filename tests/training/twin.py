"""A plain training loop, written out, that keeps the weights after every update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from search.protocol import Assignment
from search.seeds import derive_seed
from search.tasks.base import Data
from tests.training.toys import Line

Weights = list[Tensor]


class Layers(Line):
    """The line, learnt by three layers: one hidden matrix."""

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(
            nn.Linear(3, 6, dtype=torch.float64),
            nn.Tanh(),
            nn.Linear(6, 5, dtype=torch.float64),
            nn.Tanh(),
            nn.Linear(5, 1, dtype=torch.float64),
        )


class Normed(Line):
    """The line, learnt by layers with BatchNorm between them."""

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(
            nn.Linear(3, 6, dtype=torch.float64),
            nn.BatchNorm1d(6, dtype=torch.float64),
            nn.Tanh(),
            nn.Linear(6, 1, dtype=torch.float64),
        )


def by_hand(
    task: Line,
    assignment: Assignment,
    make: Callable[[nn.Module], Sequence[Optimizer]],
    drive: Callable[[int, dict[str, Any]], None] | None = None,
) -> list[Weights]:
    """Train with optimizers of the library; the weights after 0, 1, 2, … updates, as they are evaluated.

    Args:
        drive: is given every update's index and each group of parameters, to write its rate and the like.
    """
    data = task.data({"slope": 2.0})
    model = fresh_model(task, assignment)
    optimizers = make(model)
    model.train()
    _enter("train", optimizers)
    generator = torch.Generator().manual_seed(derive_seed(assignment.seed, "order"))
    kept = [_evaluated(model, optimizers)]
    epochs = [torch.randperm(43, generator=generator) for _ in range(0, assignment.horizon, 10)]
    for t in range(assignment.horizon):
        rows = epochs[t // 10][t % 10 * 4 : t % 10 * 4 + 4]
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = assignment.recipe.rate(t, assignment.horizon)
            if drive is not None:
                drive(t, group)
        model.zero_grad()
        task.loss(model(data.train.inputs[rows]), data.train.targets[rows]).backward()  # type: ignore[no-untyped-call]  # torch declares no types here
        for optimizer in optimizers:
            optimizer.step()
        kept.append(_evaluated(model, optimizers))
    return kept


def fresh_model(task: Line, assignment: Assignment) -> nn.Module:
    torch.manual_seed(derive_seed(assignment.seed, "weights"))
    return task.model({})


def mean(several: Sequence[Weights]) -> Weights:
    return [torch.stack(same).mean(dim=0) for same in zip(*several, strict=True)]


def loaded(task: Line, assignment: Assignment, weights: Weights) -> nn.Module:
    model = fresh_model(task, assignment)
    with torch.no_grad():
        for weight, value in zip(model.parameters(), weights, strict=True):
            weight.copy_(value)
    return model


def losses(task: Line, model: nn.Module) -> tuple[float, float]:
    """Validation and test loss of a model."""
    data: Data = task.data({"slope": 2.0})
    model.eval()
    with torch.no_grad():
        validation, test = (task.loss(model(part.inputs), part.targets).item() for part in (data.validation, data.test))
    return validation, test


def _evaluated(model: nn.Module, optimizers: Sequence[Optimizer]) -> Weights:
    before = [weight.detach().clone() for weight in model.parameters()]
    _enter("eval", optimizers)
    weights = [weight.detach().clone() for weight in model.parameters()]
    _enter("train", optimizers)
    with torch.no_grad():
        for weight, value in zip(model.parameters(), before, strict=True):
            weight.copy_(value)
    return weights


def _enter(mode: str, optimizers: Sequence[Optimizer]) -> None:
    for optimizer in optimizers:
        if hasattr(optimizer, mode):
            getattr(optimizer, mode)()
