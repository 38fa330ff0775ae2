"""A walk over everything that a schedule can be: each kind is known wherever kinds are listed."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schedules import FAMILIES, JOINS, SCHEDULES, AnySchedule, Join, Plateau, Schedule, Shape, Warmup
from tests.strategies import JOINED, SHAPES, plateaus

SCHEDULE: TypeAdapter[Schedule] = TypeAdapter(AnySchedule)
FIELDS: dict[str, dict[str, Any]] = {
    "warmup": {"then": {"kind": "cosine"}},
    "sequence": {"schedules": [{"kind": "constant"}, {"kind": "cosine"}], "milestones": [0.5]},
    "product": {"schedules": [{"kind": "linear"}, {"kind": "step"}]},
}
"""What a kind cannot do without; the others need nothing."""

every_kind = pytest.mark.parametrize("kind", SCHEDULES)


def smallest(kind: str) -> Schedule:
    return SCHEDULE.validate_python({"kind": kind, **FIELDS.get(kind, {})})


def test_families_and_joins_are_all_that_a_schedule_can_be() -> None:
    tags = SCHEDULE.json_schema()["discriminator"]["mapping"]
    assert set(tags) == set(SCHEDULES) == {*FAMILIES, *JOINS}
    assert {kind for kind, each in SCHEDULES.items() if issubclass(each, Join)} == set(JOINS)
    assert {kind for kind, each in SCHEDULES.items() if issubclass(each, Shape)} == set(SHAPES)
    assert set(SCHEDULES) == {*SHAPES, *JOINS, "plateau"}


@every_kind
def test_every_schedule_says_what_it_is_where_it_is_from_and_where_others_differ(kind: str) -> None:
    text = inspect.getdoc(SCHEDULES[kind]) or ""
    said = {"multiplier", "Source: ", "Where libraries differ: "}
    assert {words for words in said if words not in text} == set()


@every_kind
def test_every_schedule_says_what_holds_at_both_ends(kind: str) -> None:
    text = " ".join((inspect.getdoc(SCHEDULES[kind]) or "").split()).lower()
    assert {words for words in ("t = 0", "at t and after") if words not in text} == set()


@every_kind
@settings(max_examples=5)
@given(st.data())
def test_every_schedule_is_drawn_by_property_tests(kind: str, data: st.DataObject) -> None:
    strategies = {**SHAPES, **JOINED, "plateau": plateaus()}
    assert data.draw(strategies[kind]).kind == kind


@every_kind
def test_every_schedule_has_a_default(kind: str) -> None:
    schedule = smallest(kind)
    schedule.check(1000)
    assert schedule.kind == kind
    assert 0 <= schedule.fair_from(1000) < 1000


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_is_searched_from_its_defaults(kind: str) -> None:
    family = FAMILIES[kind]
    built = family.build({name: searched.default for name, searched in family.searched.items()})
    built.check(family.shortest_for(family.searched))
    assert built.kind == kind
    assert family.searched or kind == "constant"


@every_kind
def test_every_schedule_has_a_schema_that_a_form_can_be_built_from(kind: str) -> None:
    schema = SCHEDULES[kind].model_json_schema()
    schema = schema if "properties" in schema else schema["$defs"][SCHEDULES[kind].__name__]
    fields = schema["properties"]
    assert fields.pop("kind")["const"] == kind
    required = set(schema.get("required", ()))
    assert required == set(FIELDS.get(kind, {}))
    for name, field in fields.items():
        assert name in required or "default" in field
        assert {"type", "anyOf", "enum", "$ref", "oneOf", "discriminator", "allOf"} & set(field)


@every_kind
def test_every_schedule_is_told_in_a_few_words(kind: str) -> None:
    assert 0 < len(smallest(kind).summary()) < 80


@every_kind
def test_every_schedule_takes_a_warmup_but_a_warmup(kind: str) -> None:
    if kind != "warmup":
        schedule = Warmup.model_validate({"then": smallest(kind)})
        schedule.check(1000)
        assert (schedule.start() is not None) == (kind == Plateau.model_fields["kind"].default)
