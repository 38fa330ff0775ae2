"""What waits: streams of events, and claims that are held open. Against a real server."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.service.by_hand import HORIZON, claim, create, finish, point, train
from tests.service.problems import read_problem
from tests.service.server import PATIENCE_SECONDS, LiveServer, serving

WAITING_CLAIMS = 60


@dataclass(frozen=True)
class Sent:
    """One server-sent event as it came."""

    id: int
    event: str
    data: dict[str, Any]


@pytest.fixture
def client(live_server: LiveServer) -> Iterator[httpx.Client]:
    with live_server.client() as client:
        yield client


def read(lines: Iterator[str]) -> Iterator[Sent]:
    fields: dict[str, str] = {}
    for line in lines:
        if not line and fields:
            yield Sent(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def watch(client: httpx.Client, name: str, *, after: int | None = None) -> list[Sent]:
    """Read a study's events until the stream ends."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    with client.stream("GET", f"/v1/studies/{name}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return list(read(answer.iter_lines()))


def test_a_stream_of_a_study_that_is_over_sends_everything_and_ends(client: httpx.Client) -> None:
    create(client, trials=2)
    train(client, 0.5)
    train(client, 0.4)
    events = watch(client, "by-hand")
    ids = [event.id for event in events]
    assert ids == sorted(set(ids))
    assert {event.event for event in events} == {"study", "trial"}
    assert all(event.data["study"] == "by-hand" for event in events)
    assert [event.data["payload"]["state"] for event in events if event.event == "study"][-1] == "completed"


def test_a_stream_goes_on_after_the_last_event_that_was_read(client: httpx.Client) -> None:
    create(client, trials=1)
    train(client, 0.5)
    events = watch(client, "by-hand")
    middle = len(events) // 2
    assert watch(client, "by-hand", after=events[middle].id) == events[middle + 1 :]
    assert watch(client, "by-hand", after=events[-1].id) == []


def test_an_open_stream_sends_what_happens_and_ends_with_the_study(
    live_server: LiveServer, client: httpx.Client
) -> None:
    create(client, trials=2)
    with live_server.client() as other, ThreadPoolExecutor(1) as watching:
        seen = watching.submit(watch, other, "by-hand")
        train(client, 0.5)
        train(client, 0.4)
        events = seen.result(PATIENCE_SECONDS)
    assert events == watch(client, "by-hand")


def test_the_stream_of_a_cancelled_study_ends_after_its_running_trials(
    live_server: LiveServer, client: httpx.Client
) -> None:
    create(client, trials=2)
    (assignment,) = claim(client)
    client.post("/v1/studies/by-hand/cancel")
    with live_server.client() as other, other.stream("GET", "/v1/studies/by-hand/events") as answer:
        events = read(answer.iter_lines())
        while next(events).data["payload"]["state"] != "cancelled":
            pass
        finish(client, assignment["fence"], {"kind": "cancelled"})
        last = list(events)[-1]
    assert (last.event, last.data["payload"]["number"], last.data["payload"]["state"]) == ("trial", 0, "cancelled")


def test_an_open_stream_ends_when_its_study_is_deleted(live_server: LiveServer, client: httpx.Client) -> None:
    create(client, trials=2)
    train(client, 0.5)
    with live_server.client() as other, other.stream("GET", "/v1/studies/by-hand/events") as answer:
        events = read(answer.iter_lines())
        next(events)
        client.post("/v1/studies/by-hand/cancel")
        client.delete("/v1/studies/by-hand")
        for event in events:
            assert event.data["study"] == "by-hand"


def test_a_study_that_is_not_there_has_no_stream(client: httpx.Client) -> None:
    read_problem(client.get("/v1/studies/absent/events"), 404)


def test_a_claim_without_waiting_is_answered_empty(client: httpx.Client) -> None:
    assert claim(client) == []


def test_a_waiting_claim_is_answered_when_its_time_is_over(client: httpx.Client) -> None:
    assert claim(client, wait_seconds=0.2) == []


def test_a_waiting_claim_gets_the_trial_of_a_study_posted_later(live_server: LiveServer, client: httpx.Client) -> None:
    with live_server.client() as other, ThreadPoolExecutor(1) as waiting:
        claimed = waiting.submit(claim, other, wait_seconds=30)
        create(client, trials=1)
        (assignment,) = claimed.result(PATIENCE_SECONDS)
    assert assignment["fence"]["study"] == "by-hand"


def test_many_waiting_claims_leave_the_other_routes_free(live_server: LiveServer) -> None:
    def wait_for_work(number: int) -> list[dict[str, Any]]:
        with live_server.client() as worker:
            return claim(worker, worker=f"worker-{number}", wait_seconds=30)

    with ThreadPoolExecutor(WAITING_CLAIMS) as workers, live_server.client() as client:
        waiting = [workers.submit(wait_for_work, number) for number in range(WAITING_CLAIMS)]
        wait_until_open(live_server, WAITING_CLAIMS)
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ready"}
        assert client.get("/v1/studies").json()["items"] == []
        assert not [one for one in waiting if one.done()], "nothing was there to claim"
        create(client, trials=WAITING_CLAIMS, sampler={"kind": "random"})
        numbers = [only(one)["fence"]["trial"] for one in waiting]
    assert sorted(numbers) == list(range(WAITING_CLAIMS)), "each worker got a trial of its own"


def test_the_service_stops_with_streams_and_claims_open(live_server: LiveServer) -> None:
    opened = threading.Event()

    def stream() -> None:
        with (
            live_server.client() as client,
            client.stream("GET", "/v1/studies/by-hand/events") as answer,
            contextlib.suppress(httpx.TransportError),
        ):
            for _ in answer.iter_lines():
                opened.set()

    def wait_for_work() -> None:
        with live_server.client() as worker, contextlib.suppress(httpx.TransportError):
            worker.post("/v1/work/claim", json={"worker": "w", "tasks": ["digits-mlp"], "wait_seconds": 30})

    with live_server.client() as client:
        create(client, trials=2)
        train(client, 0.5)
    with ThreadPoolExecutor(2) as pool:
        pool.submit(stream)
        pool.submit(wait_for_work)
        assert opened.wait(PATIENCE_SECONDS)
        wait_until_open(live_server, 2)
        live_server.stop()
    with serving(live_server.settings) as again, again.client() as client:
        assert client.get("/v1/studies/by-hand").json()["state"] == "running"


def test_a_worker_that_hung_up_is_given_nothing(live_server: LiveServer) -> None:
    with live_server.client() as client:
        with live_server.client() as gone, pytest.raises(httpx.ReadTimeout, match="timed out"):
            gone.post("/v1/work/claim", json={"worker": "gone", "tasks": ["external"], "wait_seconds": 30}, timeout=0.5)
        create(client, trials=1)
        (assignment,) = claim(client, worker="here", wait_seconds=10)
        receipt = finish(client, assignment["fence"], {"kind": "completed"}, point(HORIZON, 0.5))
        assert receipt["status"] == "accepted"


def wait_until_open(live: LiveServer, connections: int) -> None:
    """Wait until so many connections or more are open in the server."""
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 100):
        if len(live.server.server_state.connections) >= connections:
            return
        pause.wait(0.01)
    raise AssertionError(f"fewer than {connections} connections are open")


def only(claimed: Future[list[dict[str, Any]]]) -> dict[str, Any]:
    (assignment,) = claimed.result(PATIENCE_SECONDS)
    return assignment
