"""In which type a model computes: that of its weights, or bfloat16 under autocast.

Weights, losses and metrics are never cast: only what happens inside the model is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn


def autocast(device: torch.device, dtype: str) -> AbstractContextManager[object]:
    """Let what a model computes meanwhile be in ``bfloat16``; for ``float32`` everything stays as it is."""
    return torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bfloat16")


def forward(model: nn.Module, dtype: str) -> Callable[[Tensor], Tensor]:
    """The forward pass of a model; its outputs in float32 where it computes in bfloat16."""
    if dtype == "float32":
        return model

    def cast(inputs: Tensor) -> Tensor:
        with autocast(inputs.device, dtype):
            outputs: Tensor = model(inputs)
        return outputs.float() if outputs.dtype is torch.bfloat16 else outputs

    return cast
