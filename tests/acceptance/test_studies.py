"""Whole studies: a real service, real workers, each kind of database."""

from __future__ import annotations

import pytest

from search.choices import PrunerChoice
from search.space import Space
from search.study import Budget, StudyRequest, StudyState, TrialState
from service.schemas import EventOut
from tests.acceptance.conftest import House
from tests.acceptance.running import completed, etude, final_counts, stored_study, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


def test_two_workers_train_exactly_the_budget(house: House) -> None:
    with house.service.client() as client:
        client.create_study(StudyRequest(name="whole", task="digits-mlp", epochs=3, budget=Budget(trials=12)))
        completed(house.service.wait_for_end("whole"), 12)
        trials = list(client.trials("whole"))
        events = [each.event for each in client.events("whole")]
    assert [trial.number for trial in trials] == list(range(12))
    assert {trial.attempt for trial in trials} == {1}
    ended = [event.payload["number"] for event in events if _says(event, "trial", "completed")]
    assert sorted(map(str, ended)) == sorted(map(str, range(12)))
    assert _says(events[-1], "study", "completed")
    with stored_study("whole", house.database_url) as stored:
        assert len(stored.trials) == 12
        assert stored.best_value == min(trial.value for trial in trials if trial.value is not None)


def test_trials_of_several_runs_are_trained_and_cut_between_them(house: House) -> None:
    pruner = PrunerChoice(kind="halving", rungs=(0.2, 0.5), start_trials=2, rescale=True)
    space = Space(families=("constant", "cosine"))
    with house.service.client() as client:
        budget = Budget(trials=12)
        client.create_study(
            StudyRequest(name="runs", task="digits-mlp", epochs=10, space=space, pruner=pruner, budget=budget)
        )
        study = house.service.wait_for_end("runs")
        trials = list(client.trials("runs"))
    assert (study.state, study.stopped_by, study.plan.runs) == (StudyState.COMPLETED, "trials", (74, 185, 370))
    assert {trial.update for trial in trials if trial.state == TrialState.PRUNED} <= {74, 259}
    assert {trial.update for trial in trials if trial.state == TrialState.COMPLETED} == {629}
    assert final_counts(study).get("pruned", 0) > 0


def test_a_task_that_raises_shows_a_sentence_in_the_list_and_the_traceback_with_the_trial(house: House) -> None:
    with house.service.client() as client:
        request = StudyRequest(name="broken", task="gated", task_options={"raises": True}, budget=Budget(trials=20))
        client.create_study(request)
        study = house.service.wait_for_end("broken")
    assert study.state == StudyState.FAILED
    assert "the model was left at home" in study.reason
    counts = final_counts(study)
    assert 5 <= counts["failed"] <= 6, "the second worker may have had one more under way"
    assert sum(counts.values()) == counts["failed"] + counts.get("cancelled", 0)
    listed = etude("show", "broken", "--trials", "--url", house.service.url)
    assert "LookupError: the model was left at home" in listed.stdout
    assert "Traceback" not in listed.stdout
    shown = etude("show", "broken", "0", "--url", house.service.url)
    assert "Traceback (most recent call last)" in shown.stdout
    assert 'raise LookupError("the model was left at home")' in shown.stdout
    assert etude("watch", "broken", "--url", house.service.url).returncode == 1


def test_a_cancelled_study_stops_its_running_trials(house: House) -> None:
    with house.service.client() as client:
        house.gate.shut()
        client.create_study(StudyRequest(name="long", task="gated", epochs=100_000, budget=Budget(trials=5)))
        until(lambda: client.study("long").counts[TrialState.RUNNING] == 2, "two trials run")
        client.cancel_study("long")
        house.gate.open()
        until(lambda: client.study("long").counts[TrialState.CANCELLED] == 2, "the trials are cancelled")
        study = client.study("long")
    assert study.state == StudyState.CANCELLED
    assert final_counts(study) == {"cancelled": 2}


def _says(event: EventOut, kind: str, state: str) -> bool:
    return event.kind == kind and event.payload["state"] == state
