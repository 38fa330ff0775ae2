"""What the machine is, and how much arithmetic it does at its best."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import torch
from torch.utils.flop_counter import FlopCounterMode

from search import machine
from search.tasks import registry
from search.training.data import batch_size
from tests.benchmarks.peers.values import Workload

SIDE: Final = 1024
N_PRODUCTS: Final = 20
PEAK: Final = f"""
import time, torch
torch.set_num_threads(1)
matrix, best = torch.randn({SIDE}, {SIDE}), 0.0
for _ in range({N_PRODUCTS}):
    started = time.perf_counter()
    matrix @ matrix
    best = max(best, {2 * SIDE**3} / (time.perf_counter() - started))
print(best)
"""


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def described() -> dict[str, str]:
    """The machine and what is installed, by name."""
    found = {
        "processor": machine.processor_name() or platform.machine(),
        "cores": str(n_cores()),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "taken at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }
    for package in ("etude", "torch", "optuna", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def peak_flops(n_processes: int) -> float:
    """The most floating-point operations per second in large products, each process with one thread on its own."""
    command = [sys.executable, "-c", PEAK]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(n_processes)]
    return sum(float(each.communicate()[0]) for each in running)


def flops_of_update(workload: Workload) -> int:
    """The floating-point operations of the products and convolutions in one update, forward and back."""
    task = registry.load(workload.task)
    options = dict(task.info.complete(workload.options))
    train = task.data(options).train
    size = batch_size(task, options)
    model = task.model(options)
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(task.loss(model(train.inputs[:size]), train.targets[:size]))
    return int(counter.get_total_flops())


def weights(workload: Workload) -> int:
    """The numbers that an update changes."""
    task = registry.load(workload.task)
    return sum(weight.numel() for weight in task.model(dict(task.info.complete(workload.options))).parameters())
