"""What each built-in task costs on one core: ``python -m tests.benchmarks.tasks [TASK …]``.

Each is trained for a few seconds as a worker would, at its defaults; the images are made up, in true formats and sizes.
A default run is reckoned from that: its updates, and an evaluation after each epoch and of the test split at the end.
Seconds are of the process on its one core, so that other processes matter little.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import torch

from search.protocol import Point
from search.tasks import registry
from search.tasks.builtin import INFOS
from search.tasks.files import VARIABLE
from search.training.loop import Stop, train
from search.training.measure import measure
from tests.training.image_files import write_cifar, write_fashion
from tests.training.toys import a_recipe, an_assignment, datasets

SECONDS = 5.0
N_WARM = 3


class _Clock:
    """Ends a run after some seconds, and knows how many updates it made in them."""

    def __init__(self) -> None:
        self.started = 0.0
        self.rate = 0.0

    def tick(self, update: int) -> Stop | None:
        now = time.process_time()
        if update == N_WARM:
            self.started = now
        if update <= N_WARM or now - self.started < SECONDS:
            return None
        self.rate = (update - N_WARM) / (now - self.started)
        return "cancel"

    def evaluated(self, point: Point) -> Stop | None:
        raise AssertionError(f"the run was evaluated after {point.update} updates")


def main() -> None:
    """Print a line for each task."""
    torch.set_num_threads(1)
    names = sys.argv[1:] or [info.name for info in INFOS]
    print("task                 parameters  updates/s  evaluation, s  updates of a run   run, s")
    with tempfile.TemporaryDirectory() as folder:
        os.environ[VARIABLE] = folder
        write_fashion(Path(folder, "fashion-mnist"))
        write_cifar(Path(folder, "cifar-10-batches-bin"))
        for name in names:
            _measure(name)


def _measure(name: str) -> None:
    task, kept, clock = registry.load(name), datasets(), _Clock()
    info = task.info
    assignment = an_assignment(
        a_recipe(peak_lr=0.01), task=name, horizon=10**9, updates_per_epoch=info.updates_per_epoch, evaluate_every=10**9
    )
    train(task, assignment, clock, kept)
    options = dict(info.complete({}))
    model, validation = task.model(options), kept.get(task, options).validation
    started = time.process_time()
    measure(task, model, validation, "val")
    evaluation = time.process_time() - started
    n_updates = info.default_epochs * info.updates_per_epoch
    seconds = n_updates / clock.rate + (info.default_epochs + 1) * evaluation
    n_parameters = sum(weight.numel() for weight in model.parameters())
    print(
        f"{name:<20} {n_parameters:>10,} {clock.rate:>10.1f} {evaluation:>14.3f} {n_updates:>17,} {seconds:>8.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
