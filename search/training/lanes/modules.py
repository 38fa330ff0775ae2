"""Modules whose training depends on more than weights and inputs, made fit for many lanes at once."""

from __future__ import annotations

from functools import partial
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from search.seeds import derive_seed

KEY: Final = "lane_key"
"""The buffer of a dropout layer from which a lane's next mask follows."""

_STEP: Final = -7046029254386353131
_FIRST: Final = -4658895280553007687
_SECOND: Final = -7723592293110705685
_BITS: Final = 24


def prepare(model: nn.Module) -> nn.Module:
    """Change a model, in place, so that one lane of many can train on it; the names of its weights stay.

    BatchNorm keeps its running statistics without changing anything but its buffers. Dropout draws from a counter
    in place of torch's random state: a mask is a pure function of the lane's seed, the layer and the number of
    masks before it, and so of no neighbour.
    """
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.forward = partial(_normed, module)  # type: ignore[method-assign]  # this model's own
        elif isinstance(module, _DropoutNd) and type(module) in _MASKED and module.p > 0:
            module.register_buffer(KEY, torch.zeros((), dtype=torch.int64, device=_device(model)))
            module.forward = partial(_dropped, module)
    return model


def seed_keys(buffers: dict[str, Tensor], row: int, seed: int) -> None:
    """Begin a lane's masks anew."""
    for name, values in buffers.items():
        if name.rpartition(".")[2] == KEY:
            values[row] = derive_seed(seed, "noise", name) << 31


def _normed(module: _BatchNorm, inputs: Tensor) -> Tensor:
    axes = [0, *range(2, inputs.ndim)]
    if module.running_mean is not None and module.running_var is not None:
        _keep_statistics(module, inputs.detach(), axes)
    return batch_norm(inputs, None, None, module.weight, module.bias, training=True, eps=module.eps)


def _keep_statistics(module: _BatchNorm, inputs: Tensor, axes: list[int]) -> None:
    count, mean, variance = module.num_batches_tracked, module.running_mean, module.running_var
    if count is None or mean is None or variance is None:
        return
    count.add_(1)
    new_variance, new_mean = torch.var_mean(inputs, axes)
    share = 1 / count.to(mean.dtype) if module.momentum is None else torch.full_like(mean[0], module.momentum)
    mean.add_((new_mean - mean) * share)
    variance.add_((new_variance - variance) * share)


def _dropped(module: _DropoutNd, inputs: Tensor) -> Tensor:
    key: Tensor = getattr(module, KEY)
    shape = _MASKED[type(module)](inputs)
    n = shape.numel()
    bits = _mixed(torch.arange(n, device=inputs.device) * _STEP + key).view(shape)
    key.add_(_signed(n * _STEP))
    kept = (bits & ((1 << _BITS) - 1)) >= round(module.p * (1 << _BITS))
    share = 1 - module.p
    return inputs * kept if share == 0 else inputs * kept / share


def _mixed(values: Tensor) -> Tensor:
    """Return 64 bits that look random for each number: the finisher of splitmix64."""
    values = (values ^ _shifted(values, 30)) * _FIRST
    values = (values ^ _shifted(values, 27)) * _SECOND
    return values ^ _shifted(values, 31)


def _shifted(values: Tensor, by: int) -> Tensor:
    """Shift to the right and fill in with zeros, as torch does not with signed numbers."""
    return (values >> by) & ((1 << (64 - by)) - 1)


def _signed(number: int) -> int:
    """Return a whole number as 64 bits with a sign hold it, where it does not fit."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def _each(inputs: Tensor) -> torch.Size:
    return inputs.shape


def _each_channel(inputs: Tensor) -> torch.Size:
    return torch.Size([*inputs.shape[:2], *([1] * (inputs.ndim - 2))])


_MASKED: Final = {
    nn.Dropout: _each,
    nn.Dropout1d: _each_channel,
    nn.Dropout2d: _each_channel,
    nn.Dropout3d: _each_channel,
}


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
