"""Workers over HTTP: what each trains, and which studies lack one; on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.search.playing import Clock
from tests.service.by_hand import HORIZON, as_object, claim, create, finish, point, report
from tests.service.problems import read_problem
from tests.service.server import LiveServer, serving, settings_in

LEASE_SECONDS = 60.0
SEEN_SECONDS = 10.0
HOUR = 3600.0
TASK = {"name": "my-task", "metrics": {"val_loss": "minimize"}, "updates_per_epoch": 10}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def live(database_url: str, tmp_path: Path, clock: Clock) -> Iterator[LiveServer]:
    with serving(settings_in(tmp_path, database_url=database_url), clock=clock) as live:
        yield live


@pytest.fixture
def client(live: LiveServer) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


def announce(client: httpx.Client, worker: str = "ada", **others: Any) -> None:
    said = {"worker": worker, "host": "box", "device": {"kind": "cpu"}, "tasks": [TASK], **others}
    assert client.post("/v1/work/announce", json=said).status_code == 204


def workers(client: httpx.Client, project: str = "default") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = as_object(client.get("/v1/workers", params={"project": project}))["items"]
    return found


def waits_for(client: httpx.Client, study: str) -> str | None:
    lacked: str | None = as_object(client.get(f"/v1/studies/{study}"))["waiting_for"]
    return lacked


def test_a_project_that_cannot_be_is_refused(client: httpx.Client) -> None:
    read_problem(client.get("/v1/workers", params={"project": "No Such"}), 422)


def test_a_worker_tells_its_device(client: httpx.Client) -> None:
    device = {"kind": "cuda", "index": 1, "uuid": "GPU-7", "name": "H200", "memory_bytes": 10**11, "driver": "570.86"}
    announce(client, device=device)
    (worker,) = workers(client)
    assert worker["device"] == device
    assert (worker["state"], worker["trials"], worker["other_trials"]) == ("idle", [], 0)
    assert worker["updates_per_second"] is None


def test_a_worker_is_shown_with_what_it_trains_and_how_fast(client: httpx.Client, clock: Clock) -> None:
    announce(client)
    create(client)
    (given,) = claim(client, worker="ada")
    clock.advance(2)
    report(client, given["fence"], point(5, 1.0), point(10, 0.9))
    (worker,) = workers(client)
    assert worker["state"] == "training"
    assert worker["updates_per_second"] == 5.0
    assert worker["trials"] == [
        {
            "project": "default",
            "study": "by-hand",
            "trial": 0,
            "attempt": 1,
            "update": 10,
            "horizon": HORIZON,
            "updates_per_second": 5.0,
        }
    ]
    finish(client, given["fence"], {"kind": "completed"}, point(15, 0.8), point(HORIZON, 0.7))
    (worker,) = workers(client)
    assert (worker["state"], worker["trials"], worker["updates_per_second"]) == ("idle", [], None)


def test_a_worker_of_several_lanes_lists_them_all_and_adds_them_up(client: httpx.Client, clock: Clock) -> None:
    announce(client)
    create(client)
    given = claim(client, worker="ada", lanes=3)
    clock.advance(1)
    for each in given:
        report(client, each["fence"], point(10, 0.9))
    (worker,) = workers(client)
    assert [each["trial"] for each in worker["trials"]] == [0, 1, 2]
    assert worker["updates_per_second"] == 30.0


def test_trials_of_other_projects_are_counted_and_not_named(client: httpx.Client) -> None:
    announce(client)
    create(client)
    answer = client.post("/v1/studies", params={"project": "vision"}, json={"task": "my-task", "name": "hidden"})
    assert answer.status_code == 201
    claim(client, worker="ada", lanes=2)
    claim(client, worker="ada", tasks=["my-task"], project="vision", held=[])
    (ours,), (theirs,) = workers(client), workers(client, "vision")
    assert ([each["study"] for each in ours["trials"]], ours["other_trials"]) == (["by-hand"] * 2, 1)
    assert ([each["study"] for each in theirs["trials"]], theirs["other_trials"]) == (["hidden"], 2)
    assert "hidden" not in str(ours)


def test_a_worker_that_is_not_heard_of_is_silent_and_leaves_after_an_hour(client: httpx.Client, clock: Clock) -> None:
    announce(client)
    clock.advance(LEASE_SECONDS + SEEN_SECONDS)
    assert workers(client)[0]["state"] == "idle"
    clock.advance(1)
    assert workers(client)[0]["state"] == "silent"
    clock.advance(HOUR - LEASE_SECONDS - SEEN_SECONDS - 1)
    assert len(workers(client)) == 1
    clock.advance(1)
    assert workers(client) == []


def test_workers_are_listed_by_host_and_device(client: httpx.Client) -> None:
    announce(client, "a", host="z")
    announce(client, "b", device={"kind": "cuda", "index": 10})
    announce(client, "c", device={"kind": "cuda", "index": 9})
    announce(client, "d")
    assert [worker["worker"] for worker in workers(client)] == ["d", "c", "b", "a"]


def test_a_study_that_no_device_suits_says_what_it_waits_for(client: httpx.Client, clock: Clock) -> None:
    wanted = {"kinds": ["cuda"], "memory_bytes_at_least": 40 << 30}
    study = create(client, name="lost", devices=wanted)
    assert study["state"] == "queued"
    said = "a worker that can train external on a device of kind cuda with at least 40 GiB of memory"
    assert study["waiting_for"] == f"{said}; none at all has been heard of lately"
    announce(client, device={"kind": "cpu", "memory_bytes": 64 << 30})
    announce(client, "bob", device={"kind": "cuda", "memory_bytes": 16 << 30})
    assert waits_for(client, "lost") == f"{said}; those heard of lately have cpu with 64 GiB, cuda with 16 GiB"
    announce(client, "cy", device={"kind": "cuda", "memory_bytes": 80 << 30})
    assert waits_for(client, "lost") is None
    clock.advance(LEASE_SECONDS + SEEN_SECONDS + 1)
    announce(client)
    assert waits_for(client, "lost") == f"{said}; those heard of lately have cpu"


def test_a_study_whose_task_no_worker_has_says_so(client: httpx.Client) -> None:
    announce(client)
    client.post("/v1/studies", json={"task": "digits-mlp", "name": "digits"})
    client.post("/v1/studies", json={"task": "my-task", "name": "mine"})
    create(client)
    said = "a worker that can train digits-mlp; those heard of lately do not have this task"
    assert waits_for(client, "digits") == said
    announce(client, "bob", left_out={"digits-mlp": "task digits-mlp lacks files that it reads"})
    assert waits_for(client, "digits") == f"{said}: bob leaves it out, for task digits-mlp lacks files that it reads"
    assert waits_for(client, "mine") is waits_for(client, "by-hand") is None


def test_a_study_that_is_paused_or_over_waits_for_nobody(client: httpx.Client) -> None:
    client.post("/v1/studies", json={"task": "digits-mlp", "name": "digits"})
    assert waits_for(client, "digits") is not None
    client.post("/v1/studies/digits/pause")
    assert waits_for(client, "digits") is None
    client.post("/v1/studies/digits/cancel")
    assert waits_for(client, "digits") is None
