"""Where the service listens: a free port, a service that answers there, or somebody else."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Final

from pydantic import BaseModel

from search.doctor.diagnosis import Diagnosis, failing, fine, warning
from search.errors import SearchError
from service.connection import Connection
from service.doctor.database import compared_clock
from service.schemas import HealthOut
from service.settings import Settings

SECONDS: Final = 5.0


class _Info(BaseModel):
    version: str


class _Description(BaseModel):
    """What is read of the service's OpenAPI document."""

    info: _Info


def look_at_port(settings: Settings, version: str) -> Iterator[Diagnosis]:
    """Say whether the port is free, and if not, who answers there; ``version`` is this program's own."""
    place = f"port {settings.port} on {settings.host}"
    problem = _why_not_bound(settings.host, settings.port)
    if problem is None:
        yield fine("port", f"{place} is free: no service runs there")
        return
    if problem.errno == errno.EADDRINUSE:
        yield from _who_answers(settings, place, version)
        return
    todo = "choose a port above 1023 with --port" if problem.errno == errno.EACCES else "choose another with --host"
    yield failing("port", f"{place} cannot be listened on: {problem.strerror or problem}", todo)


def _why_not_bound(host: str, port: int) -> OSError | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
            tried.listen()
    except OSError as error:
        return error
    return None


def _who_answers(settings: Settings, place: str, version: str) -> Iterator[Diagnosis]:
    connection = Connection(settings.local_url, settings.api_key)
    try:
        answer = connection.send("GET", "/healthz", read_seconds=SECONDS)
        HealthOut.model_validate_json(answer.content)
    except (SearchError, ValueError):
        todo = "stop the program that uses it (ss -ltnp names it), or choose another port with --port or ETUDE_PORT"
        yield failing("port", f"{place} is in use by another program than Etude", todo)
        connection.close()
        return
    yield _version(connection, settings.local_url, version)
    connection.close()
    if "date" in answer.headers:
        yield compared_clock("service clock", "the service's clock", parsedate_to_datetime(answer.headers["date"]))


def _version(connection: Connection, url: str, version: str) -> Diagnosis:
    try:
        theirs = connection.ask("GET", "/openapi.json", _Description, read_seconds=SECONDS).info.version
    except SearchError as error:
        todo = "set ETUDE_API_KEY to the service's key to be told more"
        return fine("port", f"a service answers on {url}; its version is not told: {error} ({todo})")
    if theirs != version:
        todo = "start the service again with this version, or use the version that it has"
        return warning("port", f"a service of version {theirs} answers on {url}, and this is {version}", todo)
    return fine("port", f"a service of this version, {theirs}, answers on {url}", version=theirs)
