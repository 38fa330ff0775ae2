"""The service's settings: every ``ETUDE_*`` variable is read here and nowhere else in the service."""

from __future__ import annotations

import ipaddress
import os
import warnings
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL

from search.staffing import Staffing, parse_lanes, parse_staffing

Workers = Annotated[Staffing, PlainValidator(lambda said: parse_staffing(str(said))), NoDecode]
LogFormat = Literal["text", "json"]
ANY_ADDRESS = frozenset({"0.0.0.0", "::", "[::]"})
SHORTEST_KEY = 16


class Settings(BaseSettings):
    """What an operator decides. An argument wins over the environment, the environment over the default.

    Attributes:
        host: address to listen on. Anything but this machine's own addresses needs ``api_key``.
        port: TCP port; 0 takes a free one.
        data_dir: directory of the embedded database and everything else that the service keeps.
        datasets_dir: where tasks that read files find them; without it, ``datasets`` in ``data_dir``.
        database_url: ``sqlite:///…`` or ``postgresql+psycopg://…``; without it, SQLite in ``data_dir``.
        workers: local workers to start: ``auto``, one per device; a number; or so for each kind, ``cuda=auto,cpu=2``.
        lanes: how many trials each local worker trains at once: a number, or ``auto`` for as many as are fastest.
        api_key: the administrator's key. Clients send it as a bearer key, browsers as the Basic password.
        worker_key: a second key that is valid, made anew at each start for the workers that the service starts itself.
        tls_cert: file of the certificate, PEM; needs ``tls_key``.
        tls_key: file of its private key, PEM.
        allowed_hosts: names under which the service may be addressed, next to loopback names and ``host``;
            separated by commas in the variable. ``*`` allows any, and needs ``api_key``.
        log_format: ``text`` for people, or ``json``: one object on each line.
        lease_seconds: a worker that has not been heard of for so long loses its trials.
    """

    model_config = SettingsConfigDict(
        env_prefix="ETUDE_", frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True
    )

    host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    data_dir: Path = Path("etude-data")
    datasets_dir: Path | None = None
    database_url: Annotated[str | None, Field(repr=False)] = None
    workers: Workers = parse_staffing("auto")
    lanes: str = "auto"
    api_key: Annotated[str | None, Field(repr=False, min_length=SHORTEST_KEY, max_length=500)] = None
    worker_key: Annotated[str | None, Field(repr=False, min_length=SHORTEST_KEY, max_length=500)] = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    log_format: LogFormat = "text"
    lease_seconds: Annotated[float, Field(ge=1, le=86400)] = 60.0

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("lanes")
    @classmethod
    def _are_lanes(cls, value: str) -> str:
        parse_lanes(value)
        return value

    @field_validator("api_key", "worker_key")
    @classmethod
    def _is_printable(cls, value: str | None) -> str | None:
        if value is not None and not (value.isascii() and value.isprintable() and " " not in value):
            raise ValueError("a key is made of printable ASCII characters without spaces")
        return value

    @model_validator(mode="after")
    def _doors_are_closed(self) -> Self:
        if self.api_key is None and not is_loopback(self.host):
            raise ValueError(
                f"listening on {self.host} lets other machines in, and no key is set: set ETUDE_API_KEY to a long "
                "random string (for example from `openssl rand -hex 32`), or listen on 127.0.0.1"
            )
        if self.api_key is None and "*" in self.allowed_hosts:
            raise ValueError("ETUDE_ALLOWED_HOSTS=* allows any host name, which needs a key: set ETUDE_API_KEY")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("TLS needs both files: set ETUDE_TLS_CERT and ETUDE_TLS_KEY, or neither")
        return self

    @model_validator(mode="after")
    def _runs_alone(self) -> Self:
        processes = os.environ.get("WEB_CONCURRENCY", "1")
        if processes != "1":
            raise ValueError(
                f"the service is one process, because one process owns the studies, but WEB_CONCURRENCY is "
                f"{processes[:20]!r}: unset it"
            )
        return self

    @property
    def datasets(self) -> Path:
        """The directory of the data files that tasks read."""
        return (self.data_dir / "datasets" if self.datasets_dir is None else self.datasets_dir).absolute()

    @property
    def database(self) -> str:
        """The database to open, as a SQLAlchemy URL."""
        if self.database_url is not None:
            return self.database_url
        # Built, not pasted: a directory name may hold characters that mean something in a URL.
        path = str((self.data_dir / "etude.db").resolve())
        return URL.create("sqlite", database=path).render_as_string()

    @property
    def artifacts_dir(self) -> Path:
        """Where the files of trials are kept."""
        return self.data_dir / "artifacts"

    @property
    def local_url(self) -> str:
        """Where a process on this machine reaches the service."""
        host = "127.0.0.1" if self.host in ANY_ADDRESS else self.host
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.port}"

    @property
    def is_exposed(self) -> bool:
        """Whether other machines can reach the service."""
        return not is_loopback(self.host)

    def warn(self) -> None:
        """Warn of what is allowed and unwise."""
        if self.is_exposed and self.tls_cert is None:
            warnings.warn(
                f"listening on {self.host} without TLS: keys travel in the clear; "
                "set ETUDE_TLS_CERT and ETUDE_TLS_KEY, or keep the service behind a proxy that ends TLS",
                stacklevel=2,
            )


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine talking to itself."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
