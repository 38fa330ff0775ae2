"""Studies and trials to store, small and complete, and a count of what storing them costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from sqlalchemy import event

from schedules import RULES, AdamW, Constant, Cosine, Recipe, Sgd, Warmup
from search.ledger import Attempt, Changes, Event
from search.protocol import Point
from search.study import Direction, Lease, Plan, Study, StudyFinding, StudyRequest, Trial, TrialState
from service.store import Store

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
"""Half an hour before a clock of Central Europe jumps."""

SHOWN = tuple(range(10, 101, 10))

DISTRIBUTIONS: Mapping[str, BaseDistribution] = {
    "plan": CategoricalDistribution(("sgd+constant", "sgd+cosine", "adamw+constant", "adamw+cosine")),
    "lr_position": FloatDistribution(0.0, 1.0),
    "warmup_fraction": FloatDistribution(0.0, 0.2),
}

FINDINGS = (
    StudyFinding(
        id="adam-l2-with-restarts",
        level="warn",
        sentence="the optimizer 'adam' adds its weight decay to the gradient (L2) – \"decoupled\" it is not",
        citation=RULES["adam-l2-with-restarts"].citation,
        where=("schedule", "schedules", 1),
        plans=("adam+restarts",),
    ),
)


def some_plan(direction: Direction = "minimize") -> Plan:
    return Plan(
        task="digits-mlp",
        task_options={},
        horizon=100,
        updates_per_epoch=10,
        evaluate_every=5,
        metric="val_loss",
        direction=direction,
        at="last",
        shown=SHOWN,
    )


def some_study(
    store: Store, name: str = "first", *, project: str = "default", direction: Direction = "minimize"
) -> Study:
    request = StudyRequest(name=name, task="digits-mlp", labels={"team": "vision"})
    return store.create_study(project, name, request, some_plan(direction), FINDINGS)


def a_trial(number: int, state: TrialState = TrialState.RUNNING, **fields: Any) -> Trial:
    """A trial with parameters that differ from number to number."""
    position = (number * 0.37) % 1.0
    optimizer = Sgd() if number % 2 else AdamW()
    family = Cosine(final_ratio=0.01) if number % 4 < 2 else Constant()
    defaults: dict[str, Any] = {
        "recipe": Recipe(optimizer=optimizer, peak_lr=10 ** (position - 3), schedule=Warmup(fraction=0.1, then=family)),
        "seed": number,
        "parameters": {
            "plan": f"{optimizer.kind}+{family.kind}",
            "lr_position": position,
            "warmup_fraction": 0.2 * ((number * 0.61) % 1.0),
        },
        "distributions": DISTRIBUTIONS,
        "attempt": 1,
        "lease": a_lease() if state is TrialState.RUNNING else None,
        "created_at": NOW,
        "started_at": NOW + timedelta(seconds=number),
        "finished_at": NOW + timedelta(seconds=number + 60) if state.is_final else None,
        "update": 100 if state is TrialState.COMPLETED else 0,
        "value": 1.0 + position if state is TrialState.COMPLETED else None,
    }
    return Trial(number=number, state=state, **(defaults | fields))


def a_lease(token: str = "token", worker: str = "worker-1") -> Lease:
    return Lease(token=token, worker=worker, expires_at=NOW + timedelta(seconds=60), progressed_at=NOW)


def an_attempt(trial: int, attempt: int = 1, **fields: Any) -> Attempt:
    return Attempt(trial=trial, attempt=attempt, worker="worker-1", started_at=NOW, **fields)


def a_point(update: int, loss: float | None) -> Point:
    return Point(update=update, epoch=update / 10, rate=0.1, metrics={"val_loss": loss, "val_accuracy": 0.5})


def commit_trials(store: Store, study: Study, *trials: Trial, **parts: Any) -> None:
    store.commit(Changes(study=study, trials=trials, **parts))


def run_trial(store: Store, study: Study, number: int, losses: Mapping[int, float | None], end: Trial) -> None:
    """Hand a trial out, then finish it with its whole curve: the two transactions of a short trial."""
    running = a_trial(number)
    commit_trials(
        store, study, running, attempts=(an_attempt(number),), events=(Event(kind="trial", payload={"number": number}),)
    )
    ended = replace(end, number=number, parameters=running.parameters, distributions=running.distributions)
    ended = replace(ended, recipe=running.recipe, seed=running.seed)
    points = tuple((number, 1, a_point(update, loss)) for update, loss in losses.items())
    over = replace(an_attempt(number), ended_at=NOW, ending=end.state.value)
    commit_trials(
        store, study, ended, attempts=(over,), points=points, events=(Event(kind="trial", payload={"number": number}),)
    )


@dataclass
class Cost:
    """What the database was asked to do."""

    transactions: int = 0
    statements: int = 0


@contextmanager
def counting(store: Store) -> Iterator[Cost]:
    """Count the transactions that commit and the statements inside them, until the block ends."""
    cost = Cost()

    def count_statement(*_: object) -> None:
        cost.statements += 1

    def count_commit(*_: object) -> None:
        cost.transactions += 1

    event.listen(store.engine, "before_cursor_execute", count_statement)
    event.listen(store.engine, "commit", count_commit)
    try:
        yield cost
    finally:
        event.remove(store.engine, "before_cursor_execute", count_statement)
        event.remove(store.engine, "commit", count_commit)
