"""optuna-dashboard inside the service: behind the same door, and read only.

It has no authentication of its own and would write studies, notes and files for anybody; so only GET and HEAD reach
it. Its pages use absolute paths, which is why it is mounted at each of them rather than below one of ours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import optuna_dashboard
from a2wsgi import WSGIMiddleware
from anyio import to_thread
from optuna.storages import BaseStorage, RDBStorage, get_storage
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import problem

PATHS = ("/dashboard", "/api", "/static", "/artifacts", "/csv")
READS = ("GET", "HEAD")
THREADS = 4


class Dashboard:
    """The dashboard as an ASGI application.

    It remembers what it read of finished trials, by the study's id, and SQLite gives the id of a deleted study to
    the next one: so it starts anew whenever ``generation`` has changed.

    Args:
        open_storage: opens Optuna's view of the database.
        generation: changes with each deletion of a study.
    """

    def __init__(self, open_storage: Callable[[], BaseStorage], generation: Callable[[], int]) -> None:
        self._open_storage = open_storage
        self._generation = generation
        self._lock = threading.Lock()
        self._served: tuple[int, ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in READS:
            refusal = problem(
                405,
                f"the dashboard is read only: it does not take {scope['method']}; change studies through /v1/studies",
                headers={"Allow": ", ".join(READS)},
            )
            await refusal(scope, receive, send)
            return
        app = await to_thread.run_sync(self._current)
        await app(_as_sent(scope), receive, send)

    def _current(self) -> ASGIApp:
        with self._lock:
            generation = self._generation()
            if self._served is None or self._served[0] != generation:
                wsgi: Any = optuna_dashboard.wsgi(self._open_storage())
                app: Any = WSGIMiddleware(wsgi, workers=THREADS)
                self._served = (generation, app)
            return self._served[1]


def open_storage(url: str) -> BaseStorage:
    """Optuna's view of the database, with its cache: without it each refresh of a page reads every trial again."""
    # The store has made the tables; a reader must not race it to them.
    return get_storage(RDBStorage(url, skip_table_creation=True))


def routes(dashboard: Dashboard) -> list[BaseRoute]:
    """The paths that the dashboard's pages use."""
    mounts = [Mount(path, dashboard, name=f"dashboard{path.replace('/', '-')}") for path in PATHS]
    return [*mounts, Route("/favicon.ico", dashboard, name="favicon")]


def _as_sent(scope: Scope) -> Scope:
    """The request as it would reach an application of its own."""
    headers = scope["headers"]
    if not any(name == b"accept-encoding" for name, _ in headers):
        # Without this header the dashboard answers 500 for its own files.
        headers = [*headers, (b"accept-encoding", b"identity")]
    return {**scope, "root_path": "", "headers": headers}
