"""What an exception means for the trial and for the process."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import pytest
import torch
from torch import nn

from search.errors import NotFound
from search.protocol import Completed, Failed
from search.tasks.base import Task
from search.training.failures import failure, is_of_the_device
from search.training.trainer import Trainer
from tests.training.toys import CPU, Line, Watcher, an_assignment


def _trainer(task: Task) -> Trainer:
    return Trainer(CPU, load=lambda _: task)


class Broken(Line):
    """Raises what it is given instead of building a model."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def model(self, options: dict[str, Any]) -> nn.Module:
        raise self._error


@pytest.mark.parametrize(
    "error,cause",
    [
        (ValueError("shapes differ"), "error"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"), "out_of_memory"),
        (MemoryError(), "out_of_memory"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
            "out_of_memory",
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "out_of_memory"),
        (torch.AcceleratorError("CUDA error: an illegal memory access was encountered"), "device"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "device"),
        (torch.AcceleratorError("CUDA error: device-side assert triggered"), "error"),
        (NotFound("there is no task 'x' on this machine"), "configuration"),
        (SystemExit(3), "error"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_exception_becomes_the_failure_that_says_what_to_do(error: BaseException, cause: str) -> None:
    ended = _trainer(Broken(error))(an_assignment(), Watcher())
    assert isinstance(ended.outcome, Failed)
    assert ended.outcome.cause == cause
    assert ended.process_broken == (isinstance(error, torch.AcceleratorError) or "cuDNN" in str(error))


def test_a_bad_option_is_a_configuration_failure_with_the_rule() -> None:
    ended = _trainer(Line())(an_assignment(task_options={"slope": "steep"}), Watcher())
    assert isinstance(ended.outcome, Failed)
    assert (ended.outcome.cause, ended.outcome.message) == (
        "configuration",
        "option slope of task line must be of type number, not 'steep'",
    )


def test_a_task_that_raises_leaves_one_sentence_and_the_whole_traceback() -> None:
    def helper_of_the_user() -> NoReturn:
        raise ValueError("first line\nsecond line")

    class Faulty(Line):
        def model(self, options: dict[str, Any]) -> nn.Module:
            helper_of_the_user()

    ended = _trainer(Faulty())(an_assignment(), Watcher())
    assert isinstance(ended.outcome, Failed)
    assert ended.outcome.message == "task line raised ValueError: first line"
    assert "in helper_of_the_user" in ended.outcome.log
    assert "second line" in ended.outcome.log


def test_of_a_long_traceback_the_end_is_kept() -> None:
    told = failure(ValueError("x" * 100_000 + "the end"), "line")
    assert len(told.message) == 2000
    assert len(told.log) == 64 * 1024
    assert told.log.endswith("the end\n")


def test_running_out_of_memory_does_not_condemn_the_device() -> None:
    assert not is_of_the_device(torch.OutOfMemoryError("CUDA error: out of memory"))


def test_after_a_failure_the_next_trial_trains() -> None:
    class Once(Line):
        is_broken = True

        def model(self, options: dict[str, Any]) -> nn.Module:
            if self.is_broken:
                self.is_broken = False
                sys.exit("the task ends the process")
            return super().model(options)

    trainer = _trainer(Once())
    assert isinstance(trainer(an_assignment(), Watcher()).outcome, Failed)
    ended = trainer(an_assignment(), Watcher())
    assert isinstance(ended.outcome, Completed)
    assert ended.seconds > 0
