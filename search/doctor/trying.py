"""A task is tried step by step, in a process that may crash or hang: see ``search.doctor.task``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from search.doctor.child import Teller, telling
from search.doctor.diagnosis import Diagnosis, failing, fine, size, warning
from search.doctor.files import PROVIDE, looked_for, told_of_files
from search.doctor.running import RECIPE, pace, twice
from search.errors import SearchError
from search.seeds import derive_seed
from search.tasks import registry
from search.tasks.base import BringsBatches, Data, ReadsFiles, Split, Task
from search.tasks.files import FilesMissing
from search.training.data import Datasets, batch_size, source
from search.training.failures import failure
from search.training.lanes.why import why_alone
from search.training.measure import measure
from search.training.precision import forward

SHARE_OF_TRAINING: Final = 0.2
"""Of all the time, for counting updates; as much again is for the two runs that are compared."""

MOST_UPDATES: Final = 200

Step = Callable[[], Iterable[Diagnosis]]


class Tryout:
    """One task that is tried: each step is made with what the steps before it found."""

    task: Task
    options: dict[str, Any]
    data: Data
    updates_per_second: float

    def __init__(self, name: str, given: dict[str, Any], device: torch.device, seconds: float) -> None:
        self.name = name
        self._given = given
        self._datasets = Datasets(device)
        self._seconds = seconds
        self._give_up_at = time.monotonic() + seconds
        self._evaluation_seconds = 0.0

    def steps(self) -> list[tuple[str, str, Step]]:
        """Each step: what it checks, what it does in words, and the doing."""
        return [
            ("task", "the loading", self.load),
            ("files", "the search for files", self.look_for_files),
            ("data", "the loading of the data", self.look_at_data),
            ("model", "the building of the model", self.look_at_model),
            ("batch", "the first batch", self.try_a_batch),
            ("metrics", "an evaluation", self.evaluate),
            ("speed", "the training", self.count_updates),
            ("repetition", "the training with one seed twice", self.repeat),
            ("lanes", "an update in two lanes", self.try_lanes),
        ]

    def load(self) -> Iterator[Diagnosis]:
        self.task = registry.load(self.name)
        try:
            self.options = dict(self.task.info.complete(self._given))
        except ValueError as error:
            yield failing("task", str(error), "give other options with --option")
            return
        if not self.task.info.updates_in_epoch(self.options):
            examples = self.options.get("train_examples", self.task.info.train_examples)
            per_update = batch_size(self.task, self.options)
            said = f"an epoch has no update: a batch of {per_update} examples is larger than the {examples} to train on"
            yield failing("task", said, "give other options with --option")
            return
        said = ", ".join(f"{name}={value}" for name, value in self.options.items())
        yield fine(
            "task", f"{self.name} is loaded, with the options {said or 'that it has: none'}", options=self.options
        )

    def look_for_files(self) -> Iterator[Diagnosis]:
        if not isinstance(self.task, ReadsFiles):
            return
        sources = self.task.sources()
        try:
            yield fine("files", told_of_files(self.name, sources))
        except FilesMissing as error:
            yield failing("files", str(error), PROVIDE, looked_for=looked_for(sources))

    def look_at_data(self) -> Iterator[Diagnosis]:
        began = time.perf_counter()
        self.data = self._datasets.get(self.task, self.options)
        took = time.perf_counter() - began
        digest = self._datasets.sha256(self.task, self.options)
        splits = {"train": self.data.train, "validation": self.data.validation, "test": self.data.test}
        total = sum(each.nbytes for split in splits.values() for each in (split.inputs, split.targets))
        shapes = "; ".join(f"{name} {_described(split)}" for name, split in splits.items())
        figures = {"seconds": round(took, 3), "bytes": total, "sha256": digest}
        yield fine("data", f"{shapes}; {size(total)} in {took:.2g} s, SHA-256 {digest[:12]}…", **figures)
        bad = [name for name, split in splits.items() if not _is_finite(split)]
        if bad:
            todo = "correct the data, or leave out these examples"
            yield failing("data", f"not all numbers are finite in {', '.join(bad)}", todo)
        yield from self._epoch()
        if took < self._seconds / 10:
            yield from self._data_again(digest)

    def _epoch(self) -> Iterator[Diagnosis]:
        said = self.task.info.updates_in_epoch(self.options)
        if isinstance(self.task, BringsBatches):
            return
        examples, per_update = len(self.data.train), batch_size(self.task, self.options)
        if examples // per_update != said:
            yield failing(
                "data",
                f"an epoch is {examples // per_update} updates ({examples} examples in batches of {per_update}), and "
                f"the TaskInfo says {said}: no trial would be trained",
                "correct updates_per_epoch, or train_examples and batch_size, in the TaskInfo",
            )

    def _data_again(self, digest: str) -> Iterator[Diagnosis]:
        again = Datasets(torch.device("cpu")).sha256(self.task, self.options)
        if again != digest:
            yield failing(
                "data",
                f"loaded a second time the data is other data (SHA-256 {again[:12]}…): no two workers would agree",
                "draw whatever `data` draws from a generator with a fixed seed",
            )

    def look_at_model(self) -> Iterator[Diagnosis]:
        model = self._model()
        weights = list(model.parameters())
        kinds = {"BatchNorm": _BatchNorm, "Dropout": _DropoutNd}
        held = [name for name, kind in kinds.items() if any(isinstance(each, kind) for each in model.modules())]
        count = sum(weight.numel() for weight in weights)
        frozen = [name for name, weight in model.named_parameters() if not weight.requires_grad]
        tensors = f"{len(weights)} tensor{'s' * (len(weights) != 1)}"
        said = f"{count:,} weights in {tensors}; {' and '.join(held) or 'no BatchNorm, no Dropout'}"
        if not weights:
            yield failing("model", "the model has no weights: there is nothing to train", "return another module")
        elif frozen:
            yield warning(
                "model", f"{said}; not trained: {', '.join(frozen[:5])}", "is that meant? else set requires_grad"
            )
        else:
            yield fine("model", said, weights=count, modules=held)

    def try_a_batch(self) -> Iterator[Diagnosis]:
        model = self._model()
        inputs, targets = next(source(self.task, self.data, self.options, self._datasets.device)(0))
        model.train()
        outputs = forward(model, self.options.get("dtype", "float32"))(inputs)
        loss = self.task.loss(outputs, targets)
        if loss.shape != () or not torch.isfinite(loss):
            found = f"of shape {tuple(loss.shape)}" if loss.shape != () else f"{float(loss)}"
            yield failing("batch", f"the loss of the first batch must be one finite number, and is {found}", _LOSS)
            return
        torch.autograd.backward(loss)
        told = f"inputs {tuple(inputs.shape)} → outputs {tuple(outputs.shape)}, loss {float(loss):.4g}"
        yield fine("batch", told, loss=float(loss))
        yield from _of_gradients(model)

    def evaluate(self) -> Iterator[Diagnosis]:
        began = time.perf_counter()
        dtype = self.options.get("dtype", "float32")
        measured = measure(self.task, self._model(), self.data.validation, "val", dtype=dtype)
        self._evaluation_seconds = time.perf_counter() - began
        absent = [name for name in self.task.info.metrics if name not in {*measured, "train_loss"}]
        if absent:
            yield failing(
                "metrics",
                f"the TaskInfo names {', '.join(absent)}, and an evaluation measures {', '.join(measured)}",
                "let `metrics` return them, without the prefix val_, or take them out of the TaskInfo",
            )
            return
        told = ", ".join(f"{name} {value:.4g}" for name, value in measured.items())
        figures = {"seconds": round(self._evaluation_seconds, 4)}
        yield fine("metrics", f"an evaluation takes {self._evaluation_seconds:.2g} s: untrained {told}", **figures)

    def count_updates(self) -> Iterator[Diagnosis]:
        found = pace(self.task, self.options, self._datasets, self._seconds * SHARE_OF_TRAINING)
        name = RECIPE.optimizer.kind
        if found.diverged is not None:
            said = f"after {found.diverged.update} updates with {name} at {RECIPE.peak_lr:g} the loss is not finite"
            yield failing("speed", said, _LOSS)
            return
        self.updates_per_second = found.updates / found.seconds
        epoch = self.task.info.updates_in_epoch(self.options) / self.updates_per_second
        told = f"{self.updates_per_second:,.0f} updates/s with {name}: {epoch:.2g} s for an epoch"
        figures = {"updates_per_second": self.updates_per_second, "updates": found.updates, "seconds": found.seconds}
        yield fine("speed", told, **figures)

    def repeat(self) -> Iterator[Diagnosis]:
        left = self._give_up_at - time.monotonic()
        affordable = (left / 2 - 2 * self._evaluation_seconds - 0.1 * self._seconds) / 2 * self.updates_per_second
        n_updates = min(MOST_UPDATES, int(affordable))
        if n_updates < 2:
            todo = f"give it more time with --seconds, now {self._seconds:g}"
            yield warning("repetition", "whether a run repeats was not tried: two of them would take too long", todo)
            return
        first, second = twice(self.task, self.options, self._datasets, n_updates)
        other = sorted(name for name in first if first[name] != second.get(name))
        if other:
            name = other[0]
            yield warning(
                "repetition",
                f"two runs of {n_updates} updates with one seed differ: {name} {first[name]} and {second.get(name)}",
                "draw through torch's own generator or from fixed seeds; else schedules are compared under other noise",
            )
        else:
            yield fine("repetition", f"two runs of {n_updates} updates with one seed agree in every figure")

    def try_lanes(self) -> Iterator[Diagnosis]:
        why = why_alone(self.task, self.options, self._datasets)
        told = "its trials can be trained in lanes, many at once" if why is None else f"trained one at a time: {why}"
        yield fine("lanes", told, why_alone=why)

    def _model(self) -> nn.Module:
        torch.manual_seed(derive_seed(0, "weights"))
        return self.task.model(dict(self.options)).to(self._datasets.device)


_LOSS: Final = "correct `loss`, or the data and the model that it is computed from"


def _of_gradients(model: nn.Module) -> Iterator[Diagnosis]:
    trained = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
    unreached = [name for name, gradient in trained.items() if gradient is None]
    bad = [name for name, slope in trained.items() if slope is not None and not torch.isfinite(slope).all()]
    if bad:
        yield failing("gradient", f"the gradient of {', '.join(bad[:5])} is not finite", _LOSS)
    elif unreached:
        todo = "use them in `forward`, or leave them out of the model"
        yield warning("gradient", f"no gradient reaches {', '.join(unreached[:5])}: they are never trained", todo)
    else:
        yield fine("gradient", "a finite gradient reaches every weight")


def _described(split: Split) -> str:
    kinds = [f"{_shape(each)} {str(each.dtype).removeprefix('torch.')}" for each in (split.inputs, split.targets)]
    return " → ".join(kinds)


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape))


def _is_finite(split: Split) -> bool:
    return all(bool(torch.isfinite(each).all()) for each in (split.inputs, split.targets))


def try_steps(teller: Teller, tryout: Tryout) -> None:
    """Make one step after the other, until one fails."""
    for check, doing, step in tryout.steps():
        teller.begin(check, doing)
        try:
            for diagnosis in step():
                teller.tell(diagnosis)
                if diagnosis.level == "fail":
                    return
        except (Exception, SystemExit) as error:  # noqa: BLE001  a task is a stranger's program: it may raise anything
            teller.tell(_raised(check, doing, error, tryout.name))
            return


def _raised(check: str, doing: str, error: Exception | SystemExit, name: str) -> Diagnosis:
    failed = failure(error, name)
    if isinstance(error, SearchError):
        return failing(check, failed.message, "do as it says, then look again")
    return failing(
        check, f"{doing}: {failed.message}", "correct the task; its traceback stands below", detail=failed.log
    )


def main() -> None:
    teller, (name, given, kind, seconds) = telling()
    if kind == "cpu":
        torch.set_num_threads(1)
    if kind == "cuda" and not torch.cuda.is_available():
        todo = "choose another with --device; `etude doctor` says which devices compute"
        teller.tell(failing("device", "torch finds no such CUDA device", todo))
        return
    device = torch.device("cuda", 0) if kind == "cuda" else torch.device("cpu")
    try_steps(teller, Tryout(name, json.loads(given), device, float(seconds)))


if __name__ == "__main__":
    main()
