"""Why a task's trials are trained one at a time, in words: found out by trying two of them together."""

from __future__ import annotations

import warnings
from itertools import islice
from typing import Any, Final

import torch
from torch import Tensor, nn

from search.tasks.base import BringsBatches, Task
from search.training.data import Datasets, batch_size, batches
from search.training.failures import is_of_the_device, is_out_of_memory
from search.training.lanes.choice import gradients_of, judge_for
from search.training.lanes.gradients import Stack
from search.training.lanes.layout import Layout
from search.training.lanes.modules import KEY, prepare
from search.training.lanes.starts import Starts

_TOLERANCES: Final = {torch.float64: 1e-9, torch.float32: 1e-3}
"""Share of its size by which a gradient may differ; a model that mixes up its lanes is off by far more."""

_RANDOM: Final = "randomness"
_UNUSED: Final = "not have been used in the graph"


def why_alone(task: Task, options: dict[str, Any], datasets: Datasets) -> str | None:
    """Return what keeps the trials of a task out of lanes, as the rest of a sentence about it; None when nothing does.

    One update is tried with two lanes of other weights and other data, and compared with the two models alone: what
    cannot be vectorised raises, and what is not vectorised rightly differs.

    Args:
        options: of the task, complete with defaults.

    Raises:
        Exception: what the task raises when its data is loaded or its model built.
    """
    declared = said_alone(task, options)
    if declared is not None:
        return declared
    datasets.get(task, options)  # data that is not there keeps nothing out of lanes: it is raised
    starts = Starts(task, options, datasets.device)
    models = [starts.model(seed) for seed in (1, 2, 3)]
    complaint = _complaint_of_weights(models[0])
    if complaint is not None:
        return complaint
    try:
        # with every mask as it is, only to see that it runs; then without, so that the numbers can be compared
        _together(task, options, datasets, models)
        for model in models:
            _forget_dropout(model)
        return _difference(task, options, datasets, models)
    except Exception as error:
        if is_out_of_memory(error) or is_of_the_device(error):
            raise
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        if _UNUSED in line:
            return "some of its weights have no part in the loss"
        if _RANDOM in line:
            return "its model draws random numbers other than by nn.Dropout, which a lane cannot do by itself"
        return f"its model or loss cannot be vectorised: {line[:300]}"


def said_alone(task: Task, options: dict[str, Any]) -> str | None:
    """Return what keeps a task out of lanes by what it says of itself, with nothing tried."""
    if isinstance(task, BringsBatches):
        return "it brings its own loader, whose batches come one after the other"
    if options.get("dtype", "float32") != "float32":
        return f"its models compute in {options['dtype']}"
    return None


def _complaint_of_weights(model: nn.Module) -> str | None:
    weights = dict(model.named_parameters())
    if not weights:
        return "its model has no weights"
    types = sorted({str(weight.dtype).removeprefix("torch.") for weight in weights.values()})
    if len(types) > 1 or next(iter(weights.values())).dtype not in _TOLERANCES:
        return f"its weights are of type {' and '.join(types)}; in lanes all are float32, or all float64"
    frozen = [name for name, weight in weights.items() if not weight.requires_grad]
    if frozen:
        return f"some of its weights are not trained: {', '.join(frozen[:3])}"
    return None


def _together(
    task: Task, options: dict[str, Any], datasets: Datasets, models: list[nn.Module]
) -> tuple[Stack, Tensor, list[tuple[Tensor, Tensor]]]:
    """Compute the gradients of two models in two lanes; the third model is the lanes' own."""
    *pair, template = models
    data = datasets.get(task, options)
    size = batch_size(task, options)
    pairs = list(islice(batches(data.train, size, 0), 2))
    if len({len(inputs) for inputs, _ in pairs}) > 1:
        raise ValueError("its batches are not all of one size")
    judge = judge_for(task, template, data.train, size)
    prepare(template)
    layout = Layout(template)
    buffers = {name: torch.stack([buffer, buffer]) for name, buffer in template.named_buffers()}
    for lane, model in enumerate(pair):
        for name, buffer in model.named_buffers():
            buffers[name][lane] = buffer
    weights = torch.stack([layout.row(model) for model in pair])
    stack = Stack(layout, weights, torch.zeros_like(weights), buffers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a batching rule that torch lacks is slow, and the calibration will see it
        compute = gradients_of(template, stack, judge, data.train)
        with torch.no_grad():
            losses = compute(*(torch.stack(part) for part in zip(*pairs, strict=True)))
    return stack, losses, pairs


def _difference(task: Task, options: dict[str, Any], datasets: Datasets, models: list[nn.Module]) -> str | None:
    stack, losses, pairs = _together(task, options, datasets, models)
    tolerance = _TOLERANCES[stack.layout.dtype]
    for lane, (model, (inputs, targets)) in enumerate(zip(models, pairs, strict=False)):
        model.train()
        loss = task.loss(model(inputs), targets)
        found = torch.autograd.grad(loss, list(model.parameters()))
        apart = [_apart(losses[lane], loss.detach())]
        views = stack.layout.views(stack.gradients)
        apart += [_apart(view[lane], gradient) for view, gradient in zip(views, found, strict=True)]
        apart += [_apart(stack.buffers[name][lane], buffer) for name, buffer in _counted(model)]
        if not max(apart) <= tolerance:
            return f"in lanes one update is another than alone: the two differ by {max(apart):.1e} of their size"
    return None


def _counted(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, buffer) for name, buffer in model.named_buffers() if not name.endswith(KEY)]


def _apart(found: Tensor, expected: Tensor) -> float:
    found, expected = found.detach().double(), expected.detach().double()
    size = float(expected.abs().max())
    return float((found - expected).abs().max()) / (size if size > 1e-6 else 1.0)


def _forget_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
