"""A study played through by hand: a clock, workers that do what they are told, losses that anybody can compute."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from schedules import Recipe
from search.conductor import Conductor
from search.protocol import Assignment, Completed, Fence, Outcome, Point, TrialFinish, TrialReport
from search.study import StudyState, Trial
from tests.search.factories import NOON, a_study

LEASE_SECONDS = 60.0


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def tokens(prefix: str = "lease") -> Callable[[], str]:
    """Make lease tokens that can be told in advance."""
    numbers: Iterator[int] = itertools.count()
    return lambda: f"{prefix}-{next(numbers)}"


def a_conductor(new_token: Callable[[], str] | None = None, **fields: Any) -> Conductor:
    """Build the conductor of a new study whose request has these fields."""
    return Conductor(a_study(**fields), lease_seconds=LEASE_SECONDS, new_token=new_token or tokens())


def state_of(conductor: Conductor) -> StudyState:
    """Return the state of the study now."""
    return conductor.study.state


def claimed(conductor: Conductor, worker: str = "ada", now: datetime = NOON) -> Assignment:
    """Claim a trial that must be there."""
    assignment = conductor.claim(worker, now)
    assert assignment is not None
    return assignment


def a_point(update: int, loss: float | None, **metrics: float | None) -> Point:
    """Build an evaluation of the toy task."""
    return Point(update=update, epoch=update / 10, rate=0.1, metrics={"val_loss": loss, **metrics})


def a_report(fence: Fence, *points: Point, update: int | None = None) -> TrialReport:
    """Build a report that speaks of its last point unless told of another update."""
    last = points[-1].update if points else 0
    return TrialReport(fence=fence, update=last if update is None else update, points=points)


def a_finish(
    fence: Fence,
    *points: Point,
    outcome: Outcome | None = None,
    train_seconds: float = 1.0,
    data_sha256: str | None = None,
) -> TrialFinish:
    """Build a finish, of a completed run unless told otherwise."""
    return TrialFinish(
        fence=fence,
        outcome=outcome or Completed(),
        points=points,
        train_seconds=train_seconds,
        data_sha256=data_sha256,
    )


def the_loss(recipe: Recipe, update: int) -> float:
    """Return a loss that falls with the updates, lowest for a rate of 0.03 and after a warm-up."""
    distance = abs(math.log10(recipe.peak_lr / 0.03))
    return 2.0 / (1 + update) + distance + 0.1 * recipe.schedule(99, 100)


def the_curve(assignment: Assignment, updates: Sequence[int] = range(10, 101, 10)) -> list[Point]:
    """Return the evaluations that the trial yields at these updates."""
    return [a_point(update, the_loss(assignment.recipe, update)) for update in updates]


def complete(conductor: Conductor, assignment: Assignment, now: datetime = NOON, loss: float | None = None) -> Trial:
    """Train a trial to the end, every point sent with the finish, and return it."""
    points = the_curve(assignment) if loss is None else [a_point(100, loss)]
    receipt = conductor.finish(a_finish(assignment.fence, *points), now)
    assert receipt.status == "accepted"
    return conductor.trials[assignment.fence.trial]


def rebuilt(conductor: Conductor, new_token: Callable[[], str]) -> Conductor:
    """Return what a restarted service would build from the stored values."""
    return Conductor(conductor.study, conductor.trials.values(), lease_seconds=LEASE_SECONDS, new_token=new_token)
