"""How the gradients of a model's lanes are computed: written out where the model is simple, vectorised elsewhere."""

from __future__ import annotations

import torch
from torch import nn

from search.tasks.base import Split, Task
from search.training.lanes.gradients import Gradients, Stack, Vectorised
from search.training.lanes.linears import Linears, is_written_out
from search.training.lanes.loss import Judge, judge_of


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
