"""All running studies of one database: handing out, filters, orders."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from schedules import Constant, Recipe, Sgd
from search.errors import Conflict, NotFound, Unsuitable
from search.protocol import (
    Announcement,
    Completed,
    FinishRequest,
    ReleaseRequest,
    ReportRequest,
    Slot,
    TrialFinish,
    TrialReport,
)
from search.study import Budget, StudyState, TrialState
from search.tasks.info import TaskInfo
from service.ensemble import Ensemble
from service.store import NameTaken, Store, open_store
from tests.search.playing import LEASE_SECONDS, Clock
from tests.service.playing import a_point, a_request, claim, claim_one, finish, report, the_curve

RECIPE = Recipe(optimizer=Sgd(), peak_lr=0.1, schedule=Constant())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(sqlite_url: str, clock: Clock) -> Iterator[Store]:
    opened = open_store(sqlite_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def ensemble(store: Store, clock: Clock) -> Ensemble:
    led = Ensemble(store, clock, LEASE_SECONDS)
    led.start()
    return led


def test_an_unknown_task_is_refused_with_the_known_ones(ensemble: Ensemble) -> None:
    with pytest.raises(Unsuitable, match=r"there is no task 'mnist'; there are: .*external") as caught:
        ensemble.create_study("default", a_request(task="mnist", task_options={}))
    assert (caught.value.where, caught.value.value) == (("task",), "mnist")


def test_a_taken_name_is_refused(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request())
    with pytest.raises(NameTaken, match="project 'default' has a study named 'first' already"):
        ensemble.create_study("default", a_request())
    ensemble.create_study("other", a_request())


def test_a_running_study_is_not_deleted(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request())
    with pytest.raises(Conflict, match="study first is queued: cancel it before you delete it"):
        ensemble.delete_study("default", "first")


@pytest.mark.parametrize("order", ["pause_study", "resume_study", "cancel_study", "delete_study"])
def test_orders_to_an_unknown_study_are_refused(ensemble: Ensemble, order: str) -> None:
    with pytest.raises(NotFound, match="nobody"):
        getattr(ensemble, order)("default", "nobody")


def test_a_refused_report_names_its_place_and_the_others_are_taken(ensemble: Ensemble, store: Store) -> None:
    study = ensemble.create_study("default", a_request())
    good, bad = claim(ensemble, lanes=2)
    reports = (
        TrialReport(fence=good.fence, update=10, points=(a_point(10, 0.5),)),
        TrialReport(fence=bad.fence, update=999),
    )
    with pytest.raises(Unsuitable, match="ends after 100 updates") as caught:
        ensemble.report(ReportRequest(reports=reports))
    assert caught.value.where == ("reports", 1, "update")
    assert [point.update for point in store.curve(study.id, 0)] == [10]


def test_a_finish_that_contradicts_leaves_the_others_taken(ensemble: Ensemble, store: Store) -> None:
    study = ensemble.create_study("default", a_request())
    early, good = claim(ensemble, lanes=2)
    finishes = (
        TrialFinish(fence=early.fence, outcome=Completed()),
        TrialFinish(fence=good.fence, outcome=Completed(), points=the_curve(good)),
    )
    with pytest.raises(Unsuitable, match="trial 0 is not completed before its last evaluation") as caught:
        ensemble.finish(FinishRequest(finishes=finishes))
    assert caught.value.where == ("finishes", 0, "outcome", "kind")
    assert store.trial(study.id, 1).state is TrialState.COMPLETED


def test_messages_about_an_unknown_study_are_lost(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request())
    given = claim_one(ensemble)
    fence = given.fence.model_copy(update={"study": "nobody"})
    assert report(ensemble, fence).action == "lost"
    assert ensemble.release(ReleaseRequest(fences=(fence,))).receipts[0].status == "lost"


def test_sixty_asked_is_sixty_run_with_many_workers_at_once(ensemble: Ensemble, store: Store) -> None:
    study = ensemble.create_study("default", a_request(budget={"trials": 60}))

    def work(worker: str) -> list[int]:
        numbers = []
        while given := claim(ensemble, worker):
            finish(ensemble, given[0])
            numbers.append(given[0].fence.trial)
        return numbers

    with ThreadPoolExecutor(6) as pool:
        done = [number for numbers in pool.map(work, "abcdef") for number in numbers]
    assert sorted(done) == list(range(60))
    assert store.counts(study.id)[TrialState.COMPLETED] == 60
    assert store.find_study("default", "first").state is StudyState.COMPLETED


def test_the_highest_priority_goes_first_and_then_the_oldest(ensemble: Ensemble, clock: Clock) -> None:
    for name, priority in (("old", 0), ("new", 0), ("urgent", 5), ("idle", -5)):
        ensemble.create_study("default", a_request(name, priority=priority, budget={"trials": 1}))
        clock.advance(1.0)
    assert [given.fence.study for given in claim(ensemble, lanes=9)] == ["urgent", "old", "new", "idle"]


def test_a_new_priority_counts_at_once(ensemble: Ensemble) -> None:
    for name in ("one", "two"):
        ensemble.create_study("default", a_request(name))
    ensemble.amend_study("default", "two", priority=1)
    assert claim_one(ensemble).fence.study == "two"


def test_a_claim_is_given_only_what_it_asks_for(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request("one"))
    ensemble.create_study("other", a_request("two"))
    assert claim(ensemble, tasks=["digits-mlp"]) == []
    assert claim(ensemble, studies=["three"]) == []
    assert claim_one(ensemble, project="other").fence.study == "two"
    assert claim_one(ensemble, "bob", studies=["two"]).fence.project == "other"


def test_a_caller_of_one_project_reaches_no_other(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request())
    given = claim_one(ensemble)
    request = ReportRequest(reports=(TrialReport(fence=given.fence, update=1),))
    assert ensemble.report(request, project="other").verdicts[0].action == "lost"
    assert ensemble.report(request, project="default").verdicts[0].action == "continue"


def test_a_claim_that_forgot_what_it_holds_is_given_it_again(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request())
    given = claim_one(ensemble)
    assert claim(ensemble) == [given]
    held = Slot(**given.fence.model_dump(exclude={"lease"}))
    assert claim_one(ensemble, held=[held]).fence.trial == 1


def test_a_nameless_study_is_named_after_its_task(ensemble: Ensemble) -> None:
    names = {ensemble.create_study("default", a_request(None)).name for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("external-") for name in names)
    assert {study.request.name for study in (ensemble.pause_study("default", name) for name in names)} == names


def test_announced_tasks_may_be_named_and_built_in_ones_stay_what_they_are(ensemble: Ensemble) -> None:
    own = TaskInfo(name="mine", metrics={"val_loss": "minimize"}, updates_per_epoch=5, default_epochs=3)
    imposter = own.model_copy(update={"name": "external"})
    ensemble.announce(Announcement(worker="ada", tasks=(own, imposter)))
    names = [info.name for info in ensemble.tasks()]
    assert names.count("external") == 1
    study = ensemble.create_study("default", a_request(task="mine", task_options={}, space={"families": ["constant"]}))
    assert study.plan.horizon == 15
    assert ensemble.create_study("default", a_request("second")).plan.horizon == 100


def test_those_who_wait_are_woken_after_the_commit(ensemble: Ensemble, store: Store) -> None:
    seen: list[StudyState] = []
    unsubscribe = ensemble.subscribe(lambda: seen.append(store.find_study("default", "first").state))
    ensemble.create_study("default", a_request())
    claim(ensemble)
    unsubscribe()
    ensemble.pause_study("default", "first")
    assert seen == [StudyState.QUEUED, StudyState.RUNNING]


def test_points_alone_wake_nobody(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request())
    given = claim_one(ensemble)
    rung: list[None] = []
    ensemble.subscribe(lambda: rung.append(None))
    report(ensemble, given.fence, a_point(10, 0.5))
    assert rung == []
    finish(ensemble, given)
    assert rung == [None]


def test_an_idle_claim_wakes_nobody(ensemble: Ensemble) -> None:
    rung: list[None] = []
    ensemble.subscribe(lambda: rung.append(None))
    assert claim(ensemble) == []
    assert rung == []


def test_a_recipe_of_a_person_is_stored_and_handed_out(ensemble: Ensemble, store: Store) -> None:
    study = ensemble.create_study("default", a_request())
    trial = ensemble.enqueue_trial("default", "first", RECIPE)
    assert store.trial(study.id, trial.number).state is TrialState.QUEUED
    assert claim_one(ensemble).recipe == RECIPE


def test_pause_resume_and_cancel_are_stored(ensemble: Ensemble, store: Store) -> None:
    ensemble.create_study("default", a_request())
    for order, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        study = getattr(ensemble, f"{order}_study")("default", "first")
        assert study.state.value == state
        assert store.find_study("default", "first") == study


def test_a_deleted_study_is_lost_to_its_workers_and_its_name_is_free(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request())
    given = claim_one(ensemble)
    ensemble.cancel_study("default", "first")
    ensemble.delete_study("default", "first")
    ensemble.tick()
    assert finish(ensemble, given).status == "lost"
    ensemble.create_study("default", a_request())
    assert report(ensemble, given.fence).action == "lost"


def test_a_completed_study_still_knows_a_repeated_finish_and_reopens(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request(budget={"trials": 1}))
    given = claim_one(ensemble)
    finish(ensemble, given)
    assert finish(ensemble, given).status == "accepted"
    assert claim(ensemble) == []
    ensemble.amend_study("default", "first", budget=lambda _: Budget(trials=2))
    assert claim_one(ensemble).fence.trial == 1


def test_two_changes_of_a_budget_at_once_both_count(ensemble: Ensemble) -> None:
    ensemble.create_study("default", a_request())

    def raised(budget: Budget) -> Budget:
        return budget.model_copy(update={"trials": budget.trials + 1})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: ensemble.amend_study("default", "first", budget=raised), range(30)))
    study = ensemble.amend_study("default", "first", priority=1)
    assert study.request.budget.trials == a_request().budget.trials + 30


def test_silent_workers_lose_their_trials_as_time_passes(ensemble: Ensemble, clock: Clock) -> None:
    ensemble.create_study("default", a_request())
    given = claim_one(ensemble)
    clock.advance(LEASE_SECONDS - 1)
    ensemble.tick()
    assert report(ensemble, given.fence).action == "continue"
    clock.advance(LEASE_SECONDS)
    ensemble.tick()
    assert claim_one(ensemble, "bob").fence.attempt == 2


def test_a_budget_of_seconds_ends_a_study_without_any_message(ensemble: Ensemble, store: Store, clock: Clock) -> None:
    ensemble.create_study("default", a_request(budget={"trials": 9, "seconds": 30}))
    finish(ensemble, claim_one(ensemble))
    clock.advance(30)
    ensemble.tick()
    study = store.find_study("default", "first")
    assert (study.state, study.reason) == (StudyState.COMPLETED, "the budget of 30 s is used up")


def test_a_worker_is_seen_when_it_claims_and_when_it_reports(ensemble: Ensemble, store: Store, clock: Clock) -> None:
    ensemble.announce(Announcement(worker="ada"))
    ensemble.create_study("default", a_request())
    clock.advance(20)
    given = claim_one(ensemble)
    assert store.workers()[0].seen_at == clock.now
    clock.advance(20)
    report(ensemble, given.fence)
    assert store.workers()[0].seen_at == clock.now
