"""A worker's process, from its start to the signal that ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from search.errors import Unsuitable
from search.launch import run_worker
from tests.training.image_files import write_cifar
from tests.worker.office import Office
from tests.worker.processes import ROOT, output_of, read_until, running, worker_command

LONG: dict[str, Any] = {"epochs": 100_000, "lease_seconds": 0.3}


def test_a_device_that_is_none_is_refused() -> None:
    with pytest.raises(Unsuitable, match="a device is cpu, cpu:N, cuda or cuda:N with a number N from 0, not 'tpu'"):
        run_worker(Office(), device="tpu")


def test_a_task_that_is_not_installed_is_refused() -> None:
    ended = subprocess.run(worker_command("circle"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "NotFound: there is no task 'circle' on this machine; registered tasks: " in ended.stderr


def test_a_task_that_is_asked_for_and_lacks_its_files_is_refused(tmp_path: Path) -> None:
    environment = {**os.environ, "ETUDE_DATASETS_DIR": str(tmp_path)}
    command = worker_command("cifar10-resnet")
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert f"lacks files that it reads; no folder of {tmp_path}/cifar-10-batches-bin holds" in ended.stderr


_ANNOUNCES = """
import json, logging
from search.errors import Unsuitable
from search.launch import run_worker

class Door:
    def announce(self, announcement):
        print(json.dumps([[task.name for task in announcement.tasks], announcement.left_out]))
        raise Unsuitable("that is enough")

logging.basicConfig(level=logging.INFO)
try:
    run_worker(Door(), device="cpu:0")
except Unsuitable as error:
    assert str(error) == "that is enough"
"""


def test_a_worker_leaves_out_the_tasks_that_lack_files_and_says_where_it_looked(tmp_path: Path) -> None:
    write_cifar(tmp_path / "cifar-10-batches-bin")
    environment = {**os.environ, "ETUDE_DATASETS_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", _ANNOUNCES], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    names, left_out = json.loads(ended.stdout)
    assert {"digits-mlp", "cifar10-resnet", "char-gpt"} <= set(names)
    assert list(left_out) == ["fashion-mnist-lenet"]
    assert f"{tmp_path}/FashionMNIST/raw" in left_out["fashion-mnist-lenet"]
    assert f"{left_out['fashion-mnist-lenet']}; this worker works without it" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_told_by_a_signal_gives_its_trial_back_and_exits_with_0(number: signal.Signals) -> None:
    with running(worker_command("digits-mlp", **LONG)) as process:
        read_until(process, "report")
        process.send_signal(number)
        read_until(process, "release")
        *_, last = output_of(process)
        assert process.wait(30) == 0
    assert json.loads(last) == [["queued", 0]]


def test_a_second_signal_does_not_wait() -> None:
    with running(worker_command("digits-mlp", hangs_at="release", **LONG)) as process:
        read_until(process, "report")
        process.terminate()
        read_until(process, "release")
        process.terminate()
        assert process.wait(30) == 1


def test_a_worker_whose_parent_is_killed_gives_its_trial_back_and_ends() -> None:
    program = """
import os, subprocess, sys
from tests.worker.processes import worker_command
subprocess.run(worker_command("digits-mlp", parent=os.getpid(), epochs=100_000, lease_seconds=0.3))
"""
    with running([sys.executable, "-c", program]) as process:
        read_until(process, "report")
        os.kill(process.pid, signal.SIGKILL)
        read_until(process, "release")
        *_, last = output_of(process)
    assert json.loads(last) == [["queued", 0]]


@pytest.mark.gpu
def test_a_worker_trains_on_its_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    with running(worker_command("digits-mlp", device="cuda:0", budget={"trials": 2}, epochs=2)) as process:
        read_until(process, "finish")
        read_until(process, "finish")
        read_until(process, "claim")
        process.terminate()
        *_, last = output_of(process)
        assert process.wait(30) == 0
    assert json.loads(last) == [["completed", 0], ["completed", 0]]


_ASSERTS_ON_THE_DEVICE = """
import threading, torch
from search.training.trainer import Trainer
from tests.training.toys import Line
from tests.worker.office import Office
from tests.worker.test_worker import Hand

class OutOfRange(Line):
    def loss(self, outputs, targets):
        return torch.nn.functional.cross_entropy(outputs, torch.full((len(outputs),), 9, device=outputs.device))

office = Office(budget={"trials": 2})
hand = Hand(office, Trainer(torch.device("cuda", 0), load=lambda _: OutOfRange()))
code = hand.worker.run()
print([trial.cause for trial in office.trials][0], office.said.count("claim"), code)
"""


@pytest.mark.gpu
def test_a_process_whose_gpu_failed_ends_after_that_trial() -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    ended = subprocess.run(
        [sys.executable, "-c", _ASSERTS_ON_THE_DEVICE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["error", "1", "70"]
