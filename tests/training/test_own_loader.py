"""A task whose training data stays outside the device: it brings its own batches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from schedules import Constant, Cosine, Ema, Swa
from search.errors import Unsuitable
from search.tasks.base import BringsBatches
from search.training.data import Datasets, sha256_of
from search.training.loop import train
from tests.training.streamed import Batch, Streamed
from tests.training.toys import Line, Watcher, a_recipe, an_assignment, datasets
from tests.training.twin import Normed


class Ending(Streamed):
    """Its batches end after 25."""

    def batches(self, options: dict[str, Any], seed: int, device: torch.device) -> Iterator[Batch]:
        return islice(super().batches(options, seed, device), 25)


def test_batches_that_end_are_refused(tmp_path: Path) -> None:
    watcher = Watcher()
    with pytest.raises(Unsuitable, match="the batches of task line must never end, and they did"):
        train(Ending(tmp_path / "rows.npy"), an_assignment(), watcher, datasets())
    assert watcher.update == 25


def test_a_task_of_resident_data_brings_no_batches() -> None:
    assert not isinstance(Line(), BringsBatches)


@pytest.mark.parametrize(
    "recipe",
    [
        a_recipe(Cosine()),
        a_recipe(Constant()).model_copy(update={"averaging": Ema(decay=0.9)}),
        a_recipe(Constant()).model_copy(update={"averaging": Swa(start_fraction=0.5)}),
        a_recipe(kind="schedule_free_sgd"),
    ],
    ids=["plain", "ema", "swa", "schedule-free"],
)
def test_the_same_batches_from_a_file_and_from_the_device_give_the_same_run(tmp_path: Path, recipe: Any) -> None:
    task = Streamed(tmp_path / "rows.npy")
    streamed, resident = Watcher(), Watcher()
    ended = train(task, an_assignment(recipe), streamed, datasets())
    expected = train(Normed(), an_assignment(recipe), resident, datasets())
    assert ended == expected
    assert streamed.points == resident.points
    assert task.devices == {torch.device("cpu")}


def test_a_loader_is_given_the_options_and_applies_them_itself(tmp_path: Path) -> None:
    watcher = Watcher()
    options = {"batch_size": 8, "train_examples": 24}
    assignment = an_assignment(task_options=options, horizon=9, updates_per_epoch=3, evaluate_every=3)
    train(Streamed(tmp_path / "rows.npy"), assignment, watcher, datasets())
    assert [point.epoch for point in watcher.points] == [1.0, 2.0, 3.0]


def test_the_sample_stands_for_the_data_in_its_hash(tmp_path: Path) -> None:
    task = Streamed(tmp_path / "rows.npy")
    options = task.info.complete({"train_examples": 24})
    kept = Datasets(torch.device("cpu"))
    assert len(kept.get(task, options).train) == 1
    assert kept.sha256(task, options) == sha256_of(task.data(options)) != sha256_of(Normed().data(options))
