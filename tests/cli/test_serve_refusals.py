"""What keeps the service from starting: a sentence that says what to do, and an exit code of its own."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.cli.exits import Exit
from tests.cli.conftest import KEY, Etude
from tests.service.server import serving, settings_in


@pytest.fixture(autouse=True)
def a_log_of_its_own() -> Iterator[None]:
    """``serve`` sets up the log of its process; here the process goes on."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def _refused(alone: Etude, code: Exit, said: str, *flags: str) -> None:
    """Check that ``serve`` does not start: with this code, and a sentence instead of a traceback."""
    ran = alone("serve", "--workers", "0", *flags)
    assert ran.code == code, ran.err
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert "secret" not in ran.err
    assert ran.out == ""


def test_a_port_in_use_is_refused(alone: Etude, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = f"port {port} on 127.0.0.1 is in use: stop the program that uses it, or choose another with --port"
        _refused(alone, Exit.PORT_IN_USE, said, "--port", str(port), "--data-dir", str(tmp_path / "data"))


def test_a_data_directory_in_use_is_refused_and_its_service_goes_on(alone: Etude, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with serving(settings) as service, service.client() as client:
        _refused(alone, Exit.DATA_IN_USE, "etude.db", "--port", "0", "--data-dir", str(settings.data_dir))
        assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "url, said",
    [
        ("sqlite:////nowhere/at/all.db", "cannot be opened"),
        (
            "postgresql+psycopg://u:secret@127.0.0.1:9/etude",
            "is it running, and reachable from here?",
        ),
        ("mysql://u@127.0.0.1/etude", "mysql"),
        ("gibberish", "the database URL cannot be read"),
    ],
)
def test_a_database_that_is_not_there_is_refused(alone: Etude, tmp_path: Path, url: str, said: str) -> None:
    flags = ("--port", "0", "--data-dir", str(tmp_path / "data"), "--database-url", url)
    _refused(alone, Exit.NO_DATABASE, said, *flags)


@pytest.mark.postgres
def test_a_postgresql_database_that_does_not_exist_is_refused(
    alone: Etude, tmp_path: Path, empty_postgres_url: str
) -> None:
    missing = empty_postgres_url.replace("/etude_test_", "/no_such_")
    data = str(tmp_path / "data")
    _refused(
        alone,
        Exit.NO_DATABASE,
        "does not exist: create it",
        "--port",
        "0",
        "--data-dir",
        data,
        "--database-url",
        missing,
    )


def test_a_data_directory_that_is_a_file_is_refused(alone: Etude, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.touch()
    _refused(
        alone, Exit.NO_SPACE, f"the data directory {file} cannot be written", "--port", "0", "--data-dir", str(file)
    )


def test_a_full_disk_is_refused(tmp_path: Path) -> None:
    # A tiny file system, in a namespace of its own: it is gone with the process.
    script = (
        f"mount -t tmpfs -o size=64k none {tmp_path} && exec {sys.executable} -m service serve --data-dir {tmp_path}"
    )
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*command, f"mount -t tmpfs none {tmp_path}"], capture_output=True, check=False).returncode != 0:
        pytest.skip("a file system cannot be mounted here, not even in a namespace of its own")
    ran = subprocess.run([*command, script], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == Exit.NO_SPACE, ran.stderr
    assert f"the disk of the data directory {tmp_path} is full: free some space, or choose another" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    "flags, more, said",
    [
        (["--host", "0.0.0.0"], {}, "no key is set: set ETUDE_API_KEY"),
        (["--host", "203.0.113.7"], {"ETUDE_API_KEY": KEY}, "203.0.113.7 is not an address of this machine"),
        (["--port", "65536"], {}, "--port (ETUDE_PORT): "),
        (["--workers", "many"], {}, "--workers (ETUDE_WORKERS): "),
        (["--lanes", "0"], {}, "--lanes (ETUDE_LANES): lanes are auto, or a number from 1 to 1024, not '0'"),
        (["--lease-seconds", "0"], {}, "--lease-seconds (ETUDE_LEASE_SECONDS): "),
        (["--lease-seconds", "nan"], {}, "--lease-seconds (ETUDE_LEASE_SECONDS): "),
        (["--tls-cert", "cert.pem"], {}, "TLS needs both files"),
        (["--tls-cert", "cert.pem", "--tls-key", "key.pem"], {}, "the TLS file cert.pem cannot be read"),
        ([], {"ETUDE_API_KEY": "short"}, "--api-key (ETUDE_API_KEY)"),
        ([], {"ETUDE_PORT": "eighty"}, "--port (ETUDE_PORT): "),
    ],
)
def test_wrong_or_unsafe_settings_are_refused(
    alone: Etude, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: list[str], more: dict[str, str], said: str
) -> None:
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    port = [] if "--port" in flags or "ETUDE_PORT" in more else ["--port", "0"]
    _refused(alone, Exit.UNSAFE, said, *flags, *port, "--data-dir", str(tmp_path / "data"))
    assert not (tmp_path / "data" / "etude.db").exists()


@pytest.mark.parametrize(
    "flags, code, said",
    [
        (["--device", "tpu"], Exit.REFUSED, "a device is cpu, cpu:N, cuda or cuda:N"),
        (["--url", "nowhere"], Exit.REFUSED, "must start with http:// or https://"),
    ],
)
def test_a_worker_that_cannot_work_ends_with_a_sentence(alone: Etude, flags: list[str], code: Exit, said: str) -> None:
    ran = alone("worker", *flags)
    assert ran.code == code
    assert said in ran.err
