"""Starting and stopping the service: what stands in its way is said in a sentence with a code of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.cli.exits import Exit
from tests.acceptance.conftest import Gate
from tests.acceptance.running import (
    END_SECONDS,
    completed,
    environment,
    etude,
    hold_trials,
    is_alive,
    processes_naming,
    serving,
    until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

KEY = "a-key-for-the-tests"


def test_a_stopped_service_gives_trials_back_and_a_second_signal_stops_at_once(gate: Gate, tmp_path: Path) -> None:
    home = tmp_path / "one"
    with serving(home, workers=1, env=gate.environment) as service, service.client() as client:
        pids = service.wait_for_workers(1)
        hold_trials(client, gate.shut, name="held", trials=3, held=1)
        service.process.send_signal(signal.SIGTERM)
        gate.open()
        assert service.process.wait(END_SECONDS) == Exit.OK, service.log()
        assert not any(map(is_alive, pids))
    with serving(home, workers=1, env=gate.environment) as again, again.client() as client:
        completed(again.wait_for_end("held"), 3)
        assert [each.ending for each in client.trial("held", 0).attempts] == ["released", "completed"]
        # Now the worker hears nothing, and only the second signal ends it.
        hold_trials(client, gate.shut, name="stuck", trials=3, held=1)
        again.process.send_signal(signal.SIGTERM)
        until(lambda: again.log().count("stopping: ") == 2, "the service drains")
        again.process.send_signal(signal.SIGTERM)
        again.process.wait(END_SECONDS)
        assert processes_naming(str(home)) == []


def test_a_service_is_ready_when_its_own_workers_are_known_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        with serving(tmp_path / "one", workers=1) as service:
            assert len(service.worker_pids()) == 1, service.log()


def test_a_service_that_asks_for_a_key_lets_in_its_own_workers_and_no_stranger(tmp_path: Path) -> None:
    with serving(tmp_path / "one", workers=1, env={"ETUDE_API_KEY": KEY}) as service:
        submitted = etude(
            *("submit", "--task", "digits-mlp", "--epochs", "1", "--trials", "2", "--watch"),
            *("--url", service.url),
            ETUDE_API_KEY=KEY,
        )
        assert submitted.returncode == Exit.OK, submitted.stderr
        assert "Best recipe" in submitted.stdout
        assert KEY not in _command_lines()
        stranger = etude("worker", "--device", "cpu", "--url", service.url, ETUDE_API_KEY=f"not-{KEY}")
        assert stranger.returncode == Exit.KEY_REFUSED
        assert "the key is not valid here" in stranger.stderr
        assert "Traceback" not in stranger.stderr


def _command_lines() -> str:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                found.append((entry / "cmdline").read_text(errors="replace"))
            except OSError:
                continue
    return "\n".join(found)


def test_serve_names_its_addresses_for_people_and_for_scripts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "service", "serve", "--port", "0", "--workers", "0", "--data-dir", "data"]
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=output)
    try:
        until(lambda: "  data " in log.read_text(), "the addresses are said")
        said = log.read_text()
        assert "Etude is ready at http://127.0.0.1:" in said
        assert "/dashboard" in said
        assert str(tmp_path / "data") in said
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(END_SECONDS) == Exit.OK
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
