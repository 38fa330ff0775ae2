"""All running studies of one database, and what may be asked of them."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from schedules import Recipe
from search.answers import receipt, verdict
from search.conductor import Conductor
from search.errors import Conflict, Unavailable
from search.findings import study_findings
from search.planning import make_plan
from search.protocol import (
    Announcement,
    ClaimAnswer,
    ClaimRequest,
    FinishAnswer,
    FinishRequest,
    Receipt,
    ReleaseAnswer,
    ReleaseRequest,
    ReportAnswer,
    ReportRequest,
    TrialFinish,
    TrialReport,
    Verdict,
)
from search.study import Budget, Plan, Study, StudyFinding, StudyRequest, Trial, TrialState
from search.tasks.info import TaskInfo
from service.catalogue import find_task, known_tasks
from service.crew import Crew
from service.messages import answer_each, suited
from service.store import DatabaseInUse, NameTaken, NotLeader, Store
from service.telemetry import Telemetry
from service.turns import Turns
from service.watch import UNWATCHED, Watch, timed

LEADER_SECONDS = 15.0
"""A leader that is not heard of for so long may be replaced."""

LONGEST_TASK_IN_NAME = 56  # a name has at most 63 characters

_log = logging.getLogger(__name__)


class Ensemble:
    """The running studies of one database, under one lock.

    Attributes:
        telemetry: what the workers train now, and how fast.

    Args:
        clock: gives aware UTC; all times of leases and studies are its.
        lease_seconds: a worker that is silent for so long has lost its trial.
        leader_seconds: another service may take over after so long a silence of this one.
        absence_seconds: a pause between two ticks longer than this means that this process stood still, suspended or
            starved; workers could not be heard, so leases get a full term instead of ending. None never assumes so.
        watch: is told what happens, to count and to time it.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        lease_seconds: float = 60.0,
        *,
        leader_seconds: float = LEADER_SECONDS,
        absence_seconds: float | None = None,
        watch: Watch = UNWATCHED,
    ) -> None:
        self.telemetry = Telemetry()
        self._store = store
        self._watch = watch
        self._clock = clock
        self._crew = Crew(store, self.telemetry, watch)
        self._turns = Turns(
            store,
            clock,
            lease_seconds=lease_seconds,
            leader_seconds=leader_seconds,
            on_lead=self._crew.forget,
            watch=watch,
        )
        self._longest_pause = None if absence_seconds is None else timedelta(seconds=absence_seconds)
        self._ticked_at: datetime | None = None

    @property
    def leads(self) -> bool:
        """Whether this service is the one that writes."""
        return self._turns.leads

    def live(self) -> list[tuple[Study, Counter[TrialState]]]:
        """Return the studies in which something can still happen, each with its trials by state."""
        return [
            (each.study, Counter(trial.state for trial in list(each.trials.values()))) for each in self._turns.seen()
        ]

    def start(self) -> None:
        """Take the leadership and the running studies; on PostgreSQL, stand by when another service leads.

        Raises:
            DatabaseInUse: another service holds the SQLite file.
            Unavailable: the database failed.
        """
        try:
            self._turns.lead()
        except DatabaseInUse:
            raise
        except NotLeader as error:
            _log.info("standing by: %s", error)

    def ready(self) -> None:
        """Make sure that studies can be changed now.

        Raises:
            Unavailable: this service stands by, or the database does not answer.
        """
        with self._turns.turn():
            self._store.announced_tasks()

    def tick(self) -> None:
        """Let time pass: keep the leadership, end leases that are over, stop studies whose time is used up.

        Raises:
            Unavailable: the database failed; the next tick tries again. To stand by is no failure.
        """
        try:
            self._turns.lead()
            with self._turns.turn() as now:
                self._let_pass(now)
        except NotLeader:
            self._ticked_at = None
            self.telemetry.reconcile((), self._clock())
        except Unavailable:
            self._turns.was_away = True
            raise

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have ``wake`` called after every commit that there is news in, from any thread; the answer ends that."""
        return self._turns.subscribe(wake)

    def tasks(self) -> list[TaskInfo]:
        """Return the tasks that a study may name."""
        return known_tasks(self._store)

    def announce(self, announcement: Announcement) -> None:
        """Record a worker and the tasks that it can run."""
        with self._turns.turn() as now:
            self._crew.announce(announcement, now)

    def claim(self, request: ClaimRequest, project: str | None = None) -> ClaimAnswer:
        """Hand out trials: first those whose answer was lost, then by priority and age of their studies.

        Args:
            project: only this project's studies, whatever the request says; None allows all.
        """
        with self._turns.turn() as now:
            self._crew.see(request.worker, now)
            conductors = suited(self._turns, request, project)
            given = [each for conductor in conductors for each in conductor.resend(request.worker, request.held, now)]
            given = given[: request.lanes]
            for conductor in conductors:
                given += self._crew.hand_out(conductor, request.worker, request.lanes - len(given), now)
        return ClaimAnswer(assignments=tuple(given))

    def report(self, request: ReportRequest, project: str | None = None) -> ReportAnswer:
        """Take progress, and say which trials go on.

        Raises:
            Unsuitable: a report cannot be true; nothing of it was taken, the others were.
        """
        with timed(self._watch, "report"), self._turns.turn() as now:
            verdicts = answer_each(
                self._turns,
                "reports",
                [(report.fence, report) for report in request.reports],
                lambda conductor, report: self._take_report(conductor, report, now),
                lambda fence, why: verdict(fence, "lost", why),
                project,
            )
        self._watch.answered(verdicts)
        return ReportAnswer(verdicts=verdicts)

    def finish(self, request: FinishRequest, project: str | None = None) -> FinishAnswer:
        """Take the ends of attempts.

        Raises:
            Conflict: another outcome is recorded; nothing of that finish was taken, the others were.
            Unsuitable: a finish cannot be true; nothing of it was taken, the others were.
        """
        with timed(self._watch, "finish"), self._turns.turn() as now:
            receipts = answer_each(
                self._turns,
                "finishes",
                [(finish.fence, finish) for finish in request.finishes],
                lambda conductor, finish: self._take_finish(conductor, finish, now),
                lambda fence, why: receipt(fence, "lost", why),
                project,
            )
        return FinishAnswer(receipts=receipts)

    def release(self, request: ReleaseRequest, project: str | None = None) -> ReleaseAnswer:
        """Take assignments back; others may claim them at once."""
        with self._turns.turn() as now:
            receipts = answer_each(
                self._turns,
                "fences",
                [(fence, fence) for fence in request.fences],
                lambda conductor, fence: conductor.release(fence, now),
                lambda fence, why: receipt(fence, "lost", why),
                project,
            )
        return ReleaseAnswer(receipts=receipts)

    def create_study(self, project: str, request: StudyRequest) -> Study:
        """Start a study; without a name, it is named after its task.

        Raises:
            NameTaken: the project has a study of this name.
            Unsuitable: the request does not fit its task, or a rule refuses recipes of its space.
        """
        plan = make_plan(request, find_task(self._store, request.task))
        found = study_findings(request, plan)
        with self._turns.turn():
            study = self._insert(project, request, plan, found)
            self._turns.adopt(study)
        return study

    def pause_study(self, project: str, name: str) -> Study:
        """Hand out nothing new of a study; what runs finishes."""
        return self._change(project, name, lambda conductor, now: conductor.pause(now))

    def resume_study(self, project: str, name: str) -> Study:
        """Hand out trials of a study again."""
        return self._change(project, name, lambda conductor, now: conductor.resume(now))

    def cancel_study(self, project: str, name: str) -> Study:
        """End a study; its running trials are told at their next report."""
        return self._change(project, name, lambda conductor, now: conductor.cancel(now))

    def amend_study(
        self,
        project: str,
        name: str,
        *,
        priority: int | None = None,
        labels: Mapping[str, str] | None = None,
        budget: Callable[[Budget], Budget] | None = None,
        acknowledge: Sequence[str] | None = None,
    ) -> Study:
        """Change priority, labels, budget and acknowledgements; a larger budget reopens a completed study.

        Args:
            budget: makes the new budget of the one that stands when the turn has come.
        """

        def amend(conductor: Conductor, now: datetime) -> None:
            new = None if budget is None else budget(conductor.study.request.budget)
            conductor.amend(priority=priority, labels=labels, budget=new, acknowledge=acknowledge, now=now)

        return self._change(project, name, amend)

    def enqueue_trial(self, project: str, name: str, recipe: Recipe) -> Trial:
        """Queue a person's own recipe in a study."""
        with self._turns.turn() as now:
            return self._turns.find(project, name).enqueue(recipe, now)

    def delete_study(self, project: str, name: str) -> Study:
        """Delete a study that is over, with all its trials; a worker that still trains one of them loses it.

        Raises:
            Conflict: the study is not over.
        """
        with self._turns.turn():
            study = self._store.find_study(project, name)
            if not study.state.is_final:
                raise Conflict(f"study {name} is {study.state.value}: cancel it before you delete it")
            self._turns.doubt(project, name)
            self._store.delete_study(study.id)
            self._turns.forget(study)
        return study

    def _change(self, project: str, name: str, order: Callable[[Conductor, datetime], None]) -> Study:
        with self._turns.turn() as now:
            conductor = self._turns.find(project, name)
            order(conductor, now)
        return conductor.study

    def _let_pass(self, now: datetime) -> None:
        before, self._ticked_at = self._ticked_at, now
        stood_still = before is not None and self._longest_pause is not None and now - before > self._longest_pause
        for conductor in self._turns.all():
            study = conductor.study
            try:
                if stood_still or self._turns.was_away:
                    conductor.extend(now)
                conductor.expire(now)
            except Exception:  # noqa: BLE001 - one broken study must not keep the leases of all others from ending
                about = {"project": study.project, "study": study.name}
                _log.exception(
                    "time did not pass for study %(project)s/%(study)s: it is read again", about, extra=about
                )
                self._turns.doubt(study.project, study.name)
        self._turns.commit()
        self._turns.was_away = False
        running = ((each.study, trial) for each in self._turns.all() for trial in each.running)
        self.telemetry.reconcile(running, now)

    def _take_report(self, conductor: Conductor, report: TrialReport, now: datetime) -> Verdict:
        answer = conductor.report(report, now)
        trial = conductor.trials.get(report.fence.trial)
        if answer.action != "lost" and trial is not None and trial.lease is not None:
            self._crew.see(trial.lease.worker, now)
            self.telemetry.follow(conductor.study, trial, now)
        return answer

    def _take_finish(self, conductor: Conductor, finish: TrialFinish, now: datetime) -> Receipt:
        answer = conductor.finish(finish, now)
        if answer.status == "accepted":
            self.telemetry.follow(conductor.study, conductor.trials[finish.fence.trial], now)
        return answer

    def _insert(self, project: str, request: StudyRequest, plan: Plan, found: tuple[StudyFinding, ...]) -> Study:
        while True:
            name = request.name or f"{request.task[:LONGEST_TASK_IN_NAME]}-{secrets.token_hex(3)}"
            try:
                return self._store.create_study(project, name, request.model_copy(update={"name": name}), plan, found)
            except NameTaken:
                if request.name is not None:
                    raise
            except Unavailable:
                self._turns.doubt(project, name)
                raise
