"""What an exception means: which failure of the attempt, and whether the process can be used again."""

from __future__ import annotations

import traceback
from typing import Final

import torch

from search.errors import NotFound, Unsuitable
from search.logs import tail, visible
from search.protocol import Failed

_OF_THE_TASK: Final = "device-side assert"
"""Such as a label out of range: it would break every other device in turn."""

LONGEST_MESSAGE: Final = 2000
_NO_MEMORY: Final = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")
_OF_THE_DEVICE: Final = (
    "CUDA error",
    "CUDA driver error",
    "CUBLAS_STATUS",
    "cuDNN error",
    "CUDNN_STATUS",
    "NCCL error",
)


def failure(error: BaseException, task: str, said: str = "") -> Failed:
    """The failure that an exception of a trial of this task stands for; its log ends with the traceback.

    Args:
        said: what the training printed and logged before.
    """
    match error:
        case Unsuitable() | NotFound():
            cause, sentence = "configuration", str(error)
        case _ if is_out_of_memory(error):
            cause, sentence = "out_of_memory", f"task {task} ran out of memory: {_one_line(error)}"
        case _ if is_of_the_device(error) and _OF_THE_TASK not in str(error):
            cause, sentence = "device", f"the device failed under task {task}: {_one_line(error)}"
        case _:
            cause, sentence = "error", f"task {task} raised {type(error).__name__}: {_one_line(error)}"
    said = f"{said}\n" if said and not said.endswith("\n") else said
    log = said + visible("".join(traceback.format_exception(error)))
    return Failed.model_validate({"cause": cause, "message": visible(sentence)[:LONGEST_MESSAGE], "log": tail(log)})


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the device or the machine."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in _NO_MEMORY)


def is_of_the_device(error: BaseException) -> bool:
    """Whether CUDA itself failed: after that the process's context is broken, whatever the cause was."""
    if is_out_of_memory(error):
        return False
    if isinstance(error, torch.AcceleratorError):
        return True
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in _OF_THE_DEVICE)


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no message"
