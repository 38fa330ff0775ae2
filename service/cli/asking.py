"""Flags that every command which talks to a service has, and the client that they make."""

from __future__ import annotations

from typing import Annotated

import typer

from service.client import Client

Url = Annotated[str | None, typer.Option("--url", help="The service. [ETUDE_URL, http://127.0.0.1:8000]")]
Project = Annotated[str, typer.Option("--project", help="The project that the study belongs to.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Name = Annotated[str, typer.Argument(help="The study's name.", show_default=False)]


def client(url: str | None, project: str = "default") -> Client:
    """A client; its key is read from ETUDE_API_KEY only, since a command line is seen by everybody on the machine."""
    return Client(url, project=project)
