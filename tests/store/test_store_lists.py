"""Lists: pages join without gap or repeat, and a wrong cursor is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from search.errors import Unsuitable
from search.ledger import Changes
from search.study import Direction, StudyState, TrialState
from service.store import Store
from tests.store.stored import a_trial, commit_trials, counting, some_study


@pytest.mark.parametrize("cursor", ["", "nonsense", "YWZ0ZXI6eA", "b3RoZXI6MQ", "é", "a" * 10_000])
def test_a_cursor_that_no_list_gave_is_refused(store: Store, cursor: str) -> None:
    study = some_study(store)
    with pytest.raises(Unsuitable, match="was not given out by a list: take next_cursor of the last page") as refused:
        store.trials(study.id, cursor=cursor)
    assert refused.value.where == ("cursor",)
    with pytest.raises(Unsuitable, match="was not given out by a list"):
        store.studies("default", cursor=cursor)


@pytest.mark.parametrize("limit", [-1, 0, 1001])
def test_a_page_of_a_size_out_of_bounds_is_refused(store: Store, limit: int) -> None:
    study = some_study(store)
    questions: list[Callable[[], object]] = [
        lambda: store.trials(study.id, limit=limit),
        lambda: store.studies("default", limit=limit),
        lambda: store.leaderboard(study.id, limit=limit),
        lambda: store.events(study.id, 0, limit=limit),
    ]
    for question in questions:
        with pytest.raises(Unsuitable, match=f"limit is {limit}: it must be 1 to 1000") as refused:
            question()
        assert refused.value.where == ("limit",)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_the_pages_of_trials_join_without_gap_or_repeat(store: Store, limit: int) -> None:
    study = some_study(store)
    commit_trials(store, study, *[a_trial(number) for number in range(7)])
    numbers, cursor = [], None
    while True:
        page = store.trials(study.id, cursor=cursor, limit=limit)
        assert 0 < len(page.items) <= limit
        numbers += [trial.number for trial in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert numbers == list(range(7))


def test_a_list_of_trials_leaves_out_what_is_large(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(0, TrialState.FAILED, log="a long log"))
    (light,) = store.trials(study.id).items
    assert (light.distributions, light.log) == ({}, "")
    assert light.parameters == a_trial(0).parameters


def test_trials_are_chosen_by_state(store: Store) -> None:
    study = some_study(store)
    states = [TrialState.COMPLETED, TrialState.DIVERGED, TrialState.COMPLETED, TrialState.RUNNING]
    commit_trials(store, study, *[a_trial(number, state) for number, state in enumerate(states)])
    page = store.trials(study.id, state=TrialState.COMPLETED, limit=1)
    assert [trial.number for trial in page.items] == [0]
    rest = store.trials(study.id, state=TrialState.COMPLETED, cursor=page.next_cursor)
    assert [trial.number for trial in rest.items] == [2]


def test_studies_come_newest_first_and_by_state(store: Store) -> None:
    studies = [some_study(store, name) for name in ("a", "b", "c")]
    store.commit(Changes(study=replace(studies[1], state=StudyState.RUNNING)))
    first = store.studies("default", limit=2)
    assert [study.name for study in first.items] == ["c", "b"]
    assert [study.name for study in store.studies("default", cursor=first.next_cursor).items] == ["a"]
    assert [study.name for study in store.studies("default", state=StudyState.RUNNING).items] == ["b"]


def test_active_studies_are_those_of_all_projects_that_have_not_ended(store: Store) -> None:
    for project, state in zip(("a", "b", "c", "d"), ("queued", "running", "paused", "completed"), strict=True):
        store.commit(Changes(study=replace(some_study(store, project=project), state=StudyState(state))))
    assert [study.project for study in store.active_studies()] == ["a", "b", "c"]


def test_every_state_is_counted_also_those_without_trials(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(0), a_trial(1, TrialState.PRUNED), a_trial(2, TrialState.PRUNED))
    counts = store.counts(study.id)
    assert counts == dict.fromkeys(TrialState, 0) | {TrialState.RUNNING: 1, TrialState.PRUNED: 2}


@pytest.mark.parametrize("direction, order", [("minimize", [1, 3, 0]), ("maximize", [0, 1, 3])])
def test_the_leaderboard_is_sorted_in_the_direction_of_the_study(
    store: Store, direction: Direction, order: list[int]
) -> None:
    study = some_study(store, direction=direction)
    values = {0: 0.5, 1: 0.25, 3: 0.25}
    done = [a_trial(number, TrialState.COMPLETED, value=value) for number, value in values.items()]
    others = [a_trial(2, TrialState.PRUNED, value=0.0), a_trial(4, TrialState.COMPLETED, value=None), a_trial(5)]
    commit_trials(store, study, *sorted([*done, *others], key=lambda trial: trial.number))
    assert [trial.number for trial in store.leaderboard(study.id)] == order
    assert [trial.number for trial in store.leaderboard(study.id, limit=1)] == order[:1]


def test_a_page_is_one_question_however_many_trials_there_are(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, *[a_trial(number) for number in range(500)])
    with counting(store) as cost:
        store.trials(study.id, limit=100)
    assert cost.statements <= 2


def test_studies_of_all_projects_are_counted_by_state(store: Store) -> None:
    some_study(store, "first")
    ended = some_study(store, "second", project="other")
    commit_trials(store, replace(ended, state=StudyState.CANCELLED))
    counts = dict.fromkeys(StudyState, 0) | {StudyState.QUEUED: 1, StudyState.CANCELLED: 1}
    assert store.study_counts() == counts
