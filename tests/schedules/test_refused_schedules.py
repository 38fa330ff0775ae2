"""What is refused of cycles, phases, knots and joins, and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from schedules import (
    AnySchedule,
    Cooldown,
    Cosine,
    Cyclic,
    OneCycle,
    Piecewise,
    Product,
    Restarts,
    Schedule,
    Sequence,
    Step,
    Warmup,
    Wsd,
)
from schedules.table import compile_table

SCHEDULE: TypeAdapter[Schedule] = TypeAdapter(AnySchedule)
CONSTANT = {"kind": "constant"}
COSINE = {"kind": "cosine"}
PLATEAU = {"kind": "plateau"}


def nested(depth: int) -> dict[str, Any]:
    schedule: dict[str, Any] = COSINE
    for _ in range(depth - 1):
        schedule = {"kind": "product", "schedules": [schedule, CONSTANT]}
    return schedule


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"kind": "step", "drops": 0}, "greater than or equal to 1"),
        ({"kind": "step", "drops": 2.0}, "valid integer"),
        ({"kind": "step", "gamma": 1.0}, "less than 1"),
        ({"kind": "cosine", "k_decay": 0.0}, "greater than 0"),
        ({"kind": "inverse_sqrt", "shift_fraction": -0.1}, "greater than or equal to 0"),
        ({"kind": "plateau", "eps": -1e-8}, "greater than or equal to 0"),
        ({"kind": "cyclic", "rise_fraction": 0.0}, r"greater than or equal to 0\.000000001"),
        ({"kind": "cyclic", "rise_fraction": 0.6}, r"a rise of 0\.6 and a fall of 0\.6 are longer than all of it"),
        (
            {"kind": "cyclic", "rise_fraction": 0.6, "fall_fraction": 0.5},
            r"a rise of 0\.6 and a fall of 0\.5 are longer than all of it",
        ),
        ({"kind": "cyclic", "mode": "exp_range"}, "total_decay belongs to the mode 'exp_range' .*got None"),
        ({"kind": "cyclic", "total_decay": 0.5}, r"and to no other, got 0\.5 with the mode 'triangular'"),
        ({"kind": "cyclic", "mode": "triangle"}, "'triangular', 'triangular2' or 'exp_range'"),
        ({"kind": "one_cycle", "rise_fraction": 0.0}, "greater than 0"),
        ({"kind": "one_cycle", "phases": 4}, "2 or 3"),
        ({"kind": "one_cycle", "phases": 3, "rise_fraction": 0.5}, r"rise_fraction must be below 0\.5, got 0\.5"),
        ({"kind": "one_cycle", "phases": 3, "start_ratio": 0.1, "final_ratio": 0.2}, r"but 0\.1 < 0\.2"),
        ({"kind": "wsd", "decay_fraction": 0.0}, "greater than 0"),
        ({"kind": "wsd", "decay": "exponential"}, r"never reaches 0: it needs a final_ratio above 0, got 0\.0"),
        ({"kind": "wsd", "decay": "1-sqrt"}, "'one_minus_sqrt'"),
        ({"kind": "piecewise", "knots": [[0.0, 1.0]]}, "at least 2 items"),
        ({"kind": "piecewise", "knots": [[0.0, 1.0], [0.5, 0.5], [0.5, 0.2], [1.0, 0.0]]}, r"got 0\.5 before 0\.5"),
        ({"kind": "piecewise", "knots": [[0.1, 1.0], [1.0, 0.0]]}, r"first knot must lie at 0 .*got 0\.1 and 1\.0"),
        ({"kind": "piecewise", "knots": [[0.0, 1.0], [0.9, 0.0]]}, r"the last at 1, got 0\.0 and 0\.9"),
        ({"kind": "piecewise", "knots": [[0.0, 0.0], [1.0, 0.0]]}, "at least one knot must be above 0"),
        ({"kind": "piecewise", "knots": [[0.0, 1.5], [1.0, 0.0]]}, "less than or equal to 1"),
        ({"kind": "warmup", "ramp": "exponential", "then": CONSTANT}, r"needs a start_ratio above 0, got 0\.0"),
        ({"kind": "warmup", "ramp": "quadratic", "then": CONSTANT}, "'linear', 'cosine' or 'exponential'"),
        ({"kind": "cooldown", "fraction": 1.0}, "less than 1"),
        ({"kind": "cooldown", "decay": "exponential"}, "needs a final_ratio above 0"),
        ({"kind": "restarts", "cycles": 1}, "greater than or equal to 2"),
        ({"kind": "restarts", "cycles": None}, "from one of them, got cycles None and first_fraction None"),
        ({"kind": "restarts", "cycles": 3, "first_fraction": 0.1}, r"got cycles 3 and first_fraction 0\.1"),
        ({"kind": "restarts", "first_fraction": 1e-3}, r"greater than or equal to 0\.01"),
        ({"kind": "restarts", "t_mult": 0.5}, "greater than or equal to 1"),
        ({"kind": "restarts", "peak_decay": 0.0}, "greater than 0"),
        ({"kind": "restarts", "then": CONSTANT}, "a restart takes back a decay, but the schedule 'constant' has none"),
        ({"kind": "restarts", "then": PLATEAU}, "a schedule that reads a metric does not restart, got 'plateau'"),
        ({"kind": "sequence", "schedules": [COSINE], "milestones": []}, "at least 2 items"),
        ({"kind": "sequence", "schedules": [COSINE] * 2, "milestones": []}, "at least 1 item"),
        ({"kind": "sequence", "schedules": [COSINE] * 2, "milestones": [0.2, 0.4]}, "2 schedules meet at 1 .*got 2"),
        ({"kind": "sequence", "schedules": [COSINE] * 3, "milestones": [0.4, 0.4]}, r"got 0\.4 before 0\.4"),
        ({"kind": "sequence", "schedules": [COSINE] * 2, "milestones": [1.0]}, "less than 1"),
        (
            {"kind": "sequence", "schedules": [PLATEAU] * 2, "milestones": [0.5]},
            "read a metric, got 2 at 'sequence'",
        ),
        (
            {"kind": "product", "schedules": [PLATEAU] * 2},
            "one part of a schedule may read a metric, got 2",
        ),
        ({"kind": "product", "schedules": [COSINE]}, "at least 2 items"),
        ({"kind": "product", "schedules": [COSINE] * 9}, "at most 8 items"),
        ({"kind": "product", "schedules": [[COSINE], COSINE]}, "valid dictionary or object"),
        (nested(5), "schedules may be nested 4 deep, and 'product' is nested deeper"),
        ({"kind": "product", "schedules": [nested(3)] * 7}, "made of 32 schedules, and 'product' is made of more"),
    ],
)
def test_a_bad_schedule_is_refused_in_its_own_words(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SCHEDULE.validate_python(fields)


@pytest.mark.parametrize("depth", [5, 100, 20_000])
def test_a_schedule_nested_too_deep_is_refused_once_and_before_it_is_read(depth: int) -> None:
    with pytest.raises(ValidationError, match="nested 4 deep") as refused:
        SCHEDULE.validate_python(nested(depth))
    assert [(error["loc"], error["type"]) for error in refused.value.errors()] == [(("product",), "value_error")]


def test_text_nested_too_deep_is_refused() -> None:
    text = '{"kind":"warmup","then":' * 100_000 + '{"kind":"cosine"}' + "}" * 100_000
    with pytest.raises(ValidationError, match="recursion limit exceeded"):
        SCHEDULE.validate_json(text)


def test_a_schedule_built_of_values_is_bounded_too() -> None:
    inner = SCHEDULE.validate_python(nested(4))
    with pytest.raises(ValidationError, match="schedules may be nested 4 deep, and 'warmup' is nested deeper"):
        Warmup.model_validate({"then": inner})


@pytest.mark.parametrize(
    "schedule, horizon, message",
    [
        (Step(drops=4), 4, "4 drops need at least 5 updates, got a horizon of 4: two of them would act as one"),
        (Cyclic(rise_fraction=0.1), 9, r"each rise of the schedule 'cyclic' needs at least 1 update, got 0\.9 of"),
        (Cyclic(rise_fraction=0.5, fall_fraction=0.01), 50, "each fall of the schedule 'cyclic' needs at least 1 upd"),
        (OneCycle(), 2, "the schedule 'one_cycle' needs at least 3 updates, got a horizon of 2"),
        (OneCycle(rise_fraction=0.9), 10, "the last phase of the schedule 'one_cycle' needs at least 2 updates, got 1"),
        (OneCycle(rise_fraction=0.1, phases=3), 4, "the fall of the schedule 'one_cycle' with three phases needs at"),
        (Wsd(decay_fraction=0.1), 10, r"the decay of the schedule 'wsd' needs at least 2 updates, but 0\.1 of a hor"),
        (Piecewise(knots=((0.0, 1.0), (0.1, 0.5), (0.12, 0.3), (1.0, 0.0))), 20, "both fall on update 2 of a horizon"),
        (Cooldown(fraction=0.2), 7, "the decay of the schedule 'cooldown' needs at least 2 updates"),
        (Cooldown(fraction=0.9), 4, r"a cooldown of 0\.9 takes all of a horizon of 4: nothing is left for the schedul"),
        (
            Cooldown(fraction=0.8, first=Cosine()),
            5,
            "before a cooldown of 4 of 5 updates: the schedule 'cosine' needs at least 2 updates, got a horizon of 1",
        ),
        (
            Restarts(cycles=4, t_mult=2.0),
            15,
            "in cycle 1, from update 0 of 15 on: the schedule 'cosine' needs at least 2 updates, got a horizon of 1",
        ),
        (
            Sequence(schedules=(Cosine(), Cosine()), milestones=(0.5,)),
            3,
            "from update 2 to 3 of 3: the schedule 'cosine' needs at least 2 updates",
        ),
        (
            Sequence(schedules=(Cosine(), Cosine(), Cosine()), milestones=(0.5, 0.51)),
            20,
            "the schedule 'cosine' has no update of a horizon of 20: it would begin and end at update 10",
        ),
        (
            Product(schedules=(Cosine(), Wsd(decay_fraction=0.1))),
            10,
            "factor 2 of a product: the decay of the schedule 'wsd' needs at least 2 updates",
        ),
    ],
)
def test_a_run_too_short_is_refused_and_the_part_named(schedule: Schedule, horizon: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        schedule.check(horizon)


def test_a_search_refuses_values_that_a_family_does_not_have() -> None:
    heights = dict.fromkeys(Piecewise.searched, 0.5)
    with pytest.raises(ValueError, match="'piecewise' has no final_ratio"):
        Piecewise.build({**heights, "final_ratio": 0.1})


def test_a_search_of_a_curve_at_zero_throughout_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one knot must be above 0"):
        Piecewise.build(dict.fromkeys(Piecewise.searched, 0.0))


def test_a_table_of_no_updates_is_refused() -> None:
    with pytest.raises(ValueError, match="a run has at least 1 update, got a horizon of 0"):
        compile_table(Cosine(), 0)
