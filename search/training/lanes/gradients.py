"""The gradients of many lanes at once, each of its own loss at its own weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from search.training.lanes.layout import Layout
from search.training.lanes.loss import Judge


@dataclass(frozen=True)
class Stack:
    """Several lanes: their weights, the place for their gradients, and their buffers.

    Attributes:
        weights: `(lanes, width)`.
        gradients: `(lanes, width)`.
        buffers: of the model, by name, each `(lanes, ...)`.
    """

    layout: Layout
    weights: Tensor
    gradients: Tensor
    buffers: Mapping[str, Tensor]


class Gradients(Protocol):
    """Writes every lane's gradient into its row and returns the losses, `(lanes,)`."""

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor: ...


class Vectorised:
    """Any model: the forward pass by ``torch.vmap``, the backward pass by autograd of all losses together.

    The sum of the losses has each lane's own gradient, since no lane's loss depends on another's weights.
    """

    def __init__(self, model: nn.Module, stack: Stack, judge: Judge) -> None:
        self._model = model
        self._judge = judge
        self._buffers = dict(stack.buffers)
        views = stack.layout.views(stack.weights)
        self._weights = {
            name: view.detach().requires_grad_() for name, view in zip(stack.layout.names, views, strict=True)
        }
        self._gradients = stack.layout.views(stack.gradients)
        self._forward = torch.vmap(self._one)

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with torch.enable_grad():
            outputs = self._forward(self._weights, self._buffers, inputs)
        losses, slope = self._judge(outputs.detach(), targets)
        found = torch.autograd.grad(outputs, list(self._weights.values()), slope)
        torch._foreach_copy_(self._gradients, found)
        return losses

    def _one(self, weights: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor) -> Tensor:
        outputs: Tensor = functional_call(self._model, (weights, buffers), (inputs,))
        return outputs
