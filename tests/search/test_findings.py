"""What the rules say of a study: every pair of its space is looked at, in the middle and in the corners."""

from __future__ import annotations

from typing import Any

import pytest

from schedules import FAMILIES, OPTIMIZERS, RULES, Warmup
from search.errors import NotFound, Unsuitable
from search.findings import corners, study_findings
from search.planning import make_plan
from search.presets import PRESETS, find_preset
from search.space import Space
from search.study import StudyFinding, StudyRequest
from search.tasks.builtin import INFOS
from tests.search.factories import a_plan, a_request


def found(**fields: Any) -> dict[str, StudyFinding]:
    return {finding.id: finding for finding in study_findings(a_request(**fields), a_plan(**fields))}


def test_a_pair_that_a_rule_refuses_is_named() -> None:
    request = a_request(space={"optimizers": ["sgd"], "families": ["constant", "cosine"]})
    plan = a_plan().model_copy(update={"horizon": 1})
    with pytest.raises(
        Unsuitable, match=r"the space holds 'sgd\+constant', which the rule 'phases-beyond-run' refuses"
    ):
        study_findings(request, plan)


@pytest.mark.parametrize(
    "rule, message",
    [
        ("no-such-rule", "no rule 'no-such-rule'; those that can be acknowledged are: floor-at-peak"),
        ("decay-too-short", "the rule 'decay-too-short' finds is refused, and cannot be acknowledged"),
    ],
)
def test_only_warnings_and_notes_can_be_acknowledged(rule: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        a_request(acknowledge=[rule])


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(NotFound, match="no preset 'best'; there are: adam-and-cycles"):
        find_preset("best")


def test_every_warning_and_note_can_be_acknowledged() -> None:
    known = [rule for rule, each in RULES.items() if each.level != "refuse"]
    assert a_request(acknowledge=known).acknowledge == tuple(known)


def test_a_space_without_anything_doubtful_has_no_findings() -> None:
    assert found(space={"optimizers": ["sgd"]}) == {}


def test_a_finding_names_every_pair_that_it_was_found_in() -> None:
    space = {"optimizers": ["sgd", "adam", "adamw"], "families": ["cosine", "restarts", "cyclic"]}
    seen = found(space=space, epochs=30, pruner={"kind": "median"})
    assert {rule: finding.level for rule, finding in seen.items()} == {
        "restarts-with-pruner": "warn",
        "adam-l2-with-restarts": "warn",
        "adaptive-beyond-decay": "note",
        "schedule-scales-weight-decay": "note",
    }
    assert seen["adam-l2-with-restarts"].plans == ("adam+restarts",)
    assert seen["restarts-with-pruner"].plans == tuple(
        f"{optimizer}+{family}" for optimizer in space["optimizers"] for family in ("restarts", "cyclic")
    )


def test_restarts_go_well_with_a_pruner_that_compares_whole_short_runs() -> None:
    space = {"optimizers": ["sgd"], "families": ["restarts"]}
    assert "restarts-with-pruner" in found(space=space, epochs=60, pruner={"kind": "halving"})
    assert found(space=space, epochs=60, pruner={"kind": "halving", "rescale": True}) == {}


@pytest.mark.parametrize(
    "low, high, rule",
    [(0.02, 0.1, None), (0.005, 0.1, "adagrad-with-decay-to-zero"), (0.02, 1.0, "floor-at-peak")],
)
def test_what_only_a_corner_of_the_space_breaks_is_found(low: float, high: float, rule: str | None) -> None:
    ranges = {"final_ratio": {"low": low, "high": high}}
    space = {"optimizers": ["adagrad"], "families": ["cosine"], "ranges": ranges}
    assert list(found(space=space)) == ([] if rule is None else [rule])


def test_every_averaging_of_the_space_is_looked_at() -> None:
    space = {"optimizers": ["sgd"], "families": ["cosine", "constant"], "averaging": ["none", "ema"]}
    seen = found(space=space)
    assert seen["averaging-with-decay-to-zero"].plans == ("sgd+cosine",)


def test_corners_reach_both_ends_of_every_range() -> None:
    space = Space(optimizers=("sgd",), families=("cosine",))
    drawn = [recipe.schedule for recipe in corners(space, "sgd+cosine", "minimize")]
    fractions = {schedule.fraction if isinstance(schedule, Warmup) else 0.0 for schedule in drawn}
    assert {0.0, 0.1, 0.2} <= fractions


@pytest.mark.parametrize("family", FAMILIES)
def test_every_pair_that_a_space_allows_passes_the_rules(family: str) -> None:
    optimizers = [kind for kind, each in OPTIMIZERS.items() if family == "constant" or not each.is_schedule_free]
    fields: dict[str, Any] = {"space": {"optimizers": optimizers, "families": [family]}, "epochs": 100}
    assert all(finding.level != "refuse" for finding in found(**fields).values())


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_posted_and_acknowledges_what_it_tests(name: str) -> None:
    preset = find_preset(name)
    (info,) = [info for info in INFOS if info.name == preset.request.task]
    seen = study_findings(preset.request, make_plan(preset.request, info))
    assert {finding.id for finding in seen} == set(preset.request.acknowledge)
    posted = preset.request.model_dump(mode="json", exclude_unset=True)
    assert StudyRequest.model_validate(posted) == preset.request


def test_the_note_on_adaptive_optimizers_names_the_preset_that_tests_it() -> None:
    note = found(space={"optimizers": ["adam"], "families": ["restarts"]}, epochs=30)["adaptive-beyond-decay"]
    assert "'adam-and-cycles'" in note.sentence
    assert "adam-and-cycles" in PRESETS
