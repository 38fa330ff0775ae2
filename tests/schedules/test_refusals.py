"""What is refused, and in which words."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from schedules import (
    OPTIMIZERS,
    Adam,
    AnySchedule,
    Constant,
    Cosine,
    InverseSqrt,
    MultiFactor,
    PlateauState,
    Range,
    Recipe,
    Schedule,
    Sgd,
    Warmup,
)
from schedules.drawing import points, svg
from schedules.export import torch_snippet

SCHEDULE: TypeAdapter[Schedule] = TypeAdapter(AnySchedule)
CONSTANT = {"kind": "constant"}


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"kind": "cosine", "final_ratio": 1.1}, r"cosine\.final_ratio\s+Input should be less than or equal to 1"),
        ({"kind": "cosine", "final_ratio": -0.1}, "greater than or equal to 0"),
        ({"kind": "cosine", "final_ratio": math.nan}, "finite number"),
        ({"kind": "cosine", "final_ratio": math.inf}, "finite number"),
        ({"kind": "cosine", "final_ratio": "0.1"}, "valid number"),
        ({"kind": "cosine", "final_ratio": True}, "valid number"),
        ({"kind": "cosine", "floor": 0.1}, r"cosine\.floor\s+Extra inputs are not permitted"),
        ({"kind": "cosinus"}, "does not match any of the expected tags: 'constant'"),
        ({"final_ratio": 0.1}, "Unable to extract tag using discriminator 'kind'"),
        ({"kind": "factor", "total_decay": 0.0}, "greater than 0"),
        ({"kind": "factor", "total_decay": 1.5}, "less than or equal to 1"),
        ({"kind": "multi_factor", "milestones": []}, "at least 1 item"),
        ({"kind": "multi_factor", "milestones": [0.1] * 21}, "at most 20 items"),
        ({"kind": "multi_factor", "milestones": [0.0]}, "greater than 0"),
        ({"kind": "multi_factor", "milestones": [0.5, 1.0]}, "less than 1"),
        ({"kind": "multi_factor", "milestones": [30.0]}, "less than 1"),
        ({"kind": "multi_factor", "milestones": [0.5, 0.5]}, r"strictly increasing, got 0\.5 before 0\.5"),
        ({"kind": "multi_factor", "milestones": [0.75, 0.5]}, r"strictly increasing, got 0\.75 before 0\.5"),
        ({"kind": "multi_factor", "gamma": 1.0}, "less than 1"),
        ({"kind": "polynomial", "power": 0.0}, "greater than 0"),
        ({"kind": "inverse_sqrt", "timescale_fraction": 0.0}, "greater than 0"),
        ({"kind": "plateau", "factor": 1.0}, "less than 1"),
        ({"kind": "plateau", "patience": -1}, "greater than or equal to 0"),
        ({"kind": "plateau", "patience": 2.5}, "valid integer"),
        ({"kind": "plateau", "cooldown": True}, "valid integer"),
        ({"kind": "plateau", "threshold": -1e-4}, "greater than or equal to 0"),
        ({"kind": "plateau", "threshold_mode": "relative"}, "'rel' or 'abs'"),
        ({"kind": "plateau", "mode": "minimize"}, "'min' or 'max'"),
        ({"kind": "warmup", "fraction": 1.0, "then": CONSTANT}, "less than 1"),
        ({"kind": "warmup", "fraction": -0.1, "then": CONSTANT}, "greater than or equal to 0"),
        ({"kind": "warmup", "start_ratio": 2.0, "then": CONSTANT}, "less than or equal to 1"),
        ({"kind": "warmup"}, r"warmup\.then\s+Field required"),
        (
            {"kind": "warmup", "then": {"kind": "warmup", "then": CONSTANT}},
            "a warm-up leads to a schedule that is not a warm-up itself, got 'warmup'",
        ),
    ],
)
def test_a_bad_schedule_is_refused_at_its_place(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SCHEDULE.validate_python(fields)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"peak_lr": 0.0}, r"peak_lr\s+Input should be greater than 0"),
        ({"peak_lr": -1.0}, "greater than 0"),
        ({"peak_lr": math.inf}, "finite number"),
        ({"peak_lr": math.nan}, "finite number"),
        ({"peak_lr": "0.1"}, "valid number"),
        ({"optimizer": {"kind": "lamb"}}, "does not match any of the expected tags: 'sgd'"),
        ({"optimizer": {"kind": "sgd", "momentum": 1.0}}, r"optimizer\.sgd\.momentum\s+Input should be less than 1"),
        ({"optimizer": {"kind": "sgd", "momentum": 0.0, "nesterov": True}}, "nesterov needs a momentum above 0, got 0"),
        ({"optimizer": {"kind": "sgd", "nesterov": 1}}, "valid boolean"),
        ({"optimizer": {"kind": "sgd", "lr": 0.1}}, r"sgd\.lr\s+Extra inputs are not permitted"),
        ({"optimizer": {"kind": "adam", "beta2": 1.0}}, "less than 1"),
        ({"optimizer": {"kind": "adamw", "eps": 0.0}}, "greater than 0"),
        ({"optimizer": {"kind": "adamw", "weight_decay": -1.0}}, "greater than or equal to 0"),
        ({"optimizer": {"kind": "adagrad", "initial_accumulator": -1.0}}, "greater than or equal to 0"),
        ({"optimizer": {"kind": "schedule_free_sgd", "momentum": 0.0}}, "greater than 0"),
        ({"optimizer": {"kind": "muon", "n_iterations": 0}}, "greater than or equal to 1"),
        ({"weight_decay": {"kind": "sine"}}, r"weight_decay\s+Input tag 'sine' found using 'kind' does not match"),
        ({"momentum": {"curve": CONSTANT, "low": 0.0}}, r"momentum\.low\s+Input should be greater than 0"),
        ({"momentum": {"low": 0.85}}, r"momentum\.curve\s+Field required"),
        ({"momentum": 0.9}, "valid dictionary or instance of MomentumCurve"),
        ({"averaging": {}}, "Unable to extract tag using discriminator 'kind'"),
        ({"averaging": {"kind": "ema", "decay": 1.0}}, r"averaging\.ema\.decay\s+Input should be less than 1"),
        ({"averaging": {"kind": "swa", "start_fraction": 1.0}}, "less than 1"),
        (
            {"averaging": {"kind": "swa", "tail": {"kind": "cyclic", "high_ratio": 0.1, "low_ratio": 0.2}}},
            r"a cycle falls from high_ratio to low_ratio, but 0\.1 < 0\.2",
        ),
        ({"averages": {}}, "Extra inputs are not permitted"),
    ],
)
def test_a_bad_recipe_is_refused_at_its_place(fields: dict[str, Any], message: str) -> None:
    good = {"optimizer": {"kind": "sgd"}, "peak_lr": 0.1, "schedule": CONSTANT}
    with pytest.raises(ValidationError, match=message):
        Recipe.model_validate(good | fields)


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="Instance is frozen"):
        Cosine().final_ratio = 0.5  # type: ignore[misc]  # that it is refused is the point


def test_an_update_before_the_first_is_refused() -> None:
    with pytest.raises(ValueError, match="a schedule starts with update 0, got t = -1"):
        Cosine()(-1, 10)


def test_a_run_without_updates_is_refused() -> None:
    with pytest.raises(ValueError, match="a run has at least 1 update, got a horizon of 0"):
        Cosine()(0, 0)


@pytest.mark.parametrize(
    "schedule, horizon, message",
    [
        (Constant(), 0, "the schedule 'constant' needs at least 1 updates, got a horizon of 0"),
        (Cosine(), 1, "the schedule 'cosine' needs at least 2 updates, got a horizon of 1"),
        (InverseSqrt(), 1, "the schedule 'inverse_sqrt' needs at least 2 updates"),
        (
            MultiFactor(milestones=(0.5, 0.52)),
            20,
            r"the milestones 0\.5 and 0\.52 both fall on update 10 of a horizon of 20: they would act as one",
        ),
        (
            MultiFactor(milestones=(0.5, 0.99)),
            20,
            r"the milestone 0\.99 falls past the last update of a horizon of 20: it would never act",
        ),
        (
            Warmup(fraction=0.9, then=Constant()),
            4,
            r"a warm-up of 0\.9 takes all of a horizon of 4: nothing is left for the schedule 'constant'",
        ),
        (
            Warmup(fraction=0.5, then=Cosine()),
            2,
            "after a warm-up of 1 of 2 updates: the schedule 'cosine' needs at least 2 updates, got a horizon of 1",
        ),
    ],
)
def test_a_horizon_that_is_too_short_is_refused(schedule: Schedule, horizon: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        schedule.check(horizon)


def test_a_recipe_refuses_what_its_schedule_refuses() -> None:
    with pytest.raises(ValueError, match="'cosine' needs at least 2 updates"):
        Recipe(optimizer=Sgd(), peak_lr=0.1, schedule=Cosine()).check(1)


def test_a_snippet_for_too_short_a_run_is_refused() -> None:
    with pytest.raises(ValueError, match="'cosine' needs at least 2 updates"):
        torch_snippet(Recipe(optimizer=Sgd(), peak_lr=0.1, schedule=Cosine()), 1)


@pytest.mark.parametrize(
    "low, high, scale, message",
    [
        (1.0, 0.0, "linear", r"finite bounds with low <= high, got 1\.0 to 0\.0"),
        (0.0, math.inf, "linear", "finite bounds"),
        (math.nan, 1.0, "linear", "finite bounds"),
        (0.0, 1.0, "log", r"bounds above 0, got 0\.0 to 1\.0"),
        (0.0, 1.0, "one_minus_log", r"ends below 1, got 0\.0 to 1\.0"),
    ],
)
def test_a_bad_range_is_refused(low: float, high: float, scale: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Range(low, high, scale)


def test_a_default_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the default 2\.0 lies outside the range 0\.0 to 1\.0"):
        Range(0.0, 1.0, default=2.0)


def test_a_position_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a position lies in \[0, 1\], got 1\.5"):
        Range(0.0, 1.0).at(1.5)


def test_a_value_outside_its_range_has_no_position() -> None:
    with pytest.raises(ValueError, match=r"the value 1\.5 lies outside the range 0\.0 to 1\.0"):
        Range(0.0, 1.0).position(1.5)


def test_a_family_refuses_values_that_it_does_not_search() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Cosine.build({"polynomial_power": 2.0})


WITHOUT = ["adagrad", "rmsprop"]


@pytest.mark.parametrize("kind", WITHOUT)
def test_optimizers_whose_momentum_is_not_searched_refuse_one(kind: str) -> None:
    with pytest.raises(ValueError, match=rf"'{kind}' is searched without momentum, got 0\.9"):
        OPTIMIZERS[kind].build(weight_decay=0.0, momentum=0.9)


@pytest.mark.parametrize("kind", [kind for kind in OPTIMIZERS if kind not in WITHOUT])
def test_the_others_refuse_to_be_without_one(kind: str) -> None:
    with pytest.raises(ValueError, match=f"'{kind}' needs a momentum, got none"):
        OPTIMIZERS[kind].build(weight_decay=0.0, momentum=None)


def test_a_momentum_of_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than 1"):
        Adam.build(weight_decay=0.0, momentum=1.0)


def test_a_stored_state_out_of_bounds_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        PlateauState.model_validate({"multiplier": 1.5})


def test_a_curve_of_no_updates_is_refused() -> None:
    with pytest.raises(ValueError, match="got a horizon of 0"):
        svg(Cosine(), 0)


def test_a_curve_of_one_point_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 points, got a limit of 1"):
        points(Cosine(), 10, limit=1)
