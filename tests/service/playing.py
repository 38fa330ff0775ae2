"""Ensembles on real databases, a store that fails when told to, and a study trained by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from search.errors import Unavailable
from search.ledger import Changes
from search.protocol import (
    Assignment,
    ClaimRequest,
    Completed,
    Fence,
    FinishRequest,
    Outcome,
    Point,
    Receipt,
    ReportRequest,
    TrialFinish,
    TrialReport,
    Verdict,
)
from search.study import Plan, Study, StudyFinding, StudyRequest, Trial
from service.ensemble import Ensemble
from service.store import Store, open_store
from service.store.engine import connect, parse
from tests.search.playing import LEASE_SECONDS, Clock

HORIZON = 100


class FaultyStore(Store):
    """A store whose next write fails: before it is done, or after it, with the caller told that it failed."""

    def __init__(self, url: str, clock: Callable[[], datetime]) -> None:
        super().__init__(connect(parse(url)), clock)
        self.fails_before = False
        self.fails_after = False

    def commit(self, changes: Changes) -> None:
        with self._failing():
            super().commit(changes)

    def create_study(
        self, project: str, name: str, request: StudyRequest, plan: Plan, findings: Sequence[StudyFinding] = ()
    ) -> Study:
        with self._failing():
            return super().create_study(project, name, request, plan, findings)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        if self.fails_before:
            self.fails_before = False
            raise Unavailable("the database is gone")
        yield
        if self.fails_after:
            self.fails_after = False
            raise Unavailable("the connection was lost, and with it the answer")


@contextmanager
def an_ensemble(url: str, clock: Clock, **settings: Any) -> Iterator[Ensemble]:
    """Open a database, lead it, and close it again."""
    store = open_store(url, clock=clock)
    try:
        ensemble = Ensemble(store, clock, LEASE_SECONDS, **settings)
        ensemble.start()
        yield ensemble
    finally:
        store.close()


def a_request(name: str | None = "first", **fields: Any) -> StudyRequest:
    """Build a request of a study that the test trains itself: 100 updates, evaluated every 10."""
    return StudyRequest.model_validate(
        {
            "name": name,
            "task": "external",
            "task_options": {"horizon": HORIZON, "evaluations": 10},
            "budget": {"trials": 4},
            "sampler": {"kind": "random"},
            **fields,
        }
    )


def claim(ensemble: Ensemble, worker: str = "ada", **fields: Any) -> list[Assignment]:
    """Claim work on external tasks that the worker does not hold yet."""
    request = ClaimRequest.model_validate({"worker": worker, "tasks": ["external"], **fields})
    return list(ensemble.claim(request).assignments)


def claim_one(ensemble: Ensemble, worker: str = "ada", **fields: Any) -> Assignment:
    """Claim one assignment that must be there."""
    (given,) = claim(ensemble, worker, **fields)
    return given


def the_curve(given: Assignment) -> tuple[Point, ...]:
    """Return the evaluations that a trial yields: lower for rates near 0.03."""
    distance = abs(math.log10(given.recipe.peak_lr / 0.03))
    losses = {update: distance + 2.0 / (1 + update) for update in range(10, HORIZON + 1, 10)}
    return tuple(a_point(update, loss) for update, loss in losses.items())


def a_point(update: int, loss: float | None) -> Point:
    """Build an evaluation."""
    return Point(update=update, epoch=0.0, rate=0.1, metrics={"val_loss": loss})


def report(ensemble: Ensemble, fence: Fence, *points: Point) -> Verdict:
    """Report one trial."""
    update = points[-1].update if points else 0
    (verdict,) = ensemble.report(
        ReportRequest(reports=(TrialReport(fence=fence, update=update, points=points),))
    ).verdicts
    return verdict


def finish(ensemble: Ensemble, given: Assignment, outcome: Outcome | None = None) -> Receipt:
    """End one trial, by default with its whole curve."""
    points = the_curve(given) if outcome is None else ()
    message = TrialFinish(fence=given.fence, outcome=outcome or Completed(), points=points, train_seconds=1.0)
    (receipt,) = ensemble.finish(FinishRequest(finishes=(message,))).receipts
    return receipt


def without_lease(trial: Trial) -> Trial:
    """Return the trial without what is random by intent."""
    return replace(trial, lease=None)
