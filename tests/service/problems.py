"""What every refusal must look like."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import httpx


def read_problem(answer: httpx.Response, status: int, detail: str = "") -> dict[str, Any]:
    """Check that an answer is a problem document with this status, whose detail matches; the document."""
    assert answer.status_code == status, answer.text[:2000]
    assert answer.headers["content-type"] == "application/problem+json"
    document = json.loads(answer.content, parse_constant=_refuse)
    assert set(document) == {"type", "title", "status", "detail", "errors"}
    assert document["status"] == status
    assert document["type"].startswith("urn:etude:problem:")
    assert len(answer.content) < 20_000, "a problem document is short, whatever was sent"
    assert re.search(detail, document["detail"]), document["detail"]
    assert "Traceback" not in answer.text
    for place in document["errors"]:
        assert set(place) == {"where", "rule", "value"}
        assert place["where"]
        assert place["rule"]
    return dict(document)


def only_place(document: dict[str, Any]) -> str:
    """Where the one thing that is wrong stands."""
    (place,) = document["errors"]
    return str(place["where"])


def _refuse(name: str) -> NoReturn:
    raise AssertionError(f"{name} in an answer")
