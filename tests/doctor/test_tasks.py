"""A task is tried in a process of its own: whatever it does, the doctor says what, and lives."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from search.devices import DeviceSlot
from search.doctor.diagnosis import Diagnosis
from search.doctor.sources import look_at_tasks
from search.doctor.task import look_at_task
from tests.doctor.conftest import Environment

Registering = Callable[..., Environment]


def tried(environment: Environment, name: str, seconds: float = 20) -> dict[str, Diagnosis]:
    """What is said of a task, the last word on each check."""
    found = look_at_task(name, {}, environment, slot=DeviceSlot("cpu", 0), seconds=seconds)
    return {each.check: each for each in found}


@pytest.mark.parametrize(
    "name, value, check, level, said",
    [
        ("raises", "Raises", "data", "fail", "raised ValueError: there is no such column"),
        ("crashes", "Crashes", "model", "fail", "the building of the model of task crashes was killed by SIGABRT"),
        ("not-a-number", "NotANumber", "batch", "fail", "must be one finite number, and is nan"),
        ("explodes", "Explodes", "speed", "fail", "with adamw at 0.001 the loss is not finite"),
        ("restless", "Restless", "repetition", "warn", "updates with one seed differ: "),
        ("forgetful", "Forgetful", "data", "fail", "loaded a second time the data is other data"),
        ("miscounts", "Miscounts", "data", "fail", "an epoch is 20 updates (320 examples in batches of 16)"),
        ("unmeasured", "Unmeasured", "metrics", "fail", "the TaskInfo names val_f1"),
        ("half-trained", "HalfTrained", "gradient", "warn", "no gradient reaches unused.weight, unused.bias"),
    ],
)
def test_what_is_wrong_with_a_task_is_said(
    registering: Registering, name: str, value: str, check: str, level: str, said: str
) -> None:
    found = tried(registering(**{name: value}), name)
    assert found[check].level == level
    assert said in found[check].sentence
    assert found[check].todo
    assert [each for each in found.values() if each.level == "fail"] == ([found[check]] if level == "fail" else [])


def test_a_task_that_hangs_is_stopped_and_what_it_did_is_said(registering: Registering) -> None:
    found = tried(registering(hangs="Hangs"), "hangs", seconds=4)
    assert found["data"].level == "ok"
    assert found["batch"].sentence == "the first batch of task hangs was stopped after 4 seconds"
    assert "--seconds" in found["batch"].todo


def test_the_traceback_of_a_task_that_raises_is_kept(registering: Registering) -> None:
    found = tried(registering(raises="Raises"), "raises")
    assert 'raise ValueError("there is no such column")' in found["data"].detail


def test_a_task_that_is_not_registered_is_refused_by_name(registering: Registering) -> None:
    found = tried(registering(honest="Honest"), "other")
    assert "there is no task 'other' on this machine" in found["task"].sentence


def test_an_option_that_a_task_does_not_have_is_refused(registering: Registering) -> None:
    environment = registering(honest="Honest")
    (found,) = look_at_task("honest", {"width": 3}, environment, slot=DeviceSlot("cpu", 0))
    assert "task honest has no option 'width'" in found.sentence


def test_options_that_leave_an_epoch_without_an_update_are_refused_before_anything_is_loaded() -> None:
    options = {"train_examples": 10, "batch_size": 11}
    (found,) = look_at_task("breast-cancer", options, os.environ, slot=DeviceSlot("cpu", 0))
    assert found.sentence == "an epoch has no update: a batch of 11 examples is larger than the 10 to train on"
    assert "--option" in found.todo


def test_of_a_task_that_works_everything_is_told(registering: Registering) -> None:
    found = tried(registering(honest="Honest"), "honest")
    assert {name: each.level for name, each in found.items()} == dict.fromkeys(
        ["task", "data", "model", "batch", "gradient", "metrics", "speed", "repetition", "lanes"], "ok"
    )
    assert "train 320×2 float32 → 320 int64" in found["data"].sentence
    assert found["model"].figures == {"weights": 58, "modules": ["BatchNorm"]}
    assert "updates/s with adamw" in found["speed"].sentence
    assert found["lanes"].figures == {"why_alone": None}


def test_what_keeps_a_task_out_of_lanes_is_told(registering: Registering) -> None:
    found = tried(registering(half_trained="HalfTrained"), "half-trained")
    assert found["lanes"].sentence == "trained one at a time: some of its weights have no part in the loss"


def test_tasks_after_one_that_crashes_are_looked_at_all_the_same(registering: Registering) -> None:
    found = {each.check: each for each in look_at_tasks(registering(aborts="Aborts", honest="Honest"))}
    assert found["task aborts"].level == "fail"
    assert "at the loading of task aborts was killed by SIGABRT" in found["task aborts"].sentence
    assert found["task honest"].level == "ok"


def test_every_folder_where_missing_files_were_looked_for_is_named(registering: Registering) -> None:
    environment = {**registering(honest="Honest"), "ETUDE_DATASETS_DIR": "/nowhere"}
    found = {each.check: each for each in look_at_tasks(environment)}
    missing = found["task fashion-mnist-lenet"]
    assert missing.level == "warn"
    assert "/nowhere/fashion-mnist, /nowhere/FashionMNIST/raw" in missing.sentence
    assert "ETUDE_DATASETS_DIR" in missing.todo
