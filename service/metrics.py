"""Figures of the running service, in the form that Prometheus reads.

Counts and times are kept as things happen; what can be seen at any moment is looked at when somebody asks. A label
takes no value that a client makes up, but for the names of studies that are not over and of workers that train.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

import prometheus_client as prometheus
from prometheus_client.exposition import choose_encoder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search.ledger import Changes
from search.protocol import Verdict
from service.watch import Operation

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper edges of the times counted together."""

ENDINGS = ("completed", "pruned", "diverged", "cancelled", "failed", "released", "lost")
ANSWERS = ("continue", "prune", "cancel", "lost")
NO_ROUTE = "none"
"""In place of the route of a request that none takes: its path is the client's to make up."""


class Metrics:
    """What is counted and timed, in a registry of its own.

    It is the ``Watch`` of an ensemble, and ``Counted`` tells it of requests.
    """

    def __init__(self, version: str) -> None:
        # When each counter began would be as many series again.
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it so
        self.registry = prometheus.CollectorRegistry()
        for collector in (prometheus.ProcessCollector, prometheus.PlatformCollector, prometheus.GCCollector):
            collector(registry=self.registry)
        prometheus.Info("etude_build", "Version of Etude.", registry=self.registry).info({"version": version})
        self._seconds = self._timer()
        self._attempts = self._counter(
            "etude_attempts_ended",
            "Attempts at trials that ended, by how: the outcome's kind, released, or lost with the lease.",
            "ending",
        )
        self._reports = self._counter("etude_reports", "Reports of trials, by what they were answered.", "answer")
        self._points = self._counter("etude_points", "Evaluations of trials that were written down.")
        self._requests = self._counter(
            "etude_http_requests",
            "HTTP requests, by the route that took them and by class of status.",
            "route",
            "status",
        )
        for ending in ENDINGS:
            self._attempts.labels(ending)
        for answer in ANSWERS:
            self._reports.labels(answer)

    def took(self, operation: Operation, seconds: float) -> None:
        self._seconds[operation].observe(seconds)

    def wrote(self, changes: Changes) -> None:
        self._points.inc(len(changes.points))
        for attempt in changes.attempts:
            if attempt.ending is not None:
                self._attempts.labels(attempt.ending).inc()

    def answered(self, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            self._reports.labels(verdict.action).inc()

    def requested(self, route: str, status: int) -> None:
        """Note an HTTP request that is answered."""
        self._requests.labels(route, f"{status // 100}xx").inc()

    def written(self, accept: str) -> tuple[bytes, str]:
        """Return all figures as they stand, and the media type of the text, chosen by what the reader accepts."""
        encode, media_type = choose_encoder(accept)
        return encode(self.registry), media_type

    def _counter(self, name: str, meaning: str, *labels: str) -> prometheus.Counter:
        return prometheus.Counter(name, meaning, labels, registry=self.registry)

    def _timer(self) -> Mapping[str, prometheus.Histogram]:
        timer = prometheus.Histogram(
            "etude_operation_seconds",
            "Seconds that it took to ask for one trial, to answer a message with reports or with finishes (the wait "
            "for its turn and the commit included), and to commit one transaction.",
            ["operation"],
            buckets=SECONDS,
            registry=self.registry,
        )
        return {each: timer.labels(each) for each in get_args(Operation)}


class Counted:
    """ASGI middleware that counts every request, those that are refused at the door too."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A mounted application has no route; what it is mounted at is then the root of the path.
                route = getattr(scope.get("route"), "path", None) or scope.get("root_path") or NO_ROUTE
                self._metrics.requested(route, message["status"])
            await send(message)

        await self._app(scope, receive, count if scope["type"] == "http" else send)
