"""Waking what waits: requests that wait for work, and streams of events."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread
from fastapi.sse import ServerSentEvent

from search.errors import NotFound, Unavailable
from search.protocol import ClaimAnswer, ClaimRequest
from search.study import Study
from service.ensemble import Ensemble
from service.schemas import EventOut
from service.store import Store, StoredEvent

EVENTS_AT_ONCE = 500
LOOK_AGAIN_SECONDS = 2.0
"""How often a stream reads without being woken: a service on stand-by sees commits only in the database."""

CLAIMS_AT_ONCE = 4
"""Threads that try claims. Many may wait, but trying takes turns, and the other routes keep their own threads."""


class Bell:
    """Wakes every waiting coroutine of one event loop; may be rung from any thread.

    Take ``next_ring()`` before looking, then look, then wait for it: what happens in between is not missed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()
        self._lock = threading.Lock()
        self._is_swinging = False
        self.is_closed = False

    def ring(self) -> None:
        """Wake all who wait now. Rings that come faster than the loop turns are one."""
        with self._lock:
            if self._is_swinging:
                return
            self._is_swinging = True
        # A commit may come after the loop has closed; nobody waits then.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._sound)

    def close(self) -> None:
        """Wake all who wait, for the last time; nobody waits after that."""
        self.is_closed = True
        self._sound()

    def next_ring(self) -> asyncio.Event:
        """The event that the next ring sets."""
        return self._event

    def _sound(self) -> None:
        with self._lock:
            self._is_swinging = False
        rung, self._event = self._event, asyncio.Event()
        rung.set()


async def wait(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, at most so long; whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def claim(
    ensemble: Ensemble,
    request: ClaimRequest,
    *,
    bell: Bell,
    turns: CapacityLimiter,
    is_gone: Callable[[], Awaitable[bool]],
) -> ClaimAnswer:
    """Claim work, and while there is none wait for it as long as the request allows."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + request.wait_seconds
    while True:
        ring = bell.next_ring()
        answer = await to_thread.run_sync(ensemble.claim, request, limiter=turns)
        left = deadline - loop.time()
        if answer.assignments or left <= 0:
            return answer
        # Work given to a worker that hung up would lie idle for a whole lease.
        if bell.is_closed or not await wait(ring, left) or await is_gone():
            return answer


@dataclass(frozen=True)
class Look:
    """One look at a study's events."""

    events: list[StoredEvent]
    is_over: bool


def look(store: Store, study: Study, after: int) -> Look:
    """Read the events after ``after``, and whether the study and its trials are over and they are the last."""
    try:
        # The states are read first: events of the end are then among those read.
        is_over = store.find_study(study.project, study.name).state.is_final
    except NotFound:
        return Look([], is_over=True)
    if is_over:
        # A study is cancelled at once; its running trials end later.
        is_over = all(state.is_final or not count for state, count in store.counts(study.id).items())
    events = store.events(study.id, after, EVENTS_AT_ONCE)
    return Look(events, is_over=is_over and len(events) < EVENTS_AT_ONCE)


async def stream(store: Store, study: Study, after: int, *, bell: Bell) -> AsyncIterator[ServerSentEvent]:
    """Send each event of a study after ``after``, old and new, until the study and its trials are over or deleted."""
    while True:
        ring = bell.next_ring()
        try:
            seen = await to_thread.run_sync(look, store, study, after)
        except Unavailable:
            # The answer has begun, so the reader cannot be told; it hears nothing until the database is back.
            seen = Look([], is_over=False)
        for event in seen.events:
            after = event.id
            yield _sent(study, event)
        if seen.is_over or bell.is_closed:
            return
        if len(seen.events) < EVENTS_AT_ONCE:
            await wait(ring, LOOK_AGAIN_SECONDS)


def _sent(study: Study, event: StoredEvent) -> ServerSentEvent:
    body = EventOut(study=study.name, kind=event.kind, at=event.at, payload=dict(event.payload))
    return ServerSentEvent(raw_data=body.model_dump_json(), event=event.kind, id=str(event.id))
