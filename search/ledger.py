"""What the conductor changed and somebody must make durable before anybody is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import JsonValue

from schedules import Recipe, Warmup
from search.protocol import Point
from search.study import Study, Trial, TrialState


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try of a worker at a trial, as it stands.

    Attributes:
        ending: ``None`` while it runs; then the outcome's kind, ``lost`` or ``released``.
    """

    trial: int
    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime | None = None
    ending: str | None = None
    message: str = ""
    log: str = ""


def begun(trial: Trial) -> Attempt:
    """Return the newest attempt of a running trial.

    Raises:
        ValueError: the trial has no lease.
    """
    if trial.lease is None or trial.started_at is None:
        raise ValueError(f"trial {trial.number} is {trial.state.value} and has no running attempt")
    return Attempt(trial=trial.number, attempt=trial.attempt, worker=trial.lease.worker, started_at=trial.started_at)


def over(trial: Trial, ending: str, now: datetime, *, message: str, log: str = "") -> Attempt:
    """Return the newest attempt of a running trial as it ends.

    Raises:
        ValueError: the trial has no lease.
    """
    return replace(begun(trial), ended_at=now, ending=ending, message=message, log=log)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that people who watch a study are told.

    Attributes:
        kind: ``study`` (its state changed) or ``trial`` (a trial's state changed).
    """

    kind: str
    payload: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """All that happened to one study since its changes were last taken: one database transaction.

    Attributes:
        study: the study as it now stands.
        is_study_changed: whether that differs from before.
        trials: each touched trial as it now stands, new ones included, by rising number.
        points: (trial, attempt, point) of each new evaluation.
    """

    study: Study
    is_study_changed: bool = True
    trials: tuple[Trial, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    points: tuple[tuple[int, int, Point], ...] = ()
    events: tuple[Event, ...] = ()


def plan_of(recipe: Recipe) -> str:
    """Return the pair ``optimizer+family`` of a recipe, the family without its warm-up."""
    match recipe.schedule:
        case Warmup(then=schedule):
            return f"{recipe.optimizer.kind}+{schedule.kind}"
        case schedule:
            return f"{recipe.optimizer.kind}+{schedule.kind}"


class Ledger:
    """One study and its trials as they stand, and what was written since the changes were last taken.

    Every write goes through here, so that nothing can change without being among the changes.

    Attributes:
        best: the completed trial with the best value, the lowest number among equals.
    """

    def __init__(self, study: Study, trials: Iterable[Trial] = ()) -> None:
        self.study = study
        self.best: Trial | None = None
        self._trials: dict[int, Trial] = {}
        self._numbers: dict[TrialState, set[int]] = {state: set() for state in TrialState}
        self._n_drawn = 0
        for trial in sorted(trials, key=lambda trial: trial.number):
            self._place(trial)
        self._ended: list[int] = []
        self._forget()

    @property
    def trials(self) -> Mapping[int, Trial]:
        return self._trials

    @property
    def has_room(self) -> bool:
        """Whether the budget allows one more trial; retries use none of it."""
        return len(self._trials) < self.study.request.budget.trials

    @property
    def has_draws(self) -> bool:
        """Whether the sampler has recipes left: a grid ends after its last point, the others never do."""
        n_points = self.study.plan.grid_points
        return n_points is None or self._n_drawn < n_points

    @property
    def has_changes(self) -> bool:
        return self._study_changed or bool(self._touched)

    def in_state(self, state: TrialState) -> list[Trial]:
        """Return the trials in one state, by rising number."""
        return [self._trials[number] for number in sorted(self._numbers[state])]

    @property
    def n_open(self) -> int:
        """How many trials have not ended."""
        return len(self._numbers[TrialState.QUEUED]) + len(self._numbers[TrialState.RUNNING])

    @property
    def has_live_trials(self) -> bool:
        return self.n_open > 0

    def counts(self) -> dict[str, JsonValue]:
        """Return how many trials are in each state, states without trials included."""
        return {state.value: len(numbers) for state, numbers in self._numbers.items()}

    def write_study(self, study: Study) -> None:
        """Take a new version of the study, and tell those who watch."""
        if study == self.study:
            return
        self.study, self._study_changed = study, True
        payload: dict[str, JsonValue] = {
            "state": study.state.value,
            "reason": study.reason,
            "stopped_by": study.stopped_by,
            "counts": self.counts(),
        }
        self._events.append(Event(kind="study", payload=payload))

    def write_trial(self, trial: Trial) -> None:
        """Take a new trial, or a new version of one; a new state is an event."""
        before = self._trials.get(trial.number)
        self._place(trial)
        self._touched.add(trial.number)
        if trial.state.is_final:
            self._ended.append(trial.number)
        if before is None or before.state is not trial.state:
            self._events.append(Event(kind="trial", payload=self._news_of(trial)))

    def write_attempt(self, attempt: Attempt) -> None:
        """Take a new attempt, or the end of one."""
        self._attempts[attempt.trial, attempt.attempt] = attempt

    def write_points(self, trial: Trial, points: Iterable[Point]) -> None:
        """Take new evaluations of a trial's current attempt."""
        self._points.extend((trial.number, trial.attempt, point) for point in points)

    def take_ended(self) -> list[Trial]:
        """Return the trials that became final since the last call, in that order."""
        ended, self._ended = self._ended, []
        return [self._trials[number] for number in ended]

    def take(self) -> Changes | None:
        """Return what was written since the last call, None when nothing was."""
        if not self.has_changes:
            return None
        changes = Changes(
            study=self.study,
            is_study_changed=self._study_changed,
            trials=tuple(self._trials[number] for number in sorted(self._touched)),
            attempts=tuple(self._attempts.values()),
            points=tuple(self._points),
            events=tuple(self._events),
        )
        self._forget()
        return changes

    def _forget(self) -> None:
        self._study_changed = False
        self._touched: set[int] = set()
        self._attempts: dict[tuple[int, int], Attempt] = {}
        self._points: list[tuple[int, int, Point]] = []
        self._events: list[Event] = []

    def _place(self, trial: Trial) -> None:
        before = self._trials.get(trial.number)
        if before is not None:
            self._numbers[before.state].discard(trial.number)
        elif trial.origin == "sampled":
            self._n_drawn += 1
        self._trials[trial.number] = trial
        self._numbers[trial.state].add(trial.number)
        if trial.state is TrialState.COMPLETED and trial.value is not None and self._beats_the_best(trial):
            self.best = trial

    def _beats_the_best(self, trial: Trial) -> bool:
        if self.best is None or self.best.value is None or trial.value is None:
            return True
        sign = 1 if self.study.plan.direction == "minimize" else -1
        return (sign * trial.value, trial.number) < (sign * self.best.value, self.best.number)

    def _news_of(self, trial: Trial) -> dict[str, JsonValue]:
        best = self.best
        return {
            "number": trial.number,
            "state": trial.state.value,
            "attempt": trial.attempt,
            "value": trial.value,
            "reason": trial.reason,
            "plan": plan_of(trial.recipe),
            "recipe": trial.recipe.summary(),
            "best": None if best is None else {"number": best.number, "value": best.value},
            "counts": self.counts(),
        }
