"""The rows of kept files: written with the file in its place, or not at all."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from search.errors import Unavailable
from search.protocol import Fence
from search.study import Keep, Study, StudyRequest, TrialState
from service.store import Artifact, NotLeader, Store, open_store
from tests.store.stored import NOW, a_lease, a_trial, commit_trials, some_plan, some_study


def a_fence(trial: int) -> Fence:
    return Fence(study="first", trial=trial, attempt=1, lease="token")


def weights(trial: int, content: str = "a", **fields: Any) -> Artifact:
    given = {"attempt": 1, "kind": "weights", "sha256": content * 64, "size_bytes": 10, "created_at": NOW, **fields}
    return Artifact(trial=trial, **given)


def with_trials(store: Store, *values: float, study: Study | None = None) -> Study:
    """A study whose trials completed with these values."""
    study = study or some_study(store)
    trials = [a_trial(n, TrialState.COMPLETED, value=v, lease=a_lease()) for n, v in enumerate(values)]
    commit_trials(store, study, *trials)
    return study


def test_a_file_that_cannot_be_put_in_its_place_has_no_row(store: Store) -> None:
    def full(_: int) -> NoReturn:
        raise Unavailable("no room")

    study = with_trials(store, 0.5)
    with pytest.raises(Unavailable, match="no room"):
        store.keep_weights(a_fence(0), weights(0), full)
    assert store.weights(study.id) == {}


def test_a_service_that_does_not_lead_keeps_nothing(store: Store) -> None:
    placed: list[int] = []
    with_trials(store, 0.5)
    store.step_down()
    with pytest.raises(NotLeader, match="does not lead"):
        store.refuse_weights(a_fence(0))
    with pytest.raises(NotLeader, match="does not lead"):
        store.keep_weights(a_fence(0), weights(0), placed.append)
    assert (placed, store.epoch) == ([], None)


def test_what_is_kept_is_read_back(store: Store) -> None:
    placed: list[int] = []
    study = with_trials(store, 0.5, 0.7)
    assert store.keep_weights(a_fence(0), weights(0), placed.append) == (study.id, [])
    assert placed == [study.id]
    assert store.weights(study.id) == store.weights(study.id, [0, 1]) == {0: weights(0)}
    assert store.weights(study.id, [1]) == {}
    assert store.all_artifacts() == [(study.id, weights(0))]


def test_the_best_s_row_replaces_the_one_before_and_says_so(store: Store) -> None:
    study = with_trials(store, 0.5)
    store.keep_weights(a_fence(0), weights(0), lambda _: None)
    with_trials(store, 0.5, 0.25, study=study)
    assert store.keep_weights(a_fence(1), weights(1, "b"), lambda _: None) == (study.id, [weights(0)])
    assert store.weights(study.id) == {1: weights(1, "b")}


def test_where_all_are_kept_a_trial_s_row_replaces_its_own_only(store: Store) -> None:
    request = StudyRequest(name="first", task="digits-mlp", keep=Keep(weights="all"))
    study = with_trials(store, 0.5, 0.7, study=store.create_study("default", "first", request, some_plan()))
    for trial in (0, 1):
        store.keep_weights(a_fence(trial), weights(trial), lambda _: None)
    assert store.keep_weights(a_fence(1), weights(1, "c"), lambda _: None) == (study.id, [weights(1)])
    assert store.weights(study.id) == {0: weights(0), 1: weights(1, "c")}
    assert store.find_study("default", "first").request.keep == Keep(weights="all")


def test_a_deleted_study_leaves_no_row(store: Store) -> None:
    study = with_trials(store, 0.5)
    store.keep_weights(a_fence(0), weights(0), lambda _: None)
    store.delete_study(study.id)
    assert store.all_artifacts() == []


def test_a_database_keeps_a_name_that_no_other_has(store: Store, empty_database_url: str) -> None:
    again, other = open_store(store.url), open_store(empty_database_url)
    assert again.database_id() == store.database_id() != other.database_id()
    assert len(store.database_id()) == 32
    again.close()
    other.close()
