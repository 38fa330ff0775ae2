"""The rules: what each finds, what it leaves alone, and that none of them fails."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules import Recipe
from schedules.places import places
from schedules.rules import RULES, Finding, findings
from tests.strategies import full_recipes, horizons

SGD = {"kind": "sgd", "momentum": 0.9}
PLAIN_SGD = {"kind": "sgd", "momentum": 0.0}
ADAM = {"kind": "adam", "weight_decay": 1e-4}
ADAMW = {"kind": "adamw", "weight_decay": 0.01}
CONSTANT = {"kind": "constant"}
COSINE = {"kind": "cosine", "final_ratio": 0.1}
TO_ZERO = {"kind": "cosine"}
RESTARTS = {"kind": "restarts", "cycles": 3, "then": COSINE}
DIP = {"kind": "piecewise", "knots": [[0, 1], [0.5, 0.2], [1, 0.6]]}
FALL = {"kind": "piecewise", "knots": [[0, 1], [0.5, 0.2], [1, 0.1]]}


class Example(NamedTuple):
    """A recipe with the run and the pruner that it meets, and the words that a finding must have.

    Attributes:
        where: dotted; what is said is about this place.
    """

    recipe: dict[str, Any]
    horizon: int = 100
    pruner: str | None = None
    says: str = ""
    where: str = "schedule"


def a(schedule: dict[str, Any] = CONSTANT, optimizer: dict[str, Any] = SGD, **others: Any) -> dict[str, Any]:
    return {"optimizer": optimizer, "peak_lr": 0.1, "schedule": schedule, **others}


def warmup(fraction: float, then: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "warmup", "fraction": fraction, "then": then}


def sequence(*schedules: dict[str, Any], at: list[float]) -> dict[str, Any]:
    return {"kind": "sequence", "schedules": list(schedules), "milestones": at}


def momentum(low: float, curve: dict[str, Any] = COSINE) -> dict[str, Any]:
    return {"low": low, "curve": curve}


BROKEN: dict[str, list[Example]] = {
    "momentum-curve-without-momentum": [
        Example(a(optimizer=PLAIN_SGD, momentum=momentum(0.8)), says="'sgd' has none", where="momentum"),
        Example(a(optimizer={"kind": "adagrad"}, momentum=momentum(0.8)), says="'adagrad' has none", where="momentum"),
        Example(a(optimizer={"kind": "rmsprop"}, momentum=momentum(0.8)), says="'rmsprop' has none", where="momentum"),
    ],
    "weight-decay-curve-without-weight-decay": [
        Example(a(weight_decay=COSINE), says="that of the optimizer 'sgd' is 0", where="weight_decay")
    ],
    "curve-reads-a-metric": [
        Example(a(momentum=momentum(0.8, {"kind": "plateau"})), says="as 'plateau' does", where="momentum.curve"),
        Example(a(optimizer=ADAMW, weight_decay={"kind": "plateau"}), says="weight decay", where="weight_decay"),
    ],
    "peak-below-floor": [
        Example(a(momentum=momentum(0.95)), says="own, 0.9, from below it, not from 0.95", where="momentum.low"),
        Example(a(momentum=momentum(0.9)), says="not from 0.9", where="momentum.low"),
    ],
    "schedule-free-with-a-schedule": [
        Example(a(COSINE, {"kind": "schedule_free_sgd"}), says="and no 'cosine'"),
        Example(a(warmup(0.1, COSINE), {"kind": "schedule_free_adamw"}), says="and no 'cosine'"),
        Example(a(optimizer={"kind": "schedule_free_sgd"}, momentum=momentum(0.5)), says="no curve", where="momentum"),
        Example(a(optimizer={"kind": "schedule_free_sgd"}, averaging={"kind": "ema"}), says="'ema'", where="averaging"),
    ],
    "phases-beyond-run": [
        Example(a(warmup(0.96, CONSTANT)), 10, says="takes all of a horizon of 10"),
        Example(a(warmup(0.96, {"kind": "wsd", "decay_fraction": 0.5})), 10, says="nothing is left"),
        Example(a({"kind": "cooldown", "fraction": 0.97}), 10, says="takes all of a horizon of 10"),
        Example(a(sequence(CONSTANT, CONSTANT, CONSTANT, at=[0.5, 0.51])), 10, says="has no update"),
        Example(a(momentum=momentum(0.8, warmup(0.96, COSINE))), 10, says="takes all", where="momentum.curve"),
    ],
    "decay-too-short": [
        Example(a(COSINE), 1, says="'cosine' needs at least 2 updates, got a horizon of 1"),
        Example(a(warmup(0.9, COSINE)), 10, says="after a warm-up of 9 of 10 updates: the schedule 'cosine' needs"),
        Example(a({"kind": "wsd", "decay_fraction": 0.1}), 10, says="the decay of the schedule 'wsd' needs at least 2"),
        Example(a({"kind": "cooldown", "fraction": 0.1}), 10, says="the schedule 'cooldown' needs at least 2 updates"),
        Example(a({"kind": "one_cycle", "rise_fraction": 0.9}), 10, says="last phase of the schedule 'one_cycle'"),
        Example(a({"kind": "restarts", "cycles": 8, "then": COSINE}), 10, says="in cycle"),
        Example(a(optimizer=ADAMW, weight_decay=COSINE), 1, says="'cosine' needs", where="weight_decay"),
    ],
    "run-too-short": [
        Example(a({"kind": "multi_factor", "milestones": [0.5, 0.51]}), 10, says="both fall on update 5"),
        Example(a({"kind": "step", "drops": 5}), 5, says="5 drops need at least 6 updates"),
        Example(a({"kind": "cyclic", "rise_fraction": 0.05}), 10, says="each rise of the schedule 'cyclic'"),
        Example(a(warmup(0.5, {"kind": "multi_factor", "milestones": [0.5, 0.51]})), 20, says="act as one"),
    ],
    "averaging-too-late": [
        Example(
            a(averaging={"kind": "swa", "start_fraction": 0.95}), 10, says="starts after 10 of 10", where="averaging"
        )
    ],
    "restart-never-happens": [
        Example(
            a({"kind": "restarts", "first_fraction": 0.96, "then": COSINE}),
            10,
            says="first cycle takes 10 of 10 updates",
        ),
        Example(
            a(warmup(0.5, {"kind": "restarts", "first_fraction": 0.96, "then": COSINE})),
            20,
            says="takes 10 of 10 updates",
            where="schedule.then",
        ),
    ],
    "floor-at-peak": [
        Example(a({"kind": "cosine", "final_ratio": 1.0}), says="'cosine' never falls", where="schedule.final_ratio"),
        Example(a({"kind": "cyclic", "base_ratio": 1.0}), says="base_ratio is 1", where="schedule.base_ratio"),
        Example(
            a(warmup(0.1, {"kind": "linear", "final_ratio": 1.0})),
            says="'linear' never falls",
            where="schedule.then.final_ratio",
        ),
    ],
    "adagrad-with-decay-to-zero": [
        Example(a(TO_ZERO, {"kind": "adagrad"}), says="ends at 0 of the peak rate"),
        Example(a(warmup(0.1, {"kind": "linear"}), {"kind": "adagrad"}), says="once more"),
        Example(a({"kind": "factor", "total_decay": 0.01}, {"kind": "adagrad"}), says="ends at 0.01 of"),
    ],
    "adam-l2-with-restarts": [
        Example(a(RESTARTS, ADAM), says="'adam' adds its weight decay to the gradient"),
        Example(a(warmup(0.1, RESTARTS), ADAM), where="schedule.then"),
        Example(a(RESTARTS, {"kind": "nadam", "weight_decay": 0.1}), says="'nadam'"),
    ],
    "restarts-with-pruner": [
        Example(a(RESTARTS), pruner="median", says="pruner 'median' .* compared from update 67 of 100 on"),
        Example(a({"kind": "cyclic"}), pruner="halving", says="rate of 'cyclic' still rises again"),
        Example(a(sequence(COSINE, RESTARTS, at=[0.5])), pruner="median", where="schedule.schedules.1"),
    ],
    "averaging-with-decay-to-zero": [
        Example(a(TO_ZERO, averaging={"kind": "ema"}), says=r"average \(ema\) lags", where="averaging"),
        Example(a(TO_ZERO, averaging={"kind": "swa"}), says="at 0 of the peak rate", where="averaging"),
    ],
    "schedule-scales-weight-decay": [
        Example(a(COSINE, ADAMW), says="'adamw' shrinks the weights", where="optimizer.weight_decay"),
        Example(a(COSINE, {"kind": "lion", "weight_decay": 0.1}), where="optimizer.weight_decay"),
        Example(a(COSINE, {"kind": "nadam", "weight_decay": 0.1, "decoupled": True}), where="optimizer.weight_decay"),
    ],
    "adaptive-beyond-decay": [
        Example(a(RESTARTS, ADAMW), says="and so no 'restarts', is an old claim .* as of November 2026"),
        Example(a({"kind": "cyclic"}, {"kind": "rmsprop"}), says="'rmsprop'"),
        Example(a({"kind": "one_cycle"}, ADAM), says="'one_cycle'"),
        Example(a(DIP, ADAM), says="'piecewise'"),
        Example(a(sequence(COSINE, COSINE, at=[0.5]), ADAM), says="'sequence'"),
        Example(a(warmup(0.1, RESTARTS), ADAMW), where="schedule.then"),
    ],
}
"""For each rule, recipes that break it."""

KEPT: dict[str, list[Example]] = {
    "momentum-curve-without-momentum": [
        Example(a(momentum=momentum(0.8))),
        Example(a(optimizer={"kind": "rmsprop", "momentum": 0.9}, momentum=momentum(0.8))),
        Example(a(optimizer=PLAIN_SGD)),
    ],
    "weight-decay-curve-without-weight-decay": [Example(a(optimizer=ADAMW, weight_decay=COSINE)), Example(a())],
    "curve-reads-a-metric": [Example(a({"kind": "plateau"})), Example(a(momentum=momentum(0.8)))],
    "peak-below-floor": [Example(a(momentum=momentum(0.89)))],
    "schedule-free-with-a-schedule": [
        Example(a(optimizer={"kind": "schedule_free_sgd"})),
        Example(a(warmup(0.1, CONSTANT), {"kind": "schedule_free_adamw"})),
    ],
    "phases-beyond-run": [Example(a(warmup(0.9, CONSTANT)), 10), Example(a({"kind": "cooldown", "fraction": 0.9}), 10)],
    "decay-too-short": [
        Example(a(COSINE), 2),
        Example(a(warmup(0.8, COSINE)), 10),
        Example(a({"kind": "wsd", "decay_fraction": 0.2}), 10),
        Example(a(), 1),
    ],
    "run-too-short": [
        Example(a({"kind": "multi_factor", "milestones": [0.5, 0.6]}), 10),
        Example(a({"kind": "step", "drops": 5}), 6),
    ],
    "averaging-too-late": [Example(a(averaging={"kind": "swa", "start_fraction": 0.8}), 10)],
    "restart-never-happens": [
        Example(a({"kind": "restarts", "first_fraction": 0.9, "then": COSINE}), 10),
        Example(a(RESTARTS), 10),
    ],
    "floor-at-peak": [Example(a({"kind": "cosine", "final_ratio": 0.999})), Example(a())],
    "adagrad-with-decay-to-zero": [
        Example(a(COSINE, {"kind": "adagrad"})),
        Example(a(warmup(0.1, CONSTANT), {"kind": "adagrad"})),
        Example(a({"kind": "plateau"}, {"kind": "adagrad"})),
        Example(a(TO_ZERO)),
    ],
    "adam-l2-with-restarts": [
        Example(a(RESTARTS, ADAMW)),
        Example(a(RESTARTS, {"kind": "adam"})),
        Example(a(RESTARTS, {"kind": "nadam", "weight_decay": 0.1, "decoupled": True})),
        Example(a(COSINE, ADAM)),
        Example(a(RESTARTS)),
    ],
    "restarts-with-pruner": [
        Example(a(RESTARTS)),
        Example(a(RESTARTS), pruner="none"),
        Example(a(COSINE), pruner="median"),
    ],
    "averaging-with-decay-to-zero": [
        Example(a(COSINE, averaging={"kind": "ema"})),
        Example(a(TO_ZERO)),
        Example(a(TO_ZERO, averaging={"kind": "swa", "tail": {"kind": "constant"}})),
        Example(a({"kind": "plateau"}, averaging={"kind": "ema"})),
    ],
    "schedule-scales-weight-decay": [
        Example(a(CONSTANT, ADAMW)),
        Example(a(COSINE, {"kind": "adamw", "weight_decay": 0.0})),
        Example(a(COSINE, ADAM)),
    ],
    "adaptive-beyond-decay": [
        Example(a(warmup(0.1, COSINE), ADAMW)),
        Example(a(RESTARTS)),
        Example(a(RESTARTS, {"kind": "lion"})),
        Example(a(FALL, ADAM)),
        Example(a(sequence(CONSTANT, COSINE, at=[0.5]), ADAM)),
        Example(a({"kind": "plateau"}, ADAM)),
    ],
}
"""For each rule, recipes much like those that break it, which do not."""


def found(example: Example) -> dict[str, Finding]:
    recipe = Recipe.model_validate(example.recipe)
    return {each.id: each for each in findings(recipe, example.horizon, pruner=example.pruner)}


def cases(examples: dict[str, list[Example]]) -> list[Any]:
    return [
        pytest.param(rule, example, id=f"{rule}-{number}")
        for rule, of_rule in examples.items()
        for number, example in enumerate(of_rule)
    ]


def test_a_run_without_updates_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 update, got a horizon of 0"):
        findings(Recipe.model_validate(a()), 0)


@pytest.mark.parametrize("rule, example", cases(BROKEN))
def test_a_recipe_that_breaks_a_rule_is_found(rule: str, example: Example) -> None:
    finding = found(example)[rule]
    assert finding.level == RULES[rule].level
    assert finding.citation == RULES[rule].citation
    assert re.search(example.says, finding.sentence)
    assert ".".join(map(str, finding.where)) == example.where


@pytest.mark.parametrize("rule, example", cases(KEPT))
def test_a_recipe_that_keeps_a_rule_is_left_alone(rule: str, example: Example) -> None:
    assert rule not in found(example)


def test_every_rule_has_examples_on_both_sides() -> None:
    assert set(BROKEN) == set(KEPT) == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_names_its_evidence_with_year_and_link(rule: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule)
    assert re.search(r"\((19|20)\d\d\)", RULES[rule].citation)
    assert "https://" in RULES[rule].citation


def test_refusals_stand_before_warnings_and_notes() -> None:
    recipe = Recipe.model_validate(a(warmup(0.1, RESTARTS), ADAM, averaging={"kind": "swa", "start_fraction": 0.99}))
    levels = [finding.level for finding in findings(recipe, 30, pruner="median")]
    assert levels == ["refuse", "warn", "warn", "note"]


def test_a_plain_recipe_has_no_findings() -> None:
    assert findings(Recipe.model_validate(a(warmup(0.05, COSINE))), 1000, pruner="median") == ()


def test_the_parts_of_a_schedule_are_named_by_their_paths() -> None:
    recipe = Recipe.model_validate(a(warmup(0.5, sequence(CONSTANT, RESTARTS, at=[0.5]))))
    seen = {".".join(map(str, place.where)): place.horizon for place in places(recipe.schedule, ("schedule",), 80)}
    assert seen == {
        "schedule": 80,
        "schedule.then": 40,
        "schedule.then.schedules.0": 20,
        "schedule.then.schedules.1": 20,
        "schedule.then.schedules.1.then": 6,
    }


@given(full_recipes(), st.one_of(horizons(1, 50), horizons()), st.sampled_from([None, "none", "median"]))
def test_no_rule_fails_on_any_recipe(recipe: Recipe, horizon: int, pruner: str | None) -> None:
    seen = findings(recipe, horizon, pruner=pruner)
    assert all(Finding.model_validate_json(each.model_dump_json()) == each for each in seen)
    assert len({(each.id, each.where) for each in seen}) == len(seen)


@given(full_recipes(), st.one_of(horizons(1, 50), horizons()))
def test_what_a_recipe_itself_refuses_is_found_and_nothing_else_but_idle_restarts(recipe: Recipe, horizon: int) -> None:
    refused = [each for each in findings(recipe, horizon) if each.level == "refuse"]
    said = refusal(recipe, horizon)
    if said is None:
        assert {each.id for each in refused} <= {"restart-never-happens"}
    else:
        assert any(each.sentence in said for each in refused)


def refusal(recipe: Recipe, horizon: int) -> str | None:
    """Return what the recipe itself says against the horizon; None where it has no objection."""
    try:
        recipe.check(horizon)
    except ValueError as error:
        return str(error)
    return None
