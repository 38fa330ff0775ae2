"""``etude workers``, against a service in a thread."""

from __future__ import annotations

import json
from datetime import timedelta

from rich.console import Console

from search.protocol import Device
from service.cli.exits import Exit
from service.cli.workers import workers_table
from service.client import Client
from service.schemas import TrainingOut, WorkerOut
from tests.cli.conftest import Etude
from tests.search.factories import NOON
from tests.service.by_hand import claim, create
from tests.service.server import LiveServer


def a_worker(*trials: TrainingOut, **fields: object) -> WorkerOut:
    said = {
        "worker": "box-7",
        "host": "box",
        "pid": 7,
        "device": Device(kind="cuda", index=1, name="H200", memory_bytes=141 << 30),
        "versions": {},
        "tasks": [],
        "state": "training" if trials else "idle",
        "trials": trials,
        "other_trials": 0,
        "updates_per_second": None,
        "announced_at": NOON,
        "seen_at": NOON,
        **fields,
    }
    return WorkerOut.model_validate(said)


def a_training(trial: int, update: int, *, study: str = "first", attempt: int = 1) -> TrainingOut:
    return TrainingOut(
        project="default",
        study=study,
        trial=trial,
        attempt=attempt,
        update=update,
        horizon=100,
        updates_per_second=None,
    )


def shown(*workers: WorkerOut) -> list[list[str]]:
    """The cells of each line of the table, its head left out."""
    console = Console(width=200, highlight=False)
    with console.capture() as captured:
        console.print(workers_table(workers, NOON + timedelta(seconds=3)))
    return [[cell for cell in line.split("  ") if cell.strip()] for line in captured.get().splitlines()[1:]]


def test_no_worker_says_how_to_start_one(etude: Etude) -> None:
    ran = etude("workers")
    assert ran.code == Exit.OK
    assert "no worker has been heard of lately: `etude worker` starts one" in ran.out


def test_workers_are_listed_with_what_they_train(etude: Etude, live_server: LiveServer, client: Client) -> None:
    with live_server.client() as hand:
        device = {"kind": "cpu", "index": 3, "name": "Rex [bold]9000", "memory_bytes": 3 << 30}
        hand.post("/v1/work/announce", json={"worker": "ada", "host": "box", "device": device})
        create(hand)
        claim(hand, worker="ada")
    ran = etude("workers")
    assert ran.code == Exit.OK
    line = " ".join(ran.out.splitlines()[1].split())
    assert line.startswith("ada box cpu:3 Rex [bold]9000 3 GiB training by-hand 0 0% – ")
    (listed,) = json.loads(etude("workers", "--json").out)
    assert (listed["state"], listed["trials"][0]["study"]) == ("training", "by-hand")
    assert "1 of other projects" in etude("workers", "--project", "vision").out


def test_one_trial_is_named_and_several_are_counted() -> None:
    device = ["box-7", " box", " cuda:1 H200"]
    one = a_worker(a_training(5, 40, attempt=2), updates_per_second=1234.4)
    many = a_worker(
        *(a_training(number, 30) for number in range(3)), a_training(0, 70, study="second"), updates_per_second=2.34
    )
    lines = [[cell.strip() for cell in line] for line in shown(one, many, a_worker(state="silent"))]
    assert [line[:3] for line in lines] == [[cell.strip() for cell in device]] * 3
    assert [line[4:] for line in lines] == [
        ["training", "first 5, attempt 2", "40%", "1,234", "3.0 s ago"],
        ["training", "3 trials of first; 1 trials of second", "40%", "2.3", "3.0 s ago"],
        ["silent", "–", "–", "–", "3.0 s ago"],
    ]


def test_a_study_is_posted_for_a_kind_of_device_and_says_what_it_waits_for(etude: Etude, client: Client) -> None:
    flags = ("--device", "cuda", "--device", "cpu", "--trials-per-device", "2")
    ran = etude("submit", "--task", "digits-mlp", "--name", "first", *flags)
    request = client.study("first").request
    assert (request.devices.kinds, request.trials_per_device) == (("cuda", "cpu"), 2)
    said = "waits for a worker that can train digits-mlp on a device of kind cuda or cpu"
    assert said in ran.out
    assert said in etude("show", "first").out
