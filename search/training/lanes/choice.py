"""How a model's lanes are computed: gradients written out where it is simple, vectorised elsewhere; Muon's matrices."""

from __future__ import annotations

import torch
from torch import nn

from search.errors import Unsuitable
from search.tasks.base import Split, Task
from search.training.lanes.gradients import Gradients, Stack, Vectorised
from search.training.lanes.layout import Layout
from search.training.lanes.linears import Linears, is_written_out
from search.training.lanes.loss import Judge, judge_of
from search.training.lanes.rules import Matrix
from search.training.loop import hidden_of


def gradients_of(model: nn.Module, stack: Stack, judge: Judge, train: Split) -> Gradients:
    """Return the fastest computation that a model allows; what they compute is the same."""
    if isinstance(model, nn.Sequential) and is_written_out(model, train.inputs[0]):
        return Linears(model, stack, judge)
    return Vectorised(model, stack, judge)


def judge_for(task: Task, model: nn.Module, train: Split, batch_size: int) -> Judge:
    """Return how the losses of lanes are computed from their outputs."""
    with torch.no_grad():
        model.eval()
        outputs = model(train.inputs[:batch_size])
        model.train()
        return judge_of(task, outputs, train)


def hidden_places(task: Task, model: nn.Module, layout: Layout, kind: str) -> list[Matrix]:
    """Return where in a lane the matrices are that Muon takes; none for any other kind of optimizer.

    Raises:
        Unsuitable: the model has none.
    """
    if kind != "muon":
        return []
    taken = {id(matrix) for matrix in hidden_of(task, model)}
    starts = zip(layout.starts, model.parameters(), strict=True)
    found = [Matrix(start, (weight.shape[0], weight.shape[1])) for start, weight in starts if id(weight) in taken]
    if not found:
        raise Unsuitable(
            f"task {task.info.name} cannot be trained with muon: it has no hidden matrix, a weight of two "
            "dimensions between the first and the last layer",
            where=("recipe", "optimizer"),
            value=kind,
        )
    return found
