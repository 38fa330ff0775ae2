"""Families of a space that bring a warm-up of their own, and parameters that are held unless a study opens them."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FixedTrial
from pydantic import ValidationError

from schedules import Cosine, Cyclic, OneCycle, Restarts, Warmup
from search.errors import Unsuitable
from search.planning import make_plan
from search.space import Space, suggest
from tests.search.factories import TASK, a_request

MIDDLE = {"lr_position": 0.5, "weight_decay_position": 0.5, "momentum_position": 0.5, "warmup_fraction": 0.1}
RISING = {"one_cycle_rise_fraction": 0.3, "one_cycle_start_ratio": 0.04, "final_ratio": 1e-3}
CYCLES = {"cyclic_base_ratio": 0.2, "cyclic_rise_fraction": 0.1, "cyclic_total_decay": 1.0}


def test_a_warmup_range_that_no_family_of_the_space_takes_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"ranges.warmup_fraction: no family of this space has it"):
        Space.model_validate({"families": ["one_cycle"], "ranges": {"warmup_fraction": {"low": 0, "high": 0.1}}})


@pytest.mark.parametrize(
    "family, values, schedule",
    [
        ("one_cycle", RISING, OneCycle(final_ratio=1e-3)),
        ("cyclic", CYCLES, Cyclic(base_ratio=0.2, mode="exp_range", total_decay=1.0)),
    ],
)
def test_a_family_that_rises_by_itself_is_put_under_no_warmup_and_given_the_shared_fraction(
    family: str, values: dict[str, float], schedule: object
) -> None:
    trial = FixedTrial({"plan": f"sgd+{family}", **MIDDLE, **values})
    assert suggest(Space(families=("cosine", family)), trial, "minimize").schedule == schedule
    assert "warmup_fraction" in trial.distributions


def test_a_space_of_families_that_rise_by_themselves_draws_no_warmup() -> None:
    space = Space(families=("one_cycle", "cyclic"))
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    suggest(space, trial, "minimize")
    assert "warmup_fraction" not in trial.distributions


def test_restarts_of_a_cosine_are_searched_like_a_family() -> None:
    values = {"restarts_cycles": 3.0, "restarts_t_mult": 2.0, "restarts_peak_decay": 0.5, "final_ratio": 0.01}
    trial = FixedTrial({"plan": "sgd+restarts", **MIDDLE, **values})
    inner = Restarts(cycles=3, t_mult=2.0, peak_decay=0.5, then=Cosine(final_ratio=0.01))
    assert suggest(Space(families=("restarts",)), trial, "minimize").schedule == Warmup(fraction=0.1, then=inner)


def test_a_parameter_held_at_one_value_is_searched_where_a_study_gives_it_bounds() -> None:
    opened = Space.model_validate({"families": ["cosine"], "ranges": {"cosine_k_decay": {"low": 0.5, "high": 3}}})
    drawn = {"plan": "sgd+cosine", **MIDDLE, "final_ratio": 0.01}
    held, searched = FixedTrial(drawn), FixedTrial({**drawn, "cosine_k_decay": 2.0})
    suggest(Space(families=("cosine",)), held, "minimize")
    schedule = suggest(opened, searched, "minimize").schedule
    assert "cosine_k_decay" not in held.distributions
    assert searched.distributions["cosine_k_decay"] == FloatDistribution(0.5, 3.0, log=True)
    assert schedule == Warmup(fraction=0.1, then=Cosine(final_ratio=0.01, k_decay=2.0))


@pytest.mark.parametrize(
    "family, ranges, shortest",
    [
        ("step", {"step_drops": {"low": 1, "high": 60}}, 61),
        ("restarts", {"restarts_cycles": {"low": 2, "high": 20}, "restarts_t_mult": {"low": 1, "high": 1}}, 60),
        ("cyclic", {"cyclic_rise_fraction": {"low": 0.01, "high": 0.2}}, 101),
        ("one_cycle", {"one_cycle_rise_fraction": {"low": 0.1, "high": 0.98}}, 125),
        ("wsd", {"decay_fraction": {"low": 0.01, "high": 0.2}}, 200),
    ],
)
def test_a_run_too_short_for_what_a_space_may_draw_is_refused(
    family: str, ranges: dict[str, dict[str, float]], shortest: int
) -> None:
    if family in ("step", "restarts", "wsd"):
        ranges = {**ranges, "warmup_fraction": {"low": 0, "high": 0}}
    space = Space.model_validate({"families": [family], "ranges": ranges})
    with pytest.raises(Unsuitable, match=f"too short for the family '{family}' in this space: it needs {shortest} upd"):
        make_plan(a_request(space=space, epochs=1), TASK)
