"""What a recipe can be made of, described for people and for forms."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter

from schedules import AVERAGINGS, FAMILIES, JOINS, OPTIMIZERS, Averaging, Optimizer, Range, Schedule
from service.schemas import FamiliesOut, FamilyOut, OptimizerOut, RangeOut


@cache
def describe_all() -> FamiliesOut:
    """Describe every family, join, averaging and optimizer."""
    return FamiliesOut(
        families=[_family(kind, one) for kind, one in FAMILIES.items()],
        joins=[_family(kind, one) for kind, one in JOINS.items()],
        averagings=[_family(kind, one) for kind, one in AVERAGINGS.items()],
        optimizers=[_optimizer(kind, one) for kind, one in OPTIMIZERS.items()],
    )


def _family(kind: str, one: type[Schedule | Averaging]) -> FamilyOut:
    return FamilyOut(kind=kind, searched=_ranges(one.searched), **_described(one))


def _optimizer(kind: str, one: type[Optimizer]) -> OptimizerOut:
    return OptimizerOut(kind=kind, ranges=_ranges(one.ranges), **_described(one))


def _described(one: type[BaseModel]) -> dict[str, Any]:
    text = inspect.getdoc(one) or ""
    return {
        "summary": " ".join(text.partition("\n\n")[0].split()),
        "description": text,
        "source": source_of(text),
        "defaults": _defaults(one),
        "parameters": _schema(one),
    }


def source_of(text: str) -> str:
    """Return what a docstring says after ``Source:``, on one line; nothing where it names no source."""
    found = re.search(r"^Source:(.*?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def _defaults(one: type[BaseModel]) -> dict[str, Any]:
    fields = {name: field for name, field in one.model_fields.items() if name != "kind" and not field.is_required()}
    json = TypeAdapter[Any](Any)
    return {
        name: json.dump_python(field.get_default(call_default_factory=True), mode="json")
        for name, field in fields.items()
    }


def _schema(one: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema with the fields at its top; what a join may hold is described once, as a family."""
    schema = one.model_json_schema()
    definitions = schema.get("$defs", {})
    for definition in definitions.values():
        definition.pop("description", None)
    own = schema.pop("$ref", None)
    return schema if own is None else {**definitions[own.removeprefix("#/$defs/")], **schema}


def _ranges(ranges: Mapping[str, Range]) -> dict[str, RangeOut]:
    return {
        name: RangeOut(low=one.low, high=one.high, scale=one.scale, default=one.default) for name, one in ranges.items()
    }
