"""A task of a user's own, in a package of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.worker.processes import ROOT, output_of, read_until, running, worker_command

PACKAGE = ROOT / "tests" / "user_package"


def _install(target: Path, sources: Path) -> None:
    """Install a copy of the package as a user would, without the network and without touching this environment."""
    shutil.copytree(PACKAGE, sources)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1", "PIP_NO_INPUT": "1"}
    subprocess.run([*command, "--target", str(target), str(sources)], check=True, env=environment)


def test_a_user_s_own_task_is_under_40_lines() -> None:
    assert len((PACKAGE / "moons.py").read_text().splitlines()) < 40


def test_an_installed_task_of_a_user_is_found_by_name_and_trained(tmp_path: Path) -> None:
    target = tmp_path / "target"
    _install(target, tmp_path / "sources")
    command = worker_command("moons", budget={"trials": 2}, epochs=20)
    with running(command, {"PYTHONPATH": str(target)}) as process:
        read_until(process, "finish")
        read_until(process, "finish")
        read_until(process, "claim")
        process.terminate()
        *_, last = output_of(process)
        assert process.wait(30) == 0
    assert json.loads(last) == [["completed", 0], ["completed", 0]]
