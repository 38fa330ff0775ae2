"""One running study, in memory: asks the sampler, hands trials out, takes reports, prunes, keeps to the budget.

It knows no SQL and no clock. Whoever owns it makes its changes durable before anybody is told of them, and throws it
away when that fails: a conductor built again from the stored study and trials goes on exactly like this one.
Each method either changes the study or raises, never both.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from schedules import Recipe
from search import endings, leases, lifecycle
from search.answers import assignment, receipt, verdict
from search.brackets import own_plan
from search.curve import absorb, check_points
from search.keeping import why_not_kept
from search.ledger import Changes, Ledger, begun, over
from search.lifecycle import settle
from search.protocol import (
    Assignment,
    Failed,
    Fence,
    Receipt,
    Slot,
    TrialFinish,
    TrialReport,
    Verdict,
)
from search.pruning import judged
from search.sampling import Sampling
from search.seeds import derive_seed
from search.stopping import why_stopped
from search.study import Budget, Study, StudyState, Trial, TrialState

REPLICATE = 0
"""All trials of a study train from the same initial weights on the same batches: common random numbers."""


class Conductor:
    """A running study.

    Attributes:
        study: the study as it stands.
        trials: its trials by number, as they stand.
    """

    def __init__(
        self,
        study: Study,
        trials: Iterable[Trial] = (),
        *,
        lease_seconds: float,
        new_token: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._ledger = Ledger(study, trials)
        self._lease_seconds = lease_seconds
        self._new_token = new_token
        self._sampling: Sampling | None = None

    @property
    def study(self) -> Study:
        return self._ledger.study

    @property
    def trials(self) -> Mapping[int, Trial]:
        return self._ledger.trials

    @property
    def running(self) -> list[Trial]:
        """The trials that workers hold, by rising number."""
        return self._ledger.in_state(TrialState.RUNNING)

    @property
    def n_left(self) -> int:
        """How many trials the budget still has to hand out, those that wait for another attempt included."""
        new = self.study.request.budget.trials - len(self.trials)
        return max(0, new) + len(self._ledger.in_state(TrialState.QUEUED))

    @property
    def is_over(self) -> bool:
        """Whether nothing can happen to the study any more, short of a larger budget."""
        return self.study.state.is_final and not self._ledger.has_live_trials

    @property
    def has_changes(self) -> bool:
        """Whether something changed since changes were last taken."""
        return self._ledger.has_changes

    def take_changes(self) -> Changes | None:
        """Return all that changed since the last call, None when nothing did."""
        return self._ledger.take()

    def claim(self, worker: str, now: datetime) -> Assignment | None:
        """Hand out one trial: those that were handed out before first, then a person's, then the sampler's.

        None when the study hands out nothing now.
        """
        if self.study.state not in (StudyState.QUEUED, StudyState.RUNNING) or why_stopped(self._ledger, now):
            return None
        trial = self._next(now)
        if trial is None:
            return None
        trial = leases.begin(trial, worker, self._new_token(), self._lease_seconds, now)
        self._ledger.write_trial(trial)
        self._ledger.write_attempt(begun(trial))
        if self.study.state is StudyState.QUEUED:
            started_at = self.study.started_at or now
            self._ledger.write_study(replace(self.study, state=StudyState.RUNNING, started_at=started_at))
        return assignment(self.study, trial, self._lease_seconds)

    def resend(self, worker: str, held: Collection[Slot], now: datetime) -> list[Assignment]:
        """Give a worker the leases again that it has and does not list: their answer was lost on the way."""
        slots = {(slot.project, slot.study, slot.trial, slot.attempt) for slot in held}
        lost = [
            trial
            for trial in self.running
            if trial.lease is not None
            and trial.lease.worker == worker
            and (self.study.project, self.study.name, trial.number, trial.attempt) not in slots
        ]
        for trial in lost:
            self._ledger.write_trial(leases.renew(trial, self._lease_seconds, now, before=trial))
        return [assignment(self.study, trial, self._lease_seconds) for trial in lost]

    def report(self, report: TrialReport, now: datetime) -> Verdict:
        """Take the progress of a trial, renew its lease, and say whether it goes on.

        Raises:
            Unsuitable: the report cannot be true of the trial's run; nothing of it was taken.
        """
        before = self._running(report.fence)
        if before is None:
            why = leases.why_lost(self.trials.get(report.fence.trial), report.fence)
            return verdict(report.fence, "lost", why)
        plan = own_plan(self.study, before)
        check_points(before, plan, report.points, report.update)
        trial, points = absorb(before, plan, report.points, report.update)
        trial = leases.renew(trial, self._lease_seconds, now, before=before)
        trial = judged(self.study, trial, points, self.trials.values())
        self._ledger.write_points(trial, points)
        self._ledger.write_trial(trial)
        if trial.cancel is not None:
            return verdict(report.fence, "cancel", trial.cancel)
        if trial.prune is not None:
            return verdict(report.fence, "prune", trial.prune)
        return verdict(report.fence, "continue")

    def finish(self, finish: TrialFinish, now: datetime) -> Receipt:
        """Take the end of an attempt with its last points; a repeated one is accepted and changes nothing.

        Raises:
            Conflict: another outcome of this attempt is recorded, or nobody told it to prune or to cancel.
            Unsuitable: the outcome or the points cannot be true of the trial's run.
        """
        before = self.trials.get(finish.fence.trial)
        if before is None or not leases.opens(before, finish.fence):
            return receipt(finish.fence, "lost", leases.why_lost(before, finish.fence))
        plan, finish = own_plan(self.study, before), endings.on_the_data_of(self.study, finish)
        if before.state is not TrialState.RUNNING:
            endings.refuse_another(before, plan, finish.outcome)
            return self._taken(finish.fence, "this outcome was recorded before")
        check_points(before, plan, finish.points)
        trial, points = absorb(before, plan, finish.points)
        endings.check_outcome(trial, plan, finish.outcome)
        trial = replace(trial, train_seconds=trial.train_seconds + finish.train_seconds)
        lifecycle.know_data(self._ledger, finish)
        self._ledger.write_points(trial, points)
        self._end(before, endings.ended(trial, self.study, finish.outcome, now), finish, now)
        settle(self._ledger, now)
        return self._taken(finish.fence)

    def release(self, fence: Fence, now: datetime) -> Receipt:
        """Take an assignment back from a worker that gives it back; it does not count as an attempt."""
        trial = self._running(fence)
        if trial is None:
            return receipt(fence, "lost", leases.why_lost(self.trials.get(fence.trial), fence))
        self._take_back(trial, "released", "its worker gave it back", now)
        settle(self._ledger, now)
        return receipt(fence, "accepted")

    def expire(self, now: datetime) -> None:
        """Take back what silent and stalled workers hold, and stop when the time is used up."""
        for trial in self.running:
            why = leases.why_over(trial, self.study.request.stall_seconds, now)
            if why is not None:
                self._take_back(trial, "lost", why, now)
        settle(self._ledger, now)

    def extend(self, now: datetime) -> None:
        """Give each lease a full term: the service was away, and could not hear its workers."""
        for trial in self.running:
            self._ledger.write_trial(leases.extend(trial, self._lease_seconds, now))

    def pause(self, now: datetime) -> None:
        """Hand out nothing new; what runs finishes. Raises Conflict when the study is over."""
        lifecycle.pause(self._ledger, now)

    def resume(self, now: datetime) -> None:
        """Hand out again. Raises Conflict when the study is over."""
        lifecycle.resume(self._ledger, now)

    def cancel(self, now: datetime) -> None:
        """End the study: queued trials at once, running ones at their next report. Raises Conflict when it is over."""
        lifecycle.cancel(self._ledger, now)

    def amend(
        self,
        *,
        priority: int | None = None,
        labels: Mapping[str, str] | None = None,
        budget: Budget | None = None,
        acknowledge: Sequence[str] | None = None,
        now: datetime,
    ) -> None:
        """Change what may change of a study; a larger budget reopens a completed one.

        Raises:
            Conflict: the study failed or was cancelled, and takes no other budget; or it has more trials than that.
        """
        lifecycle.amend(self._ledger, priority=priority, labels=labels, budget=budget, acknowledge=acknowledge, now=now)
        self._sampling = None  # its first draws are spread over the budget

    def enqueue(self, recipe: Recipe, now: datetime) -> Trial:
        """Queue a person's own recipe; it uses one trial of the budget, and the sampler is not told of it.

        Raises:
            Conflict: the study is over, or its budget is used up.
            Unsuitable: a rule refuses the recipe in a run of the study's length.
        """
        lifecycle.refuse_recipe(self._ledger, recipe)
        trial = self._new(recipe, now, origin="enqueued")
        self._ledger.write_trial(trial)
        return trial

    def _next(self, now: datetime) -> Trial | None:
        queued = self._ledger.in_state(TrialState.QUEUED)
        if queued:
            return min(queued, key=lambda trial: (trial.attempt == 0, trial.number))
        if not self._ledger.has_room or not self._ledger.has_draws:
            return None
        draw = self._told_sampling().ask(len(self.trials))
        trial = self._new(draw.recipe, now, origin="sampled")
        return replace(trial, parameters=draw.parameters, distributions=draw.distributions)

    def _new(self, recipe: Recipe, now: datetime, *, origin: Literal["sampled", "enqueued"]) -> Trial:
        return Trial(
            number=len(self.trials),
            state=TrialState.QUEUED,
            recipe=recipe,
            seed=derive_seed(self.study.request.seed, "replicate", REPLICATE),
            origin=origin,
            created_at=now,
        )

    def _told_sampling(self) -> Sampling:
        """Return the sampler's memory with all that ended since it was last asked."""
        ended = self._ledger.take_ended()
        if self._sampling is None:
            request = self.study.request
            self._sampling = Sampling(
                request.space, request.sampler, self.study.plan.direction, request.seed, request.budget.trials
            )
            for trial in self.trials.values():
                self._sampling.add(trial)
            return self._sampling
        for trial in ended:
            if trial.origin == "sampled":
                self._sampling.tell(trial)
        return self._sampling

    def _running(self, fence: Fence) -> Trial | None:
        trial = self.trials.get(fence.trial)
        if trial is None or trial.state is not TrialState.RUNNING or not leases.opens(trial, fence):
            return None
        return trial

    def _take_back(self, trial: Trial, ending: Literal["lost", "released"], why: str, now: datetime) -> None:
        """End an attempt without an outcome; only a lost one counts."""
        if trial.lease is None or trial.started_at is None:
            return
        used = (trial.lease.progressed_at - trial.started_at).total_seconds()
        after = replace(trial, lease=None, train_seconds=trial.train_seconds + used)
        if ending == "lost":
            after = replace(after, lost_attempts=after.lost_attempts + 1)
        after = endings.taken_back(after, self.study.request.max_attempts, why=why, now=now)
        self._ledger.write_trial(after)
        self._ledger.write_attempt(over(trial, ending, now, message=why))

    def _end(self, before: Trial, after: Trial, finish: TrialFinish, now: datetime) -> None:
        self._ledger.write_trial(after)
        match finish.outcome:
            case Failed(message=message, log=log):
                pass
            case _:
                message, log = after.reason, finish.log
        self._ledger.write_attempt(over(before, finish.outcome.kind, now, message=message, log=log))

    def _taken(self, fence: Fence, reason: str = "") -> Receipt:
        """Accept a finish, and ask for the weights where the study keeps them."""
        best = self._ledger.best
        why_not = why_not_kept(self.study, self.trials[fence.trial], None if best is None else best.number)
        return receipt(fence, "accepted", reason, wants_weights=why_not is None)
