"""The weights of a run as a file: safetensors, with what they belong to in its metadata."""

from __future__ import annotations

import json

import safetensors.torch
from torch import Tensor

from search.protocol import Assignment


def packed(weights: dict[str, Tensor], assignment: Assignment) -> bytes:
    """Write weights as a safetensors file that says which run they are of."""
    fence = assignment.fence
    metadata = {
        "format": "pt",
        "project": fence.project,
        "study": fence.study,
        "trial": str(fence.trial),
        "attempt": str(fence.attempt),
        "recipe": assignment.recipe.digest,
        "task": assignment.task,
        "task_options": json.dumps(assignment.task_options, sort_keys=True),
        "updates": str(assignment.horizon),
    }
    return safetensors.torch.save(weights, metadata)
