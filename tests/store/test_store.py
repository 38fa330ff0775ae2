"""The store's contract, on every kind of database: what is committed is read back, and what must not be is refused."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from search.errors import NotFound, Unsuitable
from search.ledger import Changes, Event
from search.protocol import Announcement
from search.study import Study, StudyState, Trial, TrialState
from search.tasks.info import TaskInfo
from service.store import NameTaken, Store, Unstorable, open_store
from tests.store.stored import (
    FINDINGS,
    NOW,
    a_lease,
    a_point,
    a_trial,
    an_attempt,
    commit_trials,
    counting,
    run_trial,
    some_study,
)


def test_a_name_is_taken_once_in_a_project(store: Store) -> None:
    some_study(store, "first")
    with pytest.raises(NameTaken, match="project 'default' has a study named 'first' already: choose another name"):
        some_study(store, "first")
    assert some_study(store, "first", project="other").project == "other"


def test_a_refused_name_leaves_nothing_behind(store: Store) -> None:
    some_study(store, "first")
    with pytest.raises(NameTaken, match="first"):
        some_study(store, "first")
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM studies")).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM study_directions")).scalar_one() == 1


def test_a_study_that_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="project 'default' has no study named 'nothing'"):
        store.find_study("default", "nothing")
    with pytest.raises(NotFound, match="there is no study with id 77"):
        store.load_study(77)
    with pytest.raises(NotFound, match="there is no study with id 77"):
        store.delete_study(77)


def test_a_project_does_not_see_the_studies_of_another(store: Store) -> None:
    some_study(store, "first", project="one")
    with pytest.raises(NotFound, match="project 'two' has no study named 'first'"):
        store.find_study("two", "first")
    assert store.studies("two").items == ()


def test_a_trial_that_is_not_there_is_not_found(store: Store) -> None:
    study = some_study(store)
    with pytest.raises(NotFound, match="the study has no trial 3"):
        store.trial(study.id, 3)


def test_changes_of_a_deleted_study_are_refused(store: Store) -> None:
    study = some_study(store)
    store.delete_study(study.id)
    with pytest.raises(NotFound, match=r"study default/first .* was deleted"):
        commit_trials(store, study, a_trial(0))


def test_a_naive_time_is_refused(store: Store) -> None:
    study = some_study(store)
    naive = replace(a_trial(0), created_at=datetime(2026, 1, 1))  # noqa: DTZ001  the refused case
    with pytest.raises(ValueError, match="2026-01-01T00:00:00 has no zone"):
        commit_trials(store, study, naive)


def test_a_study_is_read_back_as_it_was_created(store: Store) -> None:
    study = some_study(store)
    assert store.find_study("default", "first") == study
    assert store.load_study(study.id) == (study, [])
    assert study.state is StudyState.QUEUED


def test_findings_stay_what_they_were_when_the_study_changes(store: Store) -> None:
    study = some_study(store)
    assert study.findings == FINDINGS
    store.commit(Changes(study=replace(study, state=StudyState.PAUSED, findings=())))
    assert store.find_study("default", "first").findings == FINDINGS


def test_every_field_of_a_trial_is_read_back_as_it_was_committed(store: Store) -> None:
    study = some_study(store)
    trial = _full_trial()
    commit_trials(store, study, trial)
    assert store.trial(study.id, 7) == trial
    assert store.load_study(study.id)[1] == [trial]


def test_every_field_of_a_trial_can_change_after_its_first_commit(store: Store) -> None:
    study = some_study(store)
    bare = Trial(number=7, state=TrialState.QUEUED, recipe=_full_trial().recipe, seed=2**32 - 1, created_at=NOW)
    fixed = {"parameters", "distributions", "origin"}
    trial = replace(_full_trial(), **{name: getattr(bare, name) for name in fixed})
    commit_trials(store, study, bare)
    commit_trials(store, study, trial)
    assert store.trial(study.id, 7) == trial


def _full_trial() -> Trial:
    trial = a_trial(
        7,
        seed=2**32 - 1,
        origin="enqueued",
        attempt=3,
        lost_attempts=2,
        lease=a_lease(),
        update=2**40,
        evaluated=90,
        epoch=9.5,
        rate=1e-300,
        at_rungs={25: 0.1 + 0.2, 50: 0.25},
        best=0.1,
        improved_to=0.1,
        improved_at=2**40,
        metrics={"val_loss": None, "val_accuracy": 0.5},
        test_metrics={"test_loss": 0.125},
        value=5e-324,
        prune="worse than the median at update 50",
        spared="worse than the median at update 25",
        cancel="somebody asked",
        reason="a reason",
        cause="error",
        log="line one\nline two",
        train_seconds=12.5,
        finished_at=NOW + timedelta(hours=1),
    )
    unset = {field.name for field in dataclasses.fields(Trial) if getattr(trial, field.name) in (None, "", 0, {})}
    assert unset == set(), "a new field of Trial needs a column, and a value here"
    return trial


def test_a_time_in_another_zone_is_the_same_moment_when_read_back(store: Store) -> None:
    study = some_study(store)
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    commit_trials(store, study, replace(a_trial(0), created_at=there))
    assert store.trial(study.id, 0).created_at == NOW


def test_what_a_study_became_is_read_back(store: Store) -> None:
    study = some_study(store)
    request = study.request.model_copy(update={"priority": 7, "labels": {"null": "\0", "smile": "☺"}})
    changed = replace(study, state=StudyState.RUNNING, reason="it began", request=request, started_at=NOW)
    changed = replace(changed, stopped_by="no_improvement", data_sha256="a" * 64)
    store.commit(Changes(study=changed))
    assert store.find_study("default", "first") == changed


def test_a_log_that_no_database_could_hold_is_kept_with_signs_in_its_place(store: Store) -> None:
    study = some_study(store)
    failed = a_trial(0, TrialState.FAILED, log="before\0after \ud800 end", reason="it raised \0")
    commit_trials(store, study, failed, attempts=(an_attempt(0, log="\0", message="\0"),))
    assert store.trial(study.id, 0).log == "before␀after ? end"
    assert store.attempt(study.id, 0, 1).log == "␀"


def test_an_attempt_is_updated_when_it_ends(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(0), attempts=(an_attempt(0, 1), an_attempt(0, 2)))
    ended = an_attempt(0, 1, ended_at=NOW, ending="lost", message="its lease ended")
    commit_trials(store, study, a_trial(0), attempts=(ended,))
    assert store.attempts(study.id, 0) == [ended, an_attempt(0, 2)]


def test_a_point_sent_twice_is_stored_once(store: Store) -> None:
    study = some_study(store)
    again = (0, 1, a_point(10, 0.5))
    commit_trials(store, study, a_trial(0), points=(again, again))
    commit_trials(store, study, a_trial(0), points=(again, (0, 1, a_point(15, None))))
    assert store.curve(study.id, 0) == [a_point(10, 0.5), a_point(15, None)]


def test_the_curves_of_all_attempts_are_kept(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(0), points=((0, 1, a_point(10, 0.5)), (0, 2, a_point(10, 0.25))))
    assert store.curve(study.id, 0, attempt=1) == [a_point(10, 0.5)]
    assert store.curve(study.id, 0) == [a_point(10, 0.25)]


def test_events_come_in_order_and_after_the_one_named(store: Store) -> None:
    study, other = some_study(store), some_study(store, "second")
    store.commit(
        Changes(study=study, events=(Event(kind="study", payload={"n": 1}), Event(kind="trial", payload={"n": 2})))
    )
    store.commit(Changes(study=other, events=(Event(kind="study", payload={"n": 3}),)))
    store.commit(Changes(study=study, events=(Event(kind="trial", payload={"n": 4}),)))
    found = store.events(study.id, after=0)
    assert [event.payload["n"] for event in found] == [1, 2, 4]
    assert [event.payload["n"] for event in store.events(study.id, after=found[1].id)] == [4]
    assert store.events(study.id, after=0, limit=1) == found[:1]


def test_a_deleted_study_takes_everything_with_it_and_nothing_of_another(store: Store) -> None:
    gone, stays = some_study(store, "gone"), some_study(store, "stays")
    for study in (gone, stays):
        run_trial(store, study, 0, {10: 0.5, 100: 0.25}, a_trial(0, TrialState.COMPLETED))
    before = _rows_per_table(store)
    store.delete_study(gone.id)
    halves = {name: count // 2 for name, count in before.items()}
    assert _rows_per_table(store) == halves
    assert store.counts(stays.id)[TrialState.COMPLETED] == 1


def _rows_per_table(store: Store) -> dict[str, int]:
    ours = ("studies", "trials", "attempts", "curves", "events")
    optunas = ("studies", "study_directions", "trials", "trial_params", "trial_values", "trial_intermediate_values")
    tables = [f"etude_{name}" for name in ours] + [*optunas, "trial_user_attributes", "study_user_attributes"]
    with store.engine.connect() as connection:
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables}


def test_a_deletion_is_counted_so_that_caches_can_be_dropped(store: Store) -> None:
    study = some_study(store)
    assert store.generation == 0
    store.delete_study(study.id)
    assert store.generation == 1


def test_an_id_of_a_study_is_never_given_again(store: Store) -> None:
    first = some_study(store, "first")
    store.delete_study(first.id)
    assert some_study(store, "second").id > first.id


def test_a_failed_commit_changes_nothing(store: Store) -> None:
    study = some_study(store)
    too_long = an_attempt(0, ending="x" * 21) if store.engine.dialect.name == "postgresql" else an_attempt(5)
    with pytest.raises(Unstorable, match="refuses a value"):
        commit_trials(store, study, a_trial(0), attempts=(too_long,), events=(Event(kind="trial"),))
    assert store.load_study(study.id) == (study, [])
    assert store.events(study.id, after=0) == []


def test_a_number_too_large_for_the_database_is_refused(store: Store) -> None:
    study = some_study(store)
    with pytest.raises(Unstorable, match="refuses a value"):
        commit_trials(store, study, a_trial(0, update=10**30))
    assert store.load_study(study.id) == (study, [])


def test_a_worker_is_known_by_its_newest_announcement(store: Store) -> None:
    task = TaskInfo(name="mine", metrics={"val_loss": "minimize"}, updates_per_epoch=10)
    store.announce(Announcement(worker="w-1", host="old", tasks=(task,)), NOW)
    newer = Announcement(worker="w-1", host="new", tasks=(task.model_copy(update={"updates_per_epoch": 20}),))
    store.announce(newer, NOW + timedelta(seconds=1))
    store.seen("w-1", NOW + timedelta(seconds=5))
    store.seen("stranger", NOW)
    (record,) = store.workers()
    assert record.announcement == newer
    assert (record.announced_at, record.seen_at) == (NOW + timedelta(seconds=1), NOW + timedelta(seconds=5))
    assert [info.updates_per_epoch for info in store.announced_tasks()] == [20]


def test_another_store_on_the_same_database_reads_what_was_committed(store: Store) -> None:
    study = some_study(store)
    reader = open_store(store.url)
    try:
        commit_trials(store, study, a_trial(0))
        assert reader.trial(study.id, 0) == a_trial(0)
    finally:
        reader.close()


def test_a_short_trial_costs_two_transactions_and_few_statements(store: Store) -> None:
    study = some_study(store)
    with counting(store) as cost:
        run_trial(store, study, 0, dict.fromkeys(range(10, 101, 10), 0.5), a_trial(0, TrialState.COMPLETED))
    assert cost.transactions == 2
    assert cost.statements <= 22


def test_many_trials_in_one_commit_cost_no_more_statements_than_one(store: Store) -> None:
    study: Study = some_study(store)
    with counting(store) as alone:
        commit_trials(store, study, a_trial(0))
    with counting(store) as together:
        commit_trials(store, study, *[a_trial(number) for number in range(1, 101)])
    assert together.transactions == alone.transactions == 1
    assert together.statements <= alone.statements + 2


def test_a_page_of_the_wrong_size_is_refused(store: Store) -> None:
    study = some_study(store)
    for limit in (0, 1001):
        with pytest.raises(Unsuitable, match=f"limit is {limit}: it must be 1 to 1000"):
            store.trials(study.id, limit=limit)
