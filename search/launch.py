"""A worker's process, from its first line: the device is chosen before anything imports torch."""

from __future__ import annotations

import logging
import os
import platform
import threading
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from search import machine
from search.devices import DeviceSlot, choose, detect_devices, parse_slot
from search.errors import SearchError, Unsuitable
from search.naming import fields_of_worker
from search.protocol import Announcement, Device, Name, WorkService
from search.signals import stopped_by_signals
from search.tasks.files import FilesMissing, require
from search.tasks.info import TaskInfo

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


def run_worker(
    service: WorkService,
    *,
    device: str = "auto",
    tasks: Iterable[str] | None = None,
    project: Name | None = None,
    studies: Iterable[Name] | None = None,
    lanes: int | None = None,
    data_dir: Path | None = None,
    parent: int | None = None,
) -> int:
    """Work for a service in this process until a signal, or the parent's end, stops it; the exit code.

    Args:
        device: ``cuda:1``, ``cpu``, or ``auto``: the first CUDA device, else a core.
        tasks: names of the tasks to work on; all registered ones, when not given.
        lanes: trials to train at once; when not given, as many as are fastest, which is measured.
        data_dir: directory in which it is remembered what was measured; nowhere, when not given.
        parent: process id of the parent; when that process is gone, this one gives back what it holds and ends.

    Raises:
        Unsuitable: there is no such device, or a task named here cannot be loaded or lacks files.
        NotFound: a task named here is not registered.
        SearchError: the service refuses this worker.
    """
    slot = _slot(device)
    choose(slot, os.environ)
    from search.training.lanes.calibration import how_many_of  # noqa: PLC0415  imports torch, which must find the device chosen
    from search.training.lanes.driver import LaneTrainer  # noqa: PLC0415  likewise
    from search.worker import Worker, worker_id  # noqa: PLC0415

    place = _place(slot)
    infos, left_out = _infos(tasks)
    announcement = Announcement(
        worker=worker_id(),
        host=platform.node()[:253],
        pid=os.getpid(),
        device=describe(slot, place),
        versions=_versions(),
        tasks=tuple(infos),
        left_out=left_out,
    )
    stop = threading.Event()
    names = ", ".join(each.name for each in announcement.tasks)
    log.info("worker %s on %s, tasks: %s", announcement.worker, slot.name, names, extra=fields_of_worker(announcement))
    with stopped_by_signals(stop, parent=parent):
        trainer = LaneTrainer(place, how_many_of(lanes, data_dir))
        return Worker(service, announcement, trainer.train_lanes, stop, project=project, studies=studies).run()


def _slot(device: str) -> DeviceSlot:
    if device == "auto":
        return detect_devices()[0]
    try:
        return parse_slot(device)
    except ValueError as error:
        raise Unsuitable(str(error), where=("device",), value=device) from error


def _place(slot: DeviceSlot) -> torch.device:
    import torch  # noqa: PLC0415

    if slot.kind == "cpu":
        torch.set_num_threads(1)
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise Unsuitable(f"device {slot.name} cannot be used: torch finds no CUDA device there", where=("device",))
    return torch.device("cuda", 0)


def describe(slot: DeviceSlot, place: torch.device) -> Device:
    """What a worker announces of its device: a core has the machine's memory, a GPU its own."""
    if slot.kind == "cpu":
        name = machine.processor_name() or platform.machine()
        return Device(kind="cpu", index=slot.index, name=name, memory_bytes=machine.memory_bytes())
    import torch  # noqa: PLC0415

    properties = torch.cuda.get_device_properties(place)
    return Device(
        kind="cuda",
        index=slot.index,
        uuid=str(properties.uuid),
        name=properties.name[: machine.LONGEST_NAME],
        memory_bytes=properties.total_memory,
        driver=machine.cuda_driver(),
    )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("etude", "torch"):
        try:
            found[package] = version(package)[:100]
        except PackageNotFoundError:
            continue
    return found


def _infos(wanted: Iterable[str] | None) -> tuple[list[TaskInfo], dict[str, str]]:
    """What the tasks say of themselves, and why others are left out; none is that was asked for."""
    from search.tasks import registry  # noqa: PLC0415  imports torch
    from search.training.failures import LONGEST_MESSAGE  # noqa: PLC0415  likewise

    if wanted is not None:
        return [_info(name) for name in wanted], {}
    found, left_out = [], {}
    for name in registry.names():
        try:
            found.append(_info(name))
        except SearchError as error:
            left_out[name] = str(error)[:LONGEST_MESSAGE]
            if isinstance(error, FilesMissing):
                log.info("%s; this worker works without it", error)
            else:
                log.exception("task %s is left out: this worker works without it", name)
    if not found:
        raise Unsuitable("this worker has no task to work on: no installed package registers one that can be loaded")
    return found, left_out


def _info(name: str) -> TaskInfo:
    """What a task says of itself, once all files that it reads are there."""
    from search.tasks import registry  # noqa: PLC0415  imports torch
    from search.tasks.base import ReadsFiles  # noqa: PLC0415  likewise

    task = registry.load(name)
    if isinstance(task, ReadsFiles):
        require(name, task.sources())
    return task.info
