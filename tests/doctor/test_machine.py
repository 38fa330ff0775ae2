"""The doctor lives where torch is broken, and says what is wrong with packages, disk, port and variables."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from search.doctor.computing import look_at_torch
from search.doctor.diagnosis import Diagnosis
from service.cli.exits import Exit
from service.doctor.address import look_at_port
from service.doctor.packages import look_at_packages
from service.doctor.storage import file_system, look_at_directory
from service.doctor.variables import look_at_settings, look_at_variables
from service.settings import Settings
from tests.cli.conftest import KEY, Etude, alone, keyed_server
from tests.doctor.conftest import Environment
from tests.packaging.images import ROOT
from tests.service.server import LiveServer, live_server, settings_in

__all__ = ["alone", "keyed_server", "live_server"]

WithTorch = Callable[[str], Environment]


def by_check(found: object) -> dict[str, Diagnosis]:
    assert hasattr(found, "__iter__")
    return {each.check: each for each in found}


@pytest.mark.parametrize(
    "program, said",
    [
        ("raise ImportError('libcudart.so.99: no such file')", "ImportError: libcudart.so.99: no such file"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "at the import of torch was killed by SIGSEGV"),
        ("import time; time.sleep(3600)", "at the import of torch was stopped after 2 seconds"),
    ],
    ids=["raises", "crashes", "hangs"],
)
def test_a_torch_that_cannot_be_imported_is_said_to_be_broken(with_torch: WithTorch, program: str, said: str) -> None:
    (found,) = look_at_torch(with_torch(program), seconds=2)
    assert found.level == "fail"
    assert said in found.sentence
    assert "install torch" in found.todo


def test_with_a_broken_torch_all_else_is_looked_at_and_the_command_ends_with_1(
    with_torch: WithTorch, tmp_path: Path
) -> None:
    environment = {**with_torch("raise ImportError('broken')"), "ETUDE_DATBASE_URL": "x"}
    command = [sys.executable, "-m", "service", "doctor", "--json", "--data-dir", str(tmp_path / "data"), "--port", "0"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == Exit.FAILED, done.stderr
    found = {each["check"]: each for each in json.loads(done.stdout)}
    assert found["torch"]["level"] == "fail"
    assert found["variables"]["todo"] == "did you mean ETUDE_DATABASE_URL?"
    assert {name for name, each in found.items() if each["level"] == "ok"} >= {"python", "disk", "database", "port"}
    assert "etude: what does not work: torch" in done.stderr
    assert not (tmp_path / "data").exists()


def test_wrong_settings_are_a_finding_and_the_rest_is_looked_at(with_torch: WithTorch) -> None:
    command = [sys.executable, "-m", "service", "doctor", "--host", "0.0.0.0"]
    environment = with_torch("raise ImportError('broken')")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == Exit.FAILED
    assert "etude: what does not work: settings, torch" in done.stderr
    assert re.search(r"fail +settings .*ETUDE_API_KEY", done.stdout)


def test_a_device_that_computes_is_fine() -> None:
    found = by_check(look_at_torch({**os.environ, "CUDA_VISIBLE_DEVICES": ""}))
    assert found["cpu"].level == "ok"
    assert found["cpu"].figures["error"] < 1e-4  # type: ignore[operator]  # a figure of JSON


def test_packages_that_are_not_those_of_the_lock_are_named_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "dev.txt").write_text("typer==0.0.1 \\\n    --hash=sha256:00\nno-such-thing==2.0\n")
    (tmp_path / "requirements" / "torch.txt").write_text("torch==0.1\n")
    (tmp_path / "pyproject.toml").touch()
    found = by_check(look_at_packages(tmp_path))
    assert found["packages"].level == "ok"
    assert found["lock"].level == "warn"
    assert re.search(r"typer \S+ \(lock: 0.0.1\), no-such-thing missing \(lock: 2.0\), torch", found["lock"].sentence)
    assert "--require-hashes --requirement" in found["lock"].todo
    assert f"the code that runs is in {tmp_path}, and what is installed is {ROOT}" in found["installation"].sentence


def test_the_lock_that_the_tests_run_with_is_installed() -> None:
    assert by_check(look_at_packages())["lock"].level == "ok"


def test_options_without_a_task_and_devices_that_are_none_are_refused(alone: Etude) -> None:
    assert alone("doctor", "--option", "a=1").code == Exit.USAGE
    ran = alone("doctor", "--task", "digits-mlp", "--device", "tpu")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert "not 'tpu'" in ran.err


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    found = by_check(look_at_directory(tmp_path / "data", tmp_path / "artifacts"))
    assert f"{tmp_path / 'data'} is no directory" in found["disk"].sentence


def test_kept_files_are_counted(tmp_path: Path) -> None:
    (tmp_path / "artifacts" / "study").mkdir(parents=True)
    (tmp_path / "artifacts" / "study" / "weights").write_bytes(bytes(1 << 20))
    found = by_check(look_at_directory(tmp_path, tmp_path / "artifacts"))
    assert found["kept files"].figures == {"files": 1, "bytes": 1 << 20}
    assert "1 MiB" in found["kept files"].sentence


def test_the_file_system_of_a_path_is_the_innermost_mount_that_holds_it() -> None:
    assert file_system(Path("/proc/self/status")) == "proc"


def test_a_port_in_use_by_another_program_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0)
        port = other.getsockname()[1]
        found = by_check(look_at_port(settings_in(tmp_path, port=port), "1.0"))
    assert found["port"].level == "fail"
    assert f"port {port} on 127.0.0.1 is in use by another program than Etude" in found["port"].sentence


def test_a_host_that_is_not_this_machine_s_is_refused(tmp_path: Path) -> None:
    found = by_check(look_at_port(settings_in(tmp_path, host="203.0.113.1", api_key=KEY), "1.0"))
    assert found["port"].level == "fail"
    assert "--host" in found["port"].todo


def test_a_service_that_answers_is_named_with_its_version_and_its_clock(live_server: LiveServer) -> None:
    settings = at(live_server)
    found = by_check(look_at_port(settings, version("etude")))
    assert (found["port"].level, found["service clock"].level) == ("ok", "ok")
    assert f"a service of this version, {version('etude')}, answers" in found["port"].sentence


def test_a_service_of_another_version_is_warned_of(live_server: LiveServer) -> None:
    found = by_check(look_at_port(at(live_server), "9.9"))
    assert found["port"].level == "warn"
    assert f"a service of version {version('etude')} answers on" in found["port"].sentence


def test_a_service_that_wants_a_key_is_a_service(keyed_server: LiveServer) -> None:
    found = by_check(look_at_port(at(keyed_server).model_copy(update={"api_key": None}), version("etude")))
    assert found["port"].level == "ok"
    assert "ETUDE_API_KEY" in found["port"].sentence


def at(live: LiveServer) -> Settings:
    return live.settings.model_copy(update={"port": int(live.url.rpartition(":")[2])})


def test_an_exposed_service_without_tls_is_warned_of_and_its_key_not_shown(tmp_path: Path) -> None:
    (found,) = look_at_settings(settings_in(tmp_path, host="0.0.0.0", api_key=KEY))
    assert found.level == "warn"
    assert "keys travel in the clear" in f"{found.sentence} {found.todo}"
    assert KEY not in found.model_dump_json()


def test_variables_that_are_settings_are_not_complained_of() -> None:
    assert list(look_at_variables({"ETUDE_PORT": "1", "ETUDE_URL": "x", "ETUDE_DATASETS_DIR": "x", "HOME": "x"})) == []
