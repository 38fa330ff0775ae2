"""Which worker is handed trials of a study that chooses devices, or limits the trials of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from search.protocol import Announcement, ReleaseRequest, Slot
from service.ensemble import Ensemble
from tests.search.playing import LEASE_SECONDS, Clock
from tests.service.playing import a_request, an_ensemble, claim, claim_one, finish


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ensemble(database_url: str, clock: Clock) -> Iterator[Ensemble]:
    with an_ensemble(database_url, clock) as ensemble:
        yield ensemble


def announce(ensemble: Ensemble, worker: str, *, host: str = "box", **device: Any) -> None:
    ensemble.announce(
        Announcement.model_validate({"worker": worker, "host": host, "device": {"kind": "cuda", **device}})
    )


def slot(given: Any) -> Slot:
    return Slot(**given.fence.model_dump(exclude={"lease"}))


def test_a_worker_on_another_kind_of_device_is_handed_nothing(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request(devices={"kinds": ["cuda"]}))
    announce(ensemble, "core", kind="cpu")
    announce(ensemble, "card")
    assert claim(ensemble, "core") == []
    assert claim_one(ensemble, "card").fence.trial == 0


def test_a_worker_on_too_small_a_device_is_handed_nothing(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request(devices={"memory_bytes_at_least": 1000}))
    announce(ensemble, "small", memory_bytes=999)
    announce(ensemble, "unknown")
    announce(ensemble, "large", memory_bytes=1000)
    assert claim(ensemble, "small") == claim(ensemble, "unknown") == []
    assert claim_one(ensemble, "large").fence.trial == 0


def test_a_program_that_never_announced_itself_is_handed_nothing_of_a_study_that_names_devices(
    ensemble: Ensemble,
) -> None:
    ensemble.create_study("default", a_request(devices={"kinds": ["cpu", "cuda", "other"]}))
    ensemble.create_study("default", a_request("anywhere"))
    assert claim_one(ensemble, "script").fence.study == "anywhere"
    announce(ensemble, "script", host="", kind="other")
    assert {given.fence.study for given in claim(ensemble, "script", lanes=3)} == {"first", "anywhere"}


def test_a_device_is_handed_no_more_trials_than_the_study_allows(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request(trials_per_device=2))
    for worker in ("ada", "bob", "cy"):
        announce(ensemble, worker, index=0)
    announce(ensemble, "dan", index=1)
    first, second = claim_one(ensemble, "ada"), claim_one(ensemble, "bob")
    assert claim(ensemble, "cy") == []
    assert claim_one(ensemble, "dan").fence.trial == 2
    finish(ensemble, first)
    assert claim_one(ensemble, "cy").fence.trial == 3
    assert second.fence.trial == 1


def test_a_worker_of_many_lanes_fills_them_only_up_to_the_limit(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request(trials_per_device=3, budget={"trials": 9}))
    ensemble.create_study("default", a_request("second", budget={"trials": 9}))
    announce(ensemble, "ada")
    given = claim(ensemble, "ada", lanes=5)
    assert [each.fence.study for each in given] == ["first"] * 3 + ["second"] * 2


def test_other_hosts_and_other_kinds_are_other_devices(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request(trials_per_device=1))
    announce(ensemble, "ada")
    announce(ensemble, "bob", host="other-box")
    announce(ensemble, "cy", kind="cpu")
    assert [claim_one(ensemble, worker).fence.trial for worker in ("ada", "bob", "cy")] == [0, 1, 2]


def test_a_device_is_known_by_its_uuid_before_all_else(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request(trials_per_device=1))
    announce(ensemble, "ada", uuid="GPU-1")
    announce(ensemble, "bob", uuid="GPU-2")
    announce(ensemble, "cy", uuid="GPU-1", host="container", index=7)
    assert [len(claim(ensemble, worker)) for worker in ("ada", "bob", "cy")] == [1, 1, 0]


def test_programs_whose_device_is_not_known_are_not_limited(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request(trials_per_device=1, budget={"trials": 9}))
    announce(ensemble, "hostless", host="")
    assert len(claim(ensemble, "script", lanes=2)) == 2
    assert len(claim(ensemble, "hostless", lanes=2)) == 2


def test_a_lost_answer_is_sent_again_and_counts_once(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request(trials_per_device=1))
    announce(ensemble, "ada")
    announce(ensemble, "bob")
    given = claim_one(ensemble, "ada")
    assert claim(ensemble, "ada") == [given]
    assert claim(ensemble, "ada", held=[slot(given)]) == []
    assert claim(ensemble, "bob") == []


def test_a_worker_that_moved_to_another_device_is_still_sent_what_it_holds(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request(devices={"kinds": ["cuda"]}))
    announce(ensemble, "ada")
    given = claim_one(ensemble, "ada")
    announce(ensemble, "ada", kind="cpu")
    assert claim(ensemble, "ada") == [given]
    assert claim(ensemble, "ada", held=[slot(given)]) == []


def test_trials_given_back_and_lost_make_room(ensemble: Ensemble, clock: Clock) -> None:
    ensemble.create_study("default", a_request(trials_per_device=1))
    announce(ensemble, "ada")
    announce(ensemble, "bob")
    ensemble.release(ReleaseRequest(fences=(claim_one(ensemble, "ada").fence,)))
    assert claim_one(ensemble, "bob").fence.trial == 0
    clock.advance(LEASE_SECONDS + 1)
    ensemble.tick()
    assert claim_one(ensemble, "ada").fence.trial == 0


def test_a_service_started_again_keeps_to_the_limit(database_url: str, clock: Clock) -> None:
    with an_ensemble(database_url, clock) as ensemble:
        ensemble.create_study("default", a_request(trials_per_device=1, devices={"kinds": ["cuda"]}))
        for worker in ("ada", "bob"):
            announce(ensemble, worker)
        given = claim_one(ensemble, "ada")
    with an_ensemble(database_url, clock) as again:
        assert claim(again, "bob") == []
        assert claim(again, "ada") == [given]
        finish(again, given)
        assert claim_one(again, "bob").fence.trial == 1


def test_what_another_service_was_told_is_read_again(database_url: str, clock: Clock) -> None:
    with an_ensemble(database_url, clock) as ensemble:
        ensemble.create_study("default", a_request(devices={"kinds": ["cuda"]}))
        assert claim(ensemble, "ada") == []
        ensemble._store.step_down()
        with an_ensemble(database_url, clock) as other:
            announce(other, "ada")
        clock.advance(60)
        ensemble.tick()
        assert claim_one(ensemble, "ada").fence.trial == 0


def test_what_workers_train_is_known_again_after_a_start(database_url: str, clock: Clock) -> None:
    with an_ensemble(database_url, clock) as ensemble:
        ensemble.create_study("default", a_request())
        claim(ensemble, "ada", lanes=2)
    with an_ensemble(database_url, clock) as again:
        assert again.telemetry.works() == {}
        again.tick()
        assert [each.trial for each in again.telemetry.works()["ada"].trainings] == [0, 1]
        clock.advance(LEASE_SECONDS + 1)
        again.tick()
        assert again.telemetry.works() == {}


def test_a_worker_with_many_lanes_leaves_the_others_their_share(ensemble: Ensemble, clock: Clock) -> None:
    ensemble.create_study("default", a_request(budget={"trials": 12}))
    for worker in ("ada", "bob"):
        announce(ensemble, worker)
    assert [len(claim(ensemble, worker, lanes=32)) for worker in ("ada", "bob")] == [6, 3]
    clock.advance(31)
    assert len(claim(ensemble, "cy", lanes=32)) == 3
