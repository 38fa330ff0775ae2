"""The options of a worker's task over HTTP: how long they make an epoch, and when they leave nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from search.tasks.info import TaskInfo, standard_options
from tests.service.by_hand import as_object
from tests.service.problems import read_problem
from tests.service.server import LiveServer

MINE = TaskInfo(
    name="mine",
    metrics={"val_loss": "minimize"},
    updates_per_epoch=37,
    options=standard_options(batch_size=32, train_examples=1200, classes=10),
    train_examples=1200,
    batch_size=32,
)


@pytest.fixture
def client(live_server: LiveServer) -> Iterator[httpx.Client]:
    """A client of a service whose one worker can train ``mine``."""
    with live_server.client() as client:
        answer = client.post("/v1/work/announce", json={"worker": "w", "tasks": [MINE.model_dump(mode="json")]})
        assert answer.status_code == 204, answer.text
        yield client


def _submit(client: httpx.Client, **options: Any) -> httpx.Response:
    return client.post("/v1/studies", json={"name": "first", "task": "mine", "task_options": options, "epochs": 10})


def test_a_batch_larger_than_the_subset_is_refused_with_its_place(client: httpx.Client) -> None:
    answer = _submit(client, batch_size=64, train_examples=63)
    problem = read_problem(answer, 422, "a batch must be no larger than what there is to train on")
    (error,) = problem["errors"]
    assert (error["where"], error["value"]) == ("body.task_options.batch_size", 64)


def test_a_worker_s_task_without_a_length_of_its_epochs_is_refused(client: httpx.Client) -> None:
    info = MINE.model_dump(mode="json") | {"train_examples": None}
    answer = client.post("/v1/work/announce", json={"worker": "w", "tasks": [info]})
    read_problem(answer, 422, "task mine must say both train_examples and batch_size, or neither")


def test_a_study_is_as_long_as_its_options_make_it(client: httpx.Client) -> None:
    plan = as_object(_submit(client, batch_size=100, train_examples=750))["plan"]
    assert (plan["horizon"], plan["updates_per_epoch"], plan["evaluate_every"]) == (70, 7, 7)
    assert plan["task_options"] == {
        "batch_size": 100,
        "train_examples": 750,
        "dtype": "float32",
        "label_noise": 0.0,
    }
