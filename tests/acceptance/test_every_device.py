"""``etude worker --device all``: one worker process for each device, and none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from search.devices import detect_devices
from tests.acceptance.running import environment, is_alive, serving, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

MOST_CORES = 2


def test_each_device_gets_a_worker_and_a_signal_ends_them_all(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    with serving(tmp_path / "one", workers=0) as service:
        command = [sys.executable, "-m", "service", "worker", "--device", "all", "--url", service.url]
        # The child inherits the cores of this process: few, so that a large machine starts few workers.
        os.sched_setaffinity(0, sorted(before)[:MOST_CORES])
        try:
            n_devices = len(detect_devices())
            workers = subprocess.Popen(command, env=environment())
        finally:
            os.sched_setaffinity(0, before)
        try:
            pids = service.wait_for_workers(n_devices)
            with service.client() as client:
                indices = sorted(worker.device.index for worker in client.workers())
        finally:
            workers.send_signal(signal.SIGTERM)
        assert workers.wait(60) == 0
        assert indices == list(range(n_devices))
        until(lambda: not any(map(is_alive, pids)), "the workers are gone")
