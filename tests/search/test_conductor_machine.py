"""The conductor under any order of messages, checked against a small model of who holds what."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule

from search.conductor import Conductor
from search.errors import Conflict, Unsuitable
from search.protocol import Cancelled, Completed, Diverged, Failed, Fence, Outcome, Pruned, Slot
from search.study import Budget, Study, StudyState, Trial, TrialState
from tests.search.factories import a_recipe
from tests.search.playing import LEASE_SECONDS, Clock, a_conductor, a_finish, a_point, a_report, rebuilt, tokens

WORKERS = ("ada", "bob")
MAX_ATTEMPTS = 2
FIELDS: dict[str, Any] = {
    "budget": {"trials": 6},
    "sampler": {"kind": "random"},
    "pruner": {"kind": "median", "rungs": [0.5], "start_trials": 1},
    "max_attempts": MAX_ATTEMPTS,
    "stall_seconds": 150,
}
OUTCOMES: tuple[Outcome, ...] = (
    Completed(),
    Pruned(),
    Diverged(update=30, rate=0.1),
    Cancelled(),
    Failed(cause="error", message="it raised"),
    Failed(cause="device", message="the device is gone"),
)


class Machine(RuleBasedStateMachine):
    """Workers that say anything, in any order and more than once, and people who change their mind."""

    fields: ClassVar[dict[str, Any]] = FIELDS
    last_update: ClassVar[int] = 100

    fences = Bundle("fences")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.new_token = tokens()
        self.conductor: Conductor = a_conductor(self.new_token, **self.fields)
        self.kept: dict[int, Trial] = {}
        self.kept_study: Study = self.conductor.study
        self.points: set[tuple[int, int, int]] = set()
        self.held: dict[int, Fence] = {}
        self.ends_at: dict[int, float] = {}
        self.seconds = 0.0

    @rule(target=fences, worker=st.sampled_from(WORKERS))
    def claim(self, worker: str) -> Any:
        given = self.conductor.claim(worker, self.clock.now)
        if given is None:
            return multiple()
        assert given.fence.trial not in self.held, "a trial was handed out twice"
        assert self.kept_study.state in (StudyState.QUEUED, StudyState.RUNNING)
        assert self.kept_study.stopped_by is None
        self._hold(given.fence)
        return given.fence

    @rule(worker=st.sampled_from(WORKERS), forgets=st.booleans())
    def claim_again(self, worker: str, forgets: bool) -> None:
        slots = [] if forgets else [Slot(**each.model_dump(exclude={"lease"})) for each in self.held.values()]
        for given in self.conductor.resend(worker, slots, self.clock.now):
            assert forgets
            assert given.fence == self.held[given.fence.trial]
            self._hold(given.fence)

    @rule(fence=fences, loss=st.sampled_from([0.1, 0.5, 2.0, None]), update=st.sampled_from([10, 50, 90]))
    def report(self, fence: Fence, loss: float | None, update: int) -> None:
        verdict = self.conductor.report(a_report(fence, a_point(update, loss)), self.clock.now)
        if self._is_held(fence):
            assert verdict.action != "lost"
            self._hold(fence)
        else:
            self._was_lost(verdict.action)

    @rule(fence=fences, outcome=st.sampled_from(OUTCOMES), loss=st.sampled_from([0.1, 0.5, 2.0, None]))
    def finish(self, fence: Fence, outcome: Outcome, loss: float | None) -> None:
        points = [a_point(self.last_update, loss)] if outcome.kind == "completed" else []
        try:
            receipt = self.conductor.finish(a_finish(fence, *points, outcome=outcome), self.clock.now)
        except (Conflict, Unsuitable):
            assert self.conductor.take_changes() is None, "a refused finish changed something"
            return
        if not self._is_held(fence):
            assert self.conductor.take_changes() is None, "a repeated or late finish changed something"
            return
        assert receipt.status == "accepted"
        del self.held[fence.trial]

    @rule(fence=consumes(fences))
    def release(self, fence: Fence) -> None:
        receipt = self.conductor.release(fence, self.clock.now)
        if self._is_held(fence):
            assert receipt.status == "accepted"
            del self.held[fence.trial]
        else:
            self._was_lost(receipt.status)

    @rule(seconds=st.sampled_from([1.0, 30.0, LEASE_SECONDS]))
    def expire(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.seconds += seconds
        self.conductor.expire(self.clock.now)
        for number in list(self.held):
            is_held = self.conductor.trials[number].state is TrialState.RUNNING
            assert not (is_held and self.ends_at[number] <= self.seconds), "a lease outlived its end"
            if not is_held:
                del self.held[number]

    @rule()
    def extend(self) -> None:
        self.conductor.extend(self.clock.now)
        for number in self.held:
            self.ends_at[number] = self.seconds + LEASE_SECONDS

    @rule()
    def enqueue(self) -> None:
        self._order(lambda: self.conductor.enqueue(a_recipe(), self.clock.now))

    @rule()
    def pause(self) -> None:
        self._order(lambda: self.conductor.pause(self.clock.now))

    @rule()
    def resume(self) -> None:
        self._order(lambda: self.conductor.resume(self.clock.now))

    @precondition(lambda self: len(self.kept) > 3)
    @rule()
    def cancel(self) -> None:
        self._order(lambda: self.conductor.cancel(self.clock.now))

    @rule(trials=st.integers(min_value=1, max_value=8))
    def amend(self, trials: int) -> None:
        self._order(lambda: self.conductor.amend(budget=Budget(trials=trials), now=self.clock.now))

    @rule()
    def rebuild(self) -> None:
        self._keep()
        self.conductor = rebuilt(self.conductor, self.new_token)

    @invariant()
    def every_change_is_taken(self) -> None:
        self._keep()
        assert self.kept == dict(self.conductor.trials)
        assert self.kept_study == self.conductor.study

    @invariant()
    def the_budget_holds(self) -> None:
        assert sorted(self.kept) == list(range(len(self.kept)))
        assert len(self.kept) <= self.kept_study.request.budget.trials

    @invariant()
    def one_live_lease_per_trial(self) -> None:
        running = {number: trial for number, trial in self.kept.items() if trial.state is TrialState.RUNNING}
        assert running.keys() == self.held.keys()
        for number, trial in running.items():
            assert trial.lease is not None
            assert (trial.lease.token, trial.attempt) == (self.held[number].lease, self.held[number].attempt)

    @invariant()
    def attempts_are_bounded(self) -> None:
        assert all(trial.lost_attempts <= MAX_ATTEMPTS for trial in self.kept.values())

    @invariant()
    def an_ended_study_has_nothing_queued(self) -> None:
        live = {trial.state for trial in self.kept.values() if not trial.state.is_final}
        if self.kept_study.state is StudyState.COMPLETED:
            assert not live
        elif self.kept_study.state.is_final:
            assert live <= {TrialState.RUNNING}
            assert all(trial.cancel for trial in self.kept.values() if trial.state is TrialState.RUNNING)

    def _keep(self) -> None:
        """Keep the changes as a store would: nothing that is final changes, no point comes twice."""
        changes = self.conductor.take_changes()
        if changes is None:
            return
        if self.kept_study.state in (StudyState.FAILED, StudyState.CANCELLED):
            assert changes.study.state is self.kept_study.state
        self.kept_study = changes.study
        for trial in changes.trials:
            before = self.kept.get(trial.number)
            assert before is None or not before.state.is_final, f"trial {trial.number} changed after its end"
            assert before is None or trial.attempt >= before.attempt
            self.kept[trial.number] = trial
        for number, attempt, point in changes.points:
            assert (number, attempt, point.update) not in self.points, "a point came twice"
            self.points.add((number, attempt, point.update))

    def _order(self, order: Any) -> None:
        try:
            order()
        except Conflict:
            assert self.conductor.take_changes() is None, "a refused order changed something"

    def _hold(self, fence: Fence) -> None:
        self.held[fence.trial] = fence
        self.ends_at[fence.trial] = self.seconds + LEASE_SECONDS

    def _is_held(self, fence: Fence) -> bool:
        return self.held.get(fence.trial) == fence

    def _was_lost(self, answer: str) -> None:
        assert answer == "lost"
        assert self.conductor.take_changes() is None, "a message from a lost lease changed something"


class MachineOnGrid(Machine):
    """The same with a sampler that ends before the budget does."""

    fields: ClassVar[dict[str, Any]] = {
        **FIELDS,
        "space": {"optimizers": ["sgd"], "families": ["constant", "cosine"]},
        "sampler": {"kind": "grid", "steps": {"lr_position": 2}},
    }

    @invariant()
    def no_point_is_drawn_twice(self) -> None:
        drawn = [trial.recipe for trial in self.kept.values() if trial.origin == "sampled"]
        assert len(drawn) == len(set(drawn)) <= 4


class ImpatientMachine(Machine):
    """The same of a study that prunes what stands still, and stops where nothing improves."""

    fields: ClassVar[dict[str, Any]] = FIELDS | {
        "pruner": {"kind": "patient", "patience": 4},
        "budget": {"trials": 6, "no_improvement_trials": 2},
    }


class RescaledMachine(Machine):
    """The same of a study whose trials make two runs."""

    fields: ClassVar[dict[str, Any]] = FIELDS | {"pruner": FIELDS["pruner"] | {"rescale": True}}
    last_update: ClassVar[int] = 150


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=120, stateful_step_count=40)
TestMachineOnGrid = MachineOnGrid.TestCase
TestMachineOnGrid.settings = settings(max_examples=40, stateful_step_count=40)
TestImpatientMachine = ImpatientMachine.TestCase
TestImpatientMachine.settings = settings(max_examples=60, stateful_step_count=40)
TestRescaledMachine = RescaledMachine.TestCase
TestRescaledMachine.settings = settings(max_examples=60, stateful_step_count=40)
