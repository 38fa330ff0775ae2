"""The gradients of many stacks of linear layers, written out: no graph is kept, no vectoriser asked."""

from __future__ import annotations

from typing import Final, Protocol

import torch
from torch import Tensor, nn

from search.training.lanes.gradients import Stack
from search.training.lanes.loss import Judge

_WITHOUT_WEIGHTS: Final = (nn.ReLU, nn.Tanh, nn.GELU, nn.Flatten)


def is_written_out(model: nn.Module, example: Tensor) -> bool:
    """Whether a model is a plain sequence of linear layers and activations over rows of numbers.

    Args:
        example: one input, without the batch.
    """
    if type(model) is not nn.Sequential or any(_has_hooks(module) for module in model.modules()):
        return False
    layers = list(model)
    is_flat = example.ndim == 1 or (len(layers) > 0 and type(layers[0]) is nn.Flatten)
    return is_flat and all(_is_known(layer) for layer in layers) and any(type(layer) is nn.Linear for layer in layers)


class Linears:
    """A sequence of linear layers and activations for many lanes, forward and back.

    One batched product for each layer forward, two back; the gradients go straight to their place.
    """

    def __init__(self, model: nn.Sequential, stack: Stack, judge: Judge) -> None:
        names = stack.layout.names
        weights = dict(zip(names, stack.layout.views(stack.weights), strict=True))
        gradients = dict(zip(names, stack.layout.views(stack.gradients), strict=True))
        self._judge = judge
        self._layers = [_layer(name, layer, weights, gradients) for name, layer in model.named_children()]

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        values = inputs
        for layer in self._layers:
            values = layer.forward(values)
        losses, slope = self._judge(values, targets)
        for number in range(len(self._layers) - 1, -1, -1):
            # before the first weights there is nothing that a slope would be for
            slope = self._layers[number].backward(slope, is_first=number == 0)
        return losses


class _Layer(Protocol):
    def forward(self, values: Tensor) -> Tensor:
        """From the values before the layer, `(lanes, batch, features)`, to those after it."""

    def backward(self, slope: Tensor, *, is_first: bool) -> Tensor:
        """From the slope of the losses along the values after the layer to that before it."""


class _Linear:
    def __init__(self, weights: tuple[Tensor, Tensor | None], gradients: tuple[Tensor, Tensor | None]) -> None:
        self._weight, bias = weights
        self._transposed = self._weight.mT
        self._bias = None if bias is None else bias.unsqueeze(1)
        self._of_weight, self._of_bias = gradients
        self._before: Tensor | None = None

    def forward(self, values: Tensor) -> Tensor:
        self._before = values
        if self._bias is None:
            return torch.bmm(values, self._transposed)
        return torch.baddbmm(self._bias, values, self._transposed)

    def backward(self, slope: Tensor, *, is_first: bool) -> Tensor:
        if self._before is not None:
            torch.bmm(slope.mT, self._before, out=self._of_weight)
        self._before = None
        if self._of_bias is not None:
            torch.sum(slope, dim=1, out=self._of_bias)
        return slope if is_first else torch.bmm(slope, self._weight)


class _Activation:
    """An activation whose derivative follows from its output, or from its input."""

    def __init__(self, layer: nn.Module) -> None:
        self._layer = layer
        self._kept = torch.empty(0)

    def forward(self, values: Tensor) -> Tensor:
        match self._layer:
            case nn.ReLU():
                self._kept = values.relu()
                return self._kept
            case nn.Tanh():
                self._kept = values.tanh()
                return self._kept
            case _:
                self._kept = values
                after: Tensor = self._layer(values)
                return after

    def backward(self, slope: Tensor, *, is_first: bool) -> Tensor:
        aten = torch.ops.aten
        before: Tensor
        match self._layer:
            case nn.ReLU():
                before = aten.threshold_backward(slope, self._kept, 0)
            case nn.Tanh():
                before = aten.tanh_backward(slope, self._kept)
            case _:
                before = aten.gelu_backward(slope, self._kept, approximate=self._layer.approximate)
        return before


class _Flatten:
    def __init__(self) -> None:
        self._shape = torch.Size()

    def forward(self, values: Tensor) -> Tensor:
        self._shape = values.shape
        return values.flatten(2)

    def backward(self, slope: Tensor, *, is_first: bool) -> Tensor:
        return slope.view(self._shape)


def _layer(name: str, layer: nn.Module, weights: dict[str, Tensor], gradients: dict[str, Tensor]) -> _Layer:
    match layer:
        case nn.Linear():
            of_layer, of_gradients = (
                (parts[f"{name}.weight"], parts.get(f"{name}.bias")) for parts in (weights, gradients)
            )
            return _Linear(of_layer, of_gradients)
        case nn.Flatten():
            return _Flatten()
        case _:
            return _Activation(layer)


def _is_known(layer: nn.Module) -> bool:
    if type(layer) is nn.Flatten:
        return layer.start_dim == 1 and layer.end_dim == -1
    return type(layer) in {nn.Linear, *_WITHOUT_WEIGHTS}


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)
