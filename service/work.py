"""The work protocol over HTTP."""

from __future__ import annotations

from urllib.parse import quote

from search.protocol import (
    Announcement,
    ClaimAnswer,
    ClaimRequest,
    Fence,
    FinishAnswer,
    FinishRequest,
    ReleaseAnswer,
    ReleaseRequest,
    ReportAnswer,
    ReportRequest,
)
from service.connection import READ_SECONDS, Connection

KEEP_SECONDS = 300.0
"""A large file is read again and made durable before the service answers."""


class HttpWork:
    """The work protocol over HTTP; a ``WorkService``.

    Raises:
        Unavailable: the service cannot be reached or cannot answer now; send the same message again later.
        Conflict: a finish contradicts the recorded outcome.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def announce(self, announcement: Announcement) -> None:
        self._connection.send("POST", "/v1/work/announce", body=announcement)

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        seconds = READ_SECONDS + request.wait_seconds
        return self._connection.ask("POST", "/v1/work/claim", ClaimAnswer, body=request, read_seconds=seconds)

    def report(self, request: ReportRequest) -> ReportAnswer:
        return self._connection.ask("POST", "/v1/work/report", ReportAnswer, body=request)

    def finish(self, request: FinishRequest) -> FinishAnswer:
        return self._connection.ask("POST", "/v1/work/finish", FinishAnswer, body=request)

    def release(self, request: ReleaseRequest) -> ReleaseAnswer:
        return self._connection.ask("POST", "/v1/work/release", ReleaseAnswer, body=request)

    def keep_weights(self, fence: Fence, weights: bytes) -> None:
        self._connection.send(
            "PUT",
            f"/v1/studies/{quote(fence.study, safe='')}/trials/{fence.trial}/weights",
            body=weights,
            headers={"Etude-Attempt": str(fence.attempt), "Etude-Lease": fence.lease},
            params={"project": fence.project},
            read_seconds=KEEP_SECONDS,
        )
