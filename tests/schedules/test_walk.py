"""A walk over all that a recipe can be made of: each is described, drawn, exported and offered to forms."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, get_args
from xml.etree import ElementTree as ET

import pytest
from pydantic import TypeAdapter

from schedules import (
    AVERAGINGS,
    FAMILIES,
    JOINS,
    OPTIMIZERS,
    SCHEDULES,
    AnyAveraging,
    AnyOptimizer,
    AnySchedule,
    Range,
    findings,
)
from schedules.drawing import gallery, svg
from schedules.export import samples, torch_snippet
from service.families import describe_all, source_of
from service.schemas import FamilyOut, OptimizerOut

HORIZON = 1000
PARTS: Mapping[str, type[Any]] = {**SCHEDULES, **AVERAGINGS, **OPTIMIZERS}


def listed() -> Mapping[str, FamilyOut | OptimizerOut]:
    """What ``GET /v1/families`` answers, by kind."""
    offered = describe_all()
    rows: list[FamilyOut | OptimizerOut] = [*offered.families, *offered.joins, *offered.averagings, *offered.optimizers]
    return {row.kind: row for row in rows}


def members(union: Any) -> set[type[Any]]:
    """The classes of a discriminated union."""
    return set(get_args(get_args(union)[0]))


def test_the_lists_by_kind_hold_the_whole_of_each_union() -> None:
    assert set(SCHEDULES.values()) == members(AnySchedule)
    assert set(AVERAGINGS.values()) == members(AnyAveraging)
    assert set(OPTIMIZERS.values()) == members(AnyOptimizer)
    assert set(SCHEDULES) == set(FAMILIES) | set(JOINS)
    assert len(PARTS) == len(SCHEDULES) + len(AVERAGINGS) + len(OPTIMIZERS)


@pytest.mark.parametrize("kind", PARTS)
def test_each_has_a_first_sentence_and_a_source(kind: str) -> None:
    text = inspect.getdoc(PARTS[kind]) or ""
    first = text.partition("\n\n")[0]
    assert re.search(r"[.`]$", first)
    assert PARTS[kind].__doc__, "the sentence is its own, not inherited"
    source = source_of(text)
    assert re.search(r"\((19|20)\d\d\)|https://|arXiv:", source), source


@pytest.mark.parametrize("kind", [*SCHEDULES, *AVERAGINGS])
def test_each_schedule_and_averaging_has_a_formula(kind: str) -> None:
    text = inspect.getdoc(PARTS[kind]) or ""
    assert re.search(r"::\n\n +\S|``multiplier\(t\) = 1``", text)


@pytest.mark.parametrize("kind", PARTS)
def test_each_has_a_schema_that_knows_its_kind_and_no_other_fields(kind: str) -> None:
    assert PARTS[kind].model_fields["kind"].default == kind
    schema = listed()[kind].parameters
    assert schema["properties"]["kind"]["const"] == kind
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("kind", [*FAMILIES, "cooldown", *AVERAGINGS, *OPTIMIZERS])
def test_each_that_can_has_a_default(kind: str) -> None:
    assert PARTS[kind]() == PARTS[kind](**PARTS[kind]().model_dump())


@pytest.mark.parametrize("kind", AVERAGINGS)
def test_each_averaging_has_a_range(kind: str) -> None:
    searched = AVERAGINGS[kind].searched
    assert searched
    AVERAGINGS[kind].build({name: each.default for name, each in searched.items()}).check(HORIZON)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_each_optimizer_has_ranges(kind: str) -> None:
    assert {"peak_lr", "weight_decay"} <= set(OPTIMIZERS[kind].ranges)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_each_schedule_is_drawn_and_exported(kind: str) -> None:
    recipe = samples()[kind]
    assert recipe.schedule.kind == kind
    assert ET.fromstring(svg(recipe, HORIZON)).tag.endswith("svg")
    compile(torch_snippet(recipe, HORIZON), kind, "exec")
    assert all(finding.level != "refuse" for finding in findings(recipe, HORIZON))


def test_the_gallery_names_every_schedule() -> None:
    text = " ".join(ET.fromstring(gallery()).itertext())
    assert [kind for kind in SCHEDULES if kind.replace("_", " ") not in text and kind not in text] == []


def test_each_stands_in_the_list_of_families() -> None:
    offered = describe_all()
    assert [each.kind for each in offered.families] == list(FAMILIES)
    assert [each.kind for each in offered.joins] == list(JOINS)
    assert [each.kind for each in offered.averagings] == list(AVERAGINGS)
    assert [each.kind for each in offered.optimizers] == list(OPTIMIZERS)


@pytest.mark.parametrize("kind", PARTS)
def test_each_row_says_what_the_class_says(kind: str) -> None:
    row, made = listed()[kind], PARTS[kind]
    assert row.description == inspect.getdoc(made)
    assert row.summary in " ".join(row.description.split())
    assert row.source == source_of(row.description)
    assert set(row.parameters["properties"]) == set(made.model_fields)
    assert set(row.defaults) | set(row.parameters.get("required", ())) == set(made.model_fields) - {"kind"}
    ranges = made.ranges if kind in OPTIMIZERS else made.searched
    shown = row.model_dump()["ranges" if kind in OPTIMIZERS else "searched"]
    assert {name: Range(**each) for name, each in shown.items()} == dict(ranges)


@pytest.mark.parametrize("kind", [*FAMILIES, "cooldown", *AVERAGINGS, *OPTIMIZERS])
def test_the_listed_defaults_make_the_default(kind: str) -> None:
    text = TypeAdapter(dict[str, Any]).dump_json(listed()[kind].defaults)
    assert PARTS[kind].model_validate_json(text) == PARTS[kind]()
