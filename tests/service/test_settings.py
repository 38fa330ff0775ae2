from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import make_url

from service.settings import Settings, is_loopback

KEY = "a-key-of-the-administrator"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "DATA_DIR", "DATABASE_URL", "WORKERS", "API_KEY", "ALLOWED_HOSTS"):
        monkeypatch.delenv(f"ETUDE_{name}", raising=False)
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "etude.example.org"])
def test_listening_off_loopback_without_a_key_is_refused(host: str) -> None:
    with pytest.raises(ValidationError, match="set ETUDE_API_KEY"):
        Settings(host=host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7"])
def test_listening_off_loopback_without_tls_is_warned_of(host: str) -> None:
    with pytest.warns(UserWarning, match="keys travel in the clear"):
        Settings(host=host, api_key=KEY).warn()


def test_any_host_name_without_a_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs a key"):
        Settings(allowed_hosts=("*",))


def test_half_a_tls_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="TLS needs both files"):
        Settings(tls_cert=Path("cert.pem"))


@pytest.mark.parametrize("processes", ["2", "16"])
def test_more_than_one_process_is_refused(monkeypatch: pytest.MonkeyPatch, processes: str) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", processes)
    with pytest.raises(ValidationError, match="the service is one process"):
        Settings()


@pytest.mark.parametrize("key", ["", "tooshort", "has a space in the middle", "schlüssel-des-hauses", "x" * 501])
def test_a_poor_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValidationError, match="api_key") as refused:
        Settings(api_key=key)
    assert not key or key not in str(refused.value)


@pytest.mark.parametrize(
    "name, value",
    [("PORT", "65536"), ("PORT", "http"), ("WORKERS", "many"), ("WORKERS", "-1"), ("LEASE_SECONDS", "nan")],
)
def test_a_variable_out_of_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"ETUDE_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_every_setting_is_a_variable_and_an_argument_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HOST": "localhost",
        "PORT": "9000",
        "DATA_DIR": "/srv/etude",
        "DATASETS_DIR": "/srv/images",
        "DATABASE_URL": "postgresql+psycopg://etude@db/etude",
        "WORKERS": "3",
        "API_KEY": KEY,
        "ALLOWED_HOSTS": "etude.example.org, service",
        "LEASE_SECONDS": "30",
    }.items():
        monkeypatch.setenv(f"ETUDE_{name}", value)
    settings = Settings(port=9001)
    assert settings.host == "localhost"
    assert settings.port == 9001
    assert settings.data_dir == Path("/srv/etude")
    assert settings.datasets == Path("/srv/images")
    assert settings.database == "postgresql+psycopg://etude@db/etude"
    assert str(settings.workers) == "3"
    assert settings.api_key == KEY
    assert settings.allowed_hosts == ("etude.example.org", "service")
    assert settings.lease_seconds == 30.0


@pytest.mark.parametrize("name", ["data", "50% of all?", "a#b", "räume"])
def test_the_embedded_database_lies_in_the_data_directory(tmp_path: Path, name: str) -> None:
    database = make_url(Settings(data_dir=tmp_path / name).database).database
    assert database == str(tmp_path / name / "etude.db")


@pytest.mark.parametrize(
    "host, url",
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_local_workers_reach_the_service_on_this_machine(host: str, url: str) -> None:
    assert Settings(host=host, api_key=KEY).local_url == url


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_is_known_in_all_its_spellings(host: str) -> None:
    assert is_loopback(host)


def test_the_application_is_imported_where_torch_is_not_installed() -> None:
    program = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "sklearn"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NoTorch())
from service.app import create_app
from service.settings import Settings
app = create_app(Settings(data_dir="unused"))
assert app.openapi()["paths"]
assert not {"torch", "sklearn"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
