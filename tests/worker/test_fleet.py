"""Worker processes: kept running, given up, stopped."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search.devices import DeviceSlot, cpu_slots
from search.fleet import Fleet

NOTE_AND_WAIT = """
import os, pathlib, signal, sys
directory = pathlib.Path(sys.argv[1])
said = [sys.argv[3], os.environ.get("OMP_NUM_THREADS"), os.getsid(0), os.environ.get("CUDA_VISIBLE_DEVICES")]
(directory / f"{os.getpid()}.part").write_text(" ".join(map(repr, said)))
(directory / f"{os.getpid()}.part").rename(directory / str(os.getpid()))
signal.pause()
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + NOTE_AND_WAIT
DIES = "import sys; print('no such key'); sys.exit(6)"

MakeFleet = Callable[..., Fleet]


@pytest.fixture
def make_fleet(tmp_path: Path) -> Iterator[MakeFleet]:
    made: list[Fleet] = []

    def make(program: str, slots: list[DeviceSlot], log: Path | None = None) -> Fleet:
        command = [sys.executable, "-c", program, str(tmp_path)]
        fleet = Fleet(command, slots, log_path=log, first_pause_seconds=0.001, look_seconds=0.01)
        made.append(fleet)
        return fleet

    yield make
    for fleet in made:
        fleet.stop(timeout=0.0)


def _wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(6000):
        if condition():
            return
        pause.wait(0.005)
    pytest.fail("the condition did not come true within 30 s")


def _notes(directory: Path) -> dict[int, list[str]]:
    return {int(path.name): path.read_text().split() for path in directory.iterdir() if path.name.isdecimal()}


def test_a_worker_that_dies_at_birth_again_and_again_is_given_up_with_a_sentence(
    make_fleet: MakeFleet, tmp_path: Path
) -> None:
    log = tmp_path / "logs" / "workers.log"
    fleet = make_fleet(DIES, cpu_slots(1), log)
    fleet.start()
    _wait_for(lambda: bool(fleet.problems))
    (problem,) = fleet.problems
    assert problem.startswith("the worker on cpu:0 is given up: it ended 5 times in a row within 20 s of its start")
    assert problem.endswith(f"last with exit code 6; {log} says why")
    assert fleet.alive == 0
    assert log.read_text() == "no such key\n" * 5


def test_each_slot_gets_a_worker_of_its_own_with_one_thread_in_a_session_of_its_own(
    make_fleet: MakeFleet, tmp_path: Path
) -> None:
    fleet = make_fleet(NOTE_AND_WAIT, cpu_slots(2))
    fleet.start()
    _wait_for(lambda: len(_notes(tmp_path)) == 2)
    notes = _notes(tmp_path)
    assert sorted(notes) == sorted(fleet.pids)
    assert sorted(name for name, *_ in notes.values()) == ["'cpu:0'", "'cpu:1'"]
    assert {threads for _, threads, *_ in notes.values()} == {"'1'"}
    assert {int(session) for _, _, session, _ in notes.values()} == set(fleet.pids)


def test_workers_on_cores_see_none_of_the_gpus_that_those_beside_them_count(
    make_fleet: MakeFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    fleet = make_fleet(NOTE_AND_WAIT, [DeviceSlot("cuda", 0), DeviceSlot("cuda", 1), *cpu_slots(1)])
    fleet.start()
    _wait_for(lambda: len(_notes(tmp_path)) == 3)
    seen = {name: (threads, visible) for name, threads, _, visible in _notes(tmp_path).values()}
    assert seen == {
        "'cuda:0'": ("None", "'3,5'"),
        "'cuda:1'": ("None", "'3,5'"),
        "'cpu:0'": ("'1'", "''"),
    }


def test_a_worker_that_is_killed_is_started_again(make_fleet: MakeFleet, tmp_path: Path) -> None:
    fleet = make_fleet(NOTE_AND_WAIT, cpu_slots(1))
    fleet.start()
    _wait_for(lambda: len(_notes(tmp_path)) == 1)
    (first,) = _notes(tmp_path)
    os.kill(first, 9)
    _wait_for(lambda: len(_notes(tmp_path)) == 2)
    _wait_for(lambda: fleet.alive == 1)
    assert fleet.pids != [first]
    assert fleet.problems == []


def test_a_stopped_fleet_leaves_no_process_and_starts_none_again(make_fleet: MakeFleet, tmp_path: Path) -> None:
    fleet = make_fleet(NOTE_AND_WAIT, cpu_slots(2))
    fleet.start()
    _wait_for(lambda: len(_notes(tmp_path)) == 2)
    fleet.stop(timeout=20.0)
    fleet.stop(timeout=0.0)
    assert fleet.alive == 0
    for pid in _notes(tmp_path):
        with pytest.raises(ProcessLookupError, match="No such process"):
            os.kill(pid, 0)


def test_a_worker_that_does_not_listen_is_killed(make_fleet: MakeFleet, tmp_path: Path) -> None:
    fleet = make_fleet(STUBBORN, cpu_slots(1))
    fleet.start()
    _wait_for(lambda: len(_notes(tmp_path)) == 1)
    fleet.stop(timeout=0.05)
    assert fleet.alive == 0


def test_a_fleet_that_was_never_started_can_be_stopped(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(DIES, cpu_slots(1))
    fleet.stop()
    assert fleet.alive == 0
