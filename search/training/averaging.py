"""Which weights of a run are judged: its own, their average, or those that a schedule-free optimizer keeps."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import Any, Protocol, assert_never, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn

from schedules import Ema, Recipe, Swa
from search.seeds import derive_seed
from search.training.data import Batches
from search.training.precision import autocast

Mean = Callable[[list[Tensor], list[Tensor], int], Any]
"""Moves averages, in place, towards new weights; told how many weights they already are the average of."""


class Judged(Protocol):
    """What of a run is evaluated."""

    def updated(self, done: int) -> None:
        """Take note of the weights after ``done`` updates; called after every update."""

    def weights(self, done: int) -> AbstractContextManager[nn.Module]:
        """Lend the model to evaluate after ``done`` updates; training then goes on with the weights that it had."""


def judged(recipe: Recipe, model: nn.Module, optimizer: Optimizer, horizon: int, statistics: Statistics) -> Judged:
    """Choose what a recipe says is to be judged, and make a schedule-free optimizer ready for training."""
    if recipe.averaging is not None:
        return Averaged(model, recipe.averaging, horizon, statistics)
    if isinstance(optimizer, TwoModes):
        return ScheduleFree(model, optimizer, statistics)
    return Own(model)


class Statistics:
    """Measures the statistics of BatchNorm anew, over the training data and for the weights as they stand.

    Args:
        train: what the run is trained on.
        n_batches: of one epoch.
        seed: of the run; the order of the batches, and all that the model draws, follow from it.
        dtype: in which the model computes.
    """

    def __init__(self, train: Batches, n_batches: int, seed: int, device: torch.device, dtype: str) -> None:
        self._train = train
        self._n_batches = n_batches
        self._seed = derive_seed(seed, "statistics")
        self._device = device
        self._dtype = dtype

    def refresh(self, model: nn.Module) -> None:
        """Make one pass over the training data in training mode, if the model keeps any statistics.

        What torch draws meanwhile is drawn apart: the run goes on as if there had been no pass.
        """
        if not any(isinstance(module, _BatchNorm) for module in model.modules()):
            return
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            torch.manual_seed(self._seed)
            epoch = islice(self._train(self._seed), self._n_batches)
            with autocast(self._device, self._dtype):
                update_bn((inputs for inputs, _ in epoch), model)


class Own:
    """The weights that are trained."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def updated(self, done: int) -> None:
        pass

    @contextmanager
    def weights(self, done: int) -> Iterator[nn.Module]:
        yield self._model


class Averaged:
    """An average of the weights, in a second model; the weights themselves until the first have entered it.

    The averages are computed by torch's own functions, on lists made once: its ``AveragedModel`` sorts all tensors
    at every update and waits for the device.
    """

    def __init__(self, model: nn.Module, averaging: Ema | Swa, horizon: int, statistics: Statistics) -> None:
        self._model = model
        self._average = copy.deepcopy(model)
        self._statistics = statistics
        self._start = averaging.start(horizon)
        self._every = averaging.every(horizon)
        self._mean = _mean(averaging)
        self._pairs = _by_type(self._average, model)
        self._n_taken = 0
        self._ready_for: int | None = None

    def updated(self, done: int) -> None:
        since = done - self._start
        if since <= 0 or since % self._every:
            return
        for averages, weights in self._pairs:
            if self._n_taken == 0:
                _copy(averages, weights)
            else:
                self._mean(averages, weights, self._n_taken)
        self._n_taken += 1

    @contextmanager
    def weights(self, done: int) -> Iterator[nn.Module]:
        if self._n_taken == 0:
            yield self._model
            return
        if self._ready_for != done:
            _copy(self._average.buffers(), self._model.buffers())
            self._statistics.refresh(self._average)
            self._ready_for = done
        yield self._average


@runtime_checkable
class TwoModes(Protocol):
    """A schedule-free optimizer: in training the model holds other weights than in evaluation."""

    def train(self) -> None: ...

    def eval(self) -> None: ...


class ScheduleFree:
    """The average that a schedule-free optimizer keeps instead of a schedule."""

    def __init__(self, model: nn.Module, optimizer: TwoModes, statistics: Statistics) -> None:
        self._model = model
        self._optimizer = optimizer
        self._statistics = statistics
        optimizer.train()

    def updated(self, done: int) -> None:
        pass

    @contextmanager
    def weights(self, done: int) -> Iterator[nn.Module]:
        # the optimizer's way back to the weights of training rounds: from a copy, a run does not depend on how
        # often it is evaluated
        trained = [weight.detach().clone() for weight in self._model.parameters()]
        self._optimizer.eval()
        self._statistics.refresh(self._model)
        try:
            yield self._model
        finally:
            self._optimizer.train()
            _copy(self._model.parameters(), trained)


def _mean(averaging: Ema | Swa) -> Mean:
    mean: Mean
    match averaging:
        case Ema(decay=decay):
            mean = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch declares no types here
        case Swa():
            mean = get_swa_multi_avg_fn()  # type: ignore[no-untyped-call]  # torch declares no types here
        case _:
            assert_never(averaging)
    return mean


def _by_type(average: nn.Module, model: nn.Module) -> list[tuple[list[Tensor], list[Tensor]]]:
    """Pair the weights of two equal models, those of one type and device in one list, so that one operation does.

    Weights that are no real or complex numbers cannot be trained either: the copy has them already.
    """
    lists: dict[tuple[torch.dtype, torch.device], tuple[list[Tensor], list[Tensor]]] = {}
    for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
        if not (weight.is_floating_point() or weight.is_complex()):
            continue
        averages, weights = lists.setdefault((weight.dtype, weight.device), ([], []))
        averages.append(mean.detach())
        weights.append(weight.detach())
    return list(lists.values())


@torch.no_grad()
def _copy(to: Iterable[Tensor], tensors: Iterable[Tensor]) -> None:
    for each, current in zip(to, tensors, strict=True):
        each.copy_(current)
