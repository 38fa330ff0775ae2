"""A worker by hand: the few calls of the work protocol that tests make, in plain HTTP."""

from __future__ import annotations

from typing import Any

import httpx

HORIZON = 20
EVALUATIONS = 4
METRIC = "val_loss"


def external_study(name: str = "by-hand", *, trials: int = 3, **others: Any) -> dict[str, Any]:
    """The request of a study that the test itself trains."""
    return {
        "name": name,
        "task": "external",
        "task_options": {"horizon": HORIZON, "metrics": {METRIC: "minimize"}, "evaluations": EVALUATIONS},
        "space": {"families": ["constant", "cosine"], "optimizers": ["sgd"]},
        "budget": {"trials": trials},
        **others,
    }


def create(client: httpx.Client, **others: Any) -> dict[str, Any]:
    """Post an external study."""
    answer = client.post("/v1/studies", json=external_study(**others))
    assert answer.status_code == 201, answer.text
    return as_object(answer)


def claim(client: httpx.Client, *, worker: str = "hand", **others: Any) -> list[dict[str, Any]]:
    """Claim work; the assignments."""
    body = {"worker": worker, "tasks": ["external"], **others}
    answer = client.post("/v1/work/claim", json=body)
    assert answer.status_code == 200, answer.text
    assignments = as_object(answer)["assignments"]
    assert isinstance(assignments, list)
    return assignments


def point(update: int, loss: float | None) -> dict[str, Any]:
    """One evaluation."""
    return {"update": update, "epoch": update / HORIZON, "rate": 0.1, "metrics": {METRIC: loss}}


def report(client: httpx.Client, fence: dict[str, Any], *points: dict[str, Any]) -> dict[str, Any]:
    """Report points of one trial; the verdict."""
    update = max((one["update"] for one in points), default=0)
    answer = client.post("/v1/work/report", json={"reports": [{"fence": fence, "update": update, "points": points}]})
    assert answer.status_code == 200, answer.text
    return dict(as_object(answer)["verdicts"][0])


def finish(
    client: httpx.Client, fence: dict[str, Any], outcome: dict[str, Any], *points: dict[str, Any]
) -> dict[str, Any]:
    """End one trial; the receipt."""
    body = {"finishes": [{"fence": fence, "outcome": outcome, "points": points, "train_seconds": 0.5}]}
    answer = client.post("/v1/work/finish", json=body)
    assert answer.status_code == 200, answer.text
    return dict(as_object(answer)["receipts"][0])


def train(client: httpx.Client, loss: float | None, *, study: str = "by-hand") -> int:
    """Claim one trial of the study and complete it with this last loss; its number."""
    (assignment,) = claim(client, studies=[study])
    fence = assignment["fence"]
    receipt = finish(client, fence, {"kind": "completed"}, point(10, 1.0), point(HORIZON, loss))
    assert receipt["status"] == "accepted", receipt
    return int(fence["trial"])


def as_object(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer."""
    value = answer.json()
    assert isinstance(value, dict), value
    return value
