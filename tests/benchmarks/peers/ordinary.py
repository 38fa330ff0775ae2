"""A trial as an ordinary training script trains it: torch's data loader, optimizers and scheduler loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from schedules import Recipe
from schedules.torch import EtudeLR, build_optimizer
from search.seeds import derive_seed
from search.tasks import registry
from search.training.data import Datasets, batch_size
from search.training.measure import measure
from tests.benchmarks.peers.values import Job

Epoch = Iterator[tuple[Tensor, Tensor]]
Step = Callable[[Tensor, Tensor], Tensor]


class Script:
    """What a script keeps between its trials: the task, the data and, where it compiles one, the model.

    Model, loss, initial weights, order of data and evaluation are those of the service's own workers, so that the
    losses can be compared; the optimizers are torch's in their fused form, the fastest that a script can choose.
    """

    def __init__(self, job: Job) -> None:
        workload, device = job.workload, torch.device("cpu")
        self.task = registry.load(workload.task)
        self.options: dict[str, Any] = dict(self.task.info.complete(workload.options))
        self.data = Datasets(device).get(self.task, self.options)
        self.batch_size = batch_size(self.task, self.options)
        self.updates_in_epoch = len(self.data.train) // self.batch_size
        self.epochs = workload.epochs
        self._seed = job.trial_seed
        self._batches = _loader if job.feed == "loader" else _resident
        self._compiled = _Compiled(self.task.model(self.options), self.task.loss) if job.feed == "compiled" else None

    def warm_up(self, recipe: Recipe) -> None:
        """Train one epoch, for what is done once in a process."""
        next(self.train(recipe), None)

    def train(self, recipe: Recipe) -> Iterator[float]:
        """Train one trial; yield the loss on the validation split after each epoch, the last if it is not finite."""
        torch.manual_seed(derive_seed(self._seed, "weights"))
        model, step = self._model()
        optimizer = build_optimizer(recipe.optimizer, model.parameters(), recipe.peak_lr, fused=True)
        scheduler = EtudeLR(optimizer, recipe.schedule, self.epochs * self.updates_in_epoch)
        order = torch.Generator().manual_seed(derive_seed(self._seed, "order"))
        torch.manual_seed(derive_seed(self._seed, "noise"))
        model.train()
        for _ in range(self.epochs):
            total = 0.0
            for inputs, targets in self._batches(self, order):
                optimizer.zero_grad()
                loss = step(inputs, targets)
                loss.backward()  # type: ignore[no-untyped-call]  # torch's
                optimizer.step()
                scheduler.step()
                total += loss.item()
            validation = measure(self.task, model, self.data.validation, "val")["val_loss"]
            if not math.isfinite(total + validation):
                yield math.nan
                return
            scheduler.observe(validation)
            yield validation
        measure(self.task, model, self.data.test, "test")

    def _model(self) -> tuple[nn.Module, Step]:
        model, loss_of = self.task.model(self.options), self.task.loss
        if self._compiled is not None:
            return self._compiled.with_weights_of(model)
        return model, lambda inputs, targets: loss_of(model(inputs), targets)


class _Compiled:
    """One compiled model; each trial begins with weights of its own in it, and nothing is compiled again."""

    def __init__(self, model: nn.Module, loss_of: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._model = model
        self._step: Step = torch.compile(lambda inputs, targets: loss_of(model(inputs), targets))

    def with_weights_of(self, fresh: nn.Module) -> tuple[nn.Module, Step]:
        self._model.load_state_dict(fresh.state_dict())
        return self._model, self._step


def _loader(script: Script, order: torch.Generator) -> Epoch:
    dataset = TensorDataset(script.data.train.inputs, script.data.train.targets)
    # torch's RandomSampler draws more than it uses, and the loader draws a seed: the order would be another.
    rows = torch.randperm(len(dataset), generator=order).tolist()
    own = torch.Generator()
    yield from DataLoader(dataset, script.batch_size, sampler=rows, drop_last=True, generator=own)


def _resident(script: Script, order: torch.Generator) -> Epoch:
    train = script.data.train
    rows = torch.randperm(len(train), generator=order)
    for number in range(script.updates_in_epoch):
        chosen = rows[number * script.batch_size : (number + 1) * script.batch_size]
        yield train.inputs[chosen], train.targets[chosen]
