"""The losses of many lanes from the outputs of all, each lane's by the task's own function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.overrides import TorchFunctionMode

from search.tasks.base import Split, Task

Judge = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From outputs and targets, `(lanes, batch, ...)`, to the loss of each lane and its slope along the outputs."""

_IGNORED: Final = -100
_PLAIN: Final = {"weight": None, "ignore_index": _IGNORED, "reduction": "mean", "label_smoothing": 0.0}


def judge_of(task: Task, outputs: Tensor, train: Split) -> Judge:
    """Return how the losses of lanes are computed: in one piece where the task's loss is a plain cross-entropy.

    Args:
        outputs: of one model for one batch, the first rows of ``train``; only their shape and type count.
    """
    return _cross_entropies if _is_cross_entropy(task, outputs.detach(), train) else _vectorised(task)


def _vectorised(task: Task) -> Judge:
    losses_of = torch.vmap(task.loss)

    def judge(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            outputs = outputs.detach().requires_grad_()
            losses = losses_of(outputs, targets)
            (slope,) = torch.autograd.grad(losses.sum(), outputs)
        return losses.detach(), slope

    return judge


def _cross_entropies(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The same written out for all lanes, with the classes in front of the examples.

    Over the last of few classes no vector instruction is filled: of digits-mlp it would be a tenth of an update.
    """
    n_examples, classes = targets.shape[1], targets.unsqueeze(1)
    likely = torch.log_softmax(outputs.mT.contiguous(), dim=1)
    losses = likely.gather(1, classes).squeeze(1).mean(dim=1).neg()
    wanted = likely.new_full((), -1.0).expand(classes.shape)
    slope = likely.exp_().scatter_add_(1, classes, wanted).mul_(1 / n_examples)
    return losses, slope.mT


class _Calls(TorchFunctionMode):
    """Notes every function of torch that is called, with what it was given and what it gave."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        self.seen.append((func, args, kwargs or {}, given))
        return given


def _is_cross_entropy(task: Task, outputs: Tensor, train: Split) -> bool:
    """Whether the loss is one call of ``cross_entropy`` with its defaults, on classes that are all counted."""
    classes = train.targets
    if outputs.ndim != 2 or classes.ndim != 1 or classes.dtype != torch.int64 or int(classes.min()) < 0:
        return False
    targets = classes[: len(outputs)]
    with _Calls() as calls:
        loss = task.loss(outputs, targets)
    match calls.seen:
        case [(function, (given, wanted), options, found)]:
            is_whole = function is cross_entropy and given is outputs and wanted is targets and found is loss
            return is_whole and all(options.get(name, plain) == plain for name, plain in _PLAIN.items())
        case _:
            return False
