"""What the API's description says beyond the routes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.errors import Problem

DESCRIPTION = """\
Which learning-rate schedule, with which optimizer, trains my model best within my budget?

Post a **study**: the task, the space of recipes, the objective and the budget. Workers claim its **trials**, train
them and report as they go. Every error is a problem document (RFC 9457, `application/problem+json`) that says what
broke, and for a wrong request names each place, the rule and the value. Lists answer `items` and `next_cursor`.
"""

TAGS: list[dict[str, Any]] = [
    {"name": "studies", "description": "Post, list, change and watch studies."},
    {"name": "trials", "description": "What a study tried, and how each try went."},
    {"name": "answers", "description": "What came out of a study."},
    {"name": "schedules", "description": "Families, previews and checks, without any study."},
    {"name": "work", "description": "The protocol that every worker speaks, ours and yours."},
    {"name": "system", "description": "Tasks, workers and health."},
]

SECURITY: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The key, where the service has one."},
    "basic": {"type": "http", "scheme": "basic", "description": "Any user name, the key as the password."},
}


def install(app: FastAPI) -> None:
    """Let the application describe its errors and its keys too."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # the documented way to extend the description


def _described(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=TAGS
    )
    components = document.setdefault("components", {})
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components.setdefault("schemas", {}).update({**schema.pop("$defs", {}), "Problem": schema})
    components["securitySchemes"] = SECURITY
    document["security"] = [{}, {"bearer": []}, {"basic": []}]
    return document
