"""What a stock Optuna reads in our database, on every kind of database: each trap of its schema is a test."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState as OptunaState
from sqlalchemy import text

from search.brackets import bracket
from search.choices import PrunerChoice
from search.study import StudyRequest, Trial, TrialState
from service.store import NameTaken, Store, open_store
from tests.store.optunas_view import storage_of, study_of, trials_of
from tests.store.stored import (
    DISTRIBUTIONS,
    NOW,
    a_point,
    a_trial,
    commit_trials,
    run_trial,
    some_plan,
    some_study,
)

SECOND = timedelta(seconds=1)


def test_a_name_that_optuna_has_already_is_refused(store: Store) -> None:
    with storage_of(store) as storage:
        storage.create_new_study([StudyDirection.MINIMIZE], "default/first")
    with pytest.raises(NameTaken, match="has a study named 'first' already"):
        some_study(store)


def test_optuna_knows_the_study_by_project_and_name_with_direction_and_metric(store: Store) -> None:
    some_study(store, "first", project="vision", direction="maximize")
    with study_of(store, "vision/first") as study:
        assert study.direction.name == "MAXIMIZE"
        assert study.metric_names == ["val_loss"]
        assert study.user_attrs == {"project": "vision", "task": "digits-mlp", "metric": "val_loss", "horizon": 100}


def test_optuna_reads_parameters_as_they_were_sampled(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, *[a_trial(number) for number in range(8)])
    for number, trial in enumerate(trials_of(store)):
        assert trial.number == number
        assert trial.params == a_trial(number).parameters
        assert trial.distributions == DISTRIBUTIONS


def test_the_ids_come_from_the_database_so_that_optuna_can_go_on_after_them(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(0), a_trial(1))
    with storage_of(store) as storage:
        theirs = storage.create_new_study([StudyDirection.MINIMIZE], "theirs")
        assert storage.create_new_trial(theirs) not in {
            trial._trial_id for trial in storage.get_all_trials(study.optuna_id)
        }
    commit_trials(store, study, a_trial(2))
    assert [trial.number for trial in trials_of(store)] == [0, 1, 2]


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (a_trial(0, TrialState.QUEUED, attempt=0, started_at=None), OptunaState.WAITING),
        (a_trial(0, TrialState.QUEUED, attempt=1), OptunaState.RUNNING),
        (a_trial(0, TrialState.RUNNING), OptunaState.RUNNING),
        (a_trial(0, TrialState.COMPLETED, value=0.5), OptunaState.COMPLETE),
        (a_trial(0, TrialState.COMPLETED, value=None), OptunaState.FAIL),
        (a_trial(0, TrialState.COMPLETED, value=math.nan), OptunaState.FAIL),
        (a_trial(0, TrialState.PRUNED, value=0.5), OptunaState.PRUNED),
        (a_trial(0, TrialState.DIVERGED), OptunaState.PRUNED),
        (a_trial(0, TrialState.CANCELLED), OptunaState.FAIL),
        (a_trial(0, TrialState.FAILED), OptunaState.FAIL),
    ],
    ids=lambda state: getattr(state, "name", f"{getattr(state, 'state', '')}"),
)
def test_each_state_is_one_that_optuna_knows(store: Store, ours: Trial, theirs: OptunaState) -> None:
    study = some_study(store)
    commit_trials(store, study, ours)
    (trial,) = trials_of(store)
    assert trial.state is theirs
    assert trial.user_attrs["etude_state"] == ours.state.value


def test_a_value_that_is_not_a_number_has_no_row_and_leaves_the_study_readable(store: Store) -> None:
    study = some_study(store)
    commit_trials(
        store, study, a_trial(0, TrialState.COMPLETED, value=math.nan), a_trial(1, TrialState.COMPLETED, value=0.5)
    )
    assert [trial.value for trial in trials_of(store)] == [None, 0.5]
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM trial_values")).scalar_one() == 1


@pytest.mark.parametrize("value", [math.inf, -math.inf, 5e-324, -1.7976931348623157e308, 0.1 + 0.2, 0.0])
def test_a_value_is_read_back_by_optuna_to_the_last_bit(store: Store, value: float) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(0, TrialState.COMPLETED, value=value))
    with study_of(store) as theirs:
        assert theirs.trials[0].value == value
        assert theirs.best_value == value


def test_a_pruned_trial_shows_the_value_it_was_pruned_with(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(0, TrialState.PRUNED, value=0.75))
    assert trials_of(store)[0].value == 0.75


def test_a_diverged_trial_keeps_its_curve_with_what_was_not_a_number(store: Store) -> None:
    study = some_study(store)
    run_trial(store, study, 0, {10: 0.5, 20: 3e38, 30: None}, a_trial(0, TrialState.DIVERGED))
    (trial,) = trials_of(store)
    assert trial.value is None
    assert list(trial.intermediate_values) == [10, 20, 30]
    assert trial.intermediate_values[20] == 3e38
    assert math.isnan(trial.intermediate_values[30])


def test_diverged_and_pruned_trials_are_told_apart(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(0, TrialState.DIVERGED), a_trial(1, TrialState.PRUNED, value=0.5))
    assert [trial.user_attrs["etude_state"] for trial in trials_of(store)] == ["diverged", "pruned"]


def test_only_the_points_of_the_plan_go_to_optuna_and_all_to_us(store: Store) -> None:
    study = some_study(store)
    run_trial(store, study, 0, dict.fromkeys(range(5, 101, 5), 0.5), a_trial(0, TrialState.COMPLETED))
    assert tuple(trials_of(store)[0].intermediate_values) == study.plan.shown
    assert len(store.curve(study.id, 0)) == 20


def test_the_points_of_a_trial_are_those_of_its_own_bracket(store: Store) -> None:
    plan = some_plan().model_copy(update={"runs": (30, 100), "rungs": (30,), "shown": (30, 80, 130)})
    pruner = PrunerChoice(kind="hyperband", rescale=True)
    request = StudyRequest(name="first", task="digits-mlp", pruner=pruner)
    study = store.create_study("default", "first", request, plan)
    trials = [a_trial(number) for number in range(12)]
    points = tuple((trial.number, 1, a_point(update, 0.5)) for trial in trials for update in (30, 50, 80, 100))
    commit_trials(store, study, *trials, points=points)
    shown = [tuple(trial.intermediate_values) for trial in trials_of(store)]
    assert shown == [(30, 80) if bracket(study, trial) == 0 else (50, 100) for trial in trials]
    assert len(set(shown)) == 2


def test_a_point_sent_again_is_not_a_second_point(store: Store) -> None:
    study = some_study(store)
    for loss in (0.5, 0.25):
        commit_trials(store, study, a_trial(0), points=((0, 1, a_point(10, loss)), (0, 1, a_point(10, loss))))
    assert trials_of(store)[0].intermediate_values == {10: 0.25}


def test_a_new_attempt_starts_an_empty_curve(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(0), points=((0, 1, a_point(10, 0.5)), (0, 1, a_point(20, 0.4))))
    lost = a_trial(0, TrialState.QUEUED, lost_attempts=1)
    commit_trials(store, study, lost)
    assert list(trials_of(store)[0].intermediate_values) == [10, 20]
    commit_trials(store, study, a_trial(0, attempt=2), points=((0, 1, a_point(30, 0.3)), (0, 2, a_point(10, 0.9))))
    assert trials_of(store)[0].intermediate_values == {10: 0.9}


def test_times_are_naive_utc_in_the_table(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(0, TrialState.COMPLETED, started_at=NOW, finished_at=NOW + SECOND))
    with store.engine.connect() as connection:
        found = connection.execute(text("SELECT CAST(datetime_start AS VARCHAR(19)) FROM trials")).scalar_one()
    assert found[:19] == "2026-03-29 00:30:00"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Europe/Berlin"])
def test_optuna_shows_the_right_moment_in_any_zone(store: Store, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(0, TrialState.COMPLETED, started_at=NOW, finished_at=NOW + SECOND))
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        (trial,) = trials_of(store)
        assert trial.datetime_start is not None
        assert trial.datetime_start.astimezone(UTC) == NOW
        assert trial.duration == SECOND
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_was_sampled_means_is_shown_while_the_trial_runs(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(1))
    shown = trials_of(store)[0].user_attrs
    recipe = a_trial(1).recipe
    assert shown["peak_lr"] == recipe.peak_lr
    assert shown["optimizer"] == "sgd"
    assert shown["recipe"] == recipe.summary()
    assert shown["recipe_json"] == recipe.model_dump(mode="json")


def test_what_a_finished_trial_came_to_is_shown_with_its_end(store: Store) -> None:
    study = some_study(store)
    ended = a_trial(
        0,
        TrialState.FAILED,
        reason="it raised \0",
        cause="error",
        metrics={"val_loss": None},
        test_metrics={"accuracy": 0.75, "test_loss": 0.5},
        train_seconds=2.5,
    )
    run_trial(store, study, 0, {10: 0.5}, ended)
    shown = trials_of(store)[0].user_attrs
    assert shown["last_val_loss"] is None
    assert (shown["test_accuracy"], shown["test_loss"]) == (0.75, 0.5)
    assert (shown["reason"], shown["cause"], shown["train_seconds"]) == ("it raised ␀", "error", 2.5)


def test_a_long_attribute_is_kept_whole(store: Store) -> None:
    study = some_study(store)
    commit_trials(store, study, a_trial(0, TrialState.FAILED, reason="x" * 100_000))
    assert trials_of(store)[0].user_attrs["reason"] == "x" * 100_000


def test_a_finished_trial_that_is_committed_again_reads_the_same(store: Store) -> None:
    study = some_study(store)
    run_trial(store, study, 0, {10: 0.5}, a_trial(0, TrialState.COMPLETED))
    before = trials_of(store)
    commit_trials(store, study, store.trial(study.id, 0))
    assert trials_of(store) == before


def test_a_trial_that_optunas_tables_refuse_does_not_stop_the_others(store: Store) -> None:
    study = some_study(store)
    _refuse_parameter(store, "poison")
    poisoned = a_trial(1, parameters={"poison": 0.5}, distributions={"poison": DISTRIBUTIONS["lr_position"]})
    commit_trials(store, study, a_trial(0), poisoned, a_trial(2))
    assert [trial.number for trial in trials_of(store)] == [0, 2]
    assert [trial.number for trial in store.load_study(study.id)[1]] == [0, 1, 2]


def test_a_trial_missing_in_optunas_tables_is_added_with_its_next_change(store: Store) -> None:
    study = some_study(store)
    _refuse_parameter(store, "poison")
    poisoned = a_trial(0, parameters={"poison": 0.5}, distributions={"poison": DISTRIBUTIONS["lr_position"]})
    commit_trials(store, study, poisoned)
    assert trials_of(store) == []
    _refuse_parameter(store, "another")
    commit_trials(store, study, replace(poisoned, state=TrialState.COMPLETED, value=0.5, finished_at=NOW))
    (trial,) = trials_of(store)
    assert (trial.value, trial.params) == (0.5, {"poison": 0.5})


def _refuse_parameter(store: Store, name: str) -> None:
    """Let the database refuse this parameter, and no longer any other."""
    refuse = "BEGIN SELECT RAISE(ABORT, 'refused'); END"
    if store.engine.dialect.name == "postgresql":
        statements = [
            "ALTER TABLE trial_params DROP CONSTRAINT IF EXISTS refusal",
            f"ALTER TABLE trial_params ADD CONSTRAINT refusal CHECK (param_name <> '{name}')",
        ]
    else:
        statements = [
            "DROP TRIGGER IF EXISTS refusal",
            f"CREATE TRIGGER refusal BEFORE INSERT ON trial_params WHEN NEW.param_name = '{name}' {refuse}",
        ]
    with store.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_sqlite_gives_the_id_of_a_deleted_study_to_the_next_one(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    try:
        store.lead("tests", 60)
        first = some_study(store, "first")
        store.delete_study(first.id)
        second = some_study(store, "second")
        assert second.optuna_id == first.optuna_id, "the generation is counted for nothing"
        assert second.id != first.id
    finally:
        store.close()
