"""Schedules read from torch's schedulers, compared with them at every update; what cannot be read, and optimizers."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import optim
from torch.optim import lr_scheduler as theirs

from schedules import Adam, AdamW, Cosine, Cyclic, OneCycle, Plateau, Recipe, Restarts, Sgd, Step, Warmup
from schedules.reading import NotExact, read_optimizer, read_recipe, read_torch, read_torch_state
from schedules.torch import build_optimizer
from tests.schedules.torch_traces import Make, assert_read_as, constructed, optimizer_at

EXACT: dict[str, tuple[Make, int]] = {
    "constant, its default": (theirs.ConstantLR, 30),
    "constant for one update": (lambda o: theirs.ConstantLR(o, factor=0.5, total_iters=1), 30),
    "constant to the end": (lambda o: theirs.ConstantLR(o, factor=0.5, total_iters=99), 30),
    "constant from the start": (lambda o: theirs.ConstantLR(o, factor=0.5, total_iters=0), 30),
    "linear, its default": (theirs.LinearLR, 30),
    "linear fall": (lambda o: theirs.LinearLR(o, 1.0, 0.1, 30), 30),
    "linear, cut off": (lambda o: theirs.LinearLR(o, 0.2, 0.9, 70), 30),
    "exponential": (lambda o: theirs.ExponentialLR(o, 0.9), 300),
    "step, evenly": (lambda o: theirs.StepLR(o, 10, 0.5), 30),
    "step, unevenly": (lambda o: theirs.StepLR(o, 7, 0.5), 30),
    "step, never": (lambda o: theirs.StepLR(o, 70, 0.5), 30),
    "milestones": (lambda o: theirs.MultiStepLR(o, [5, 20, 40], 0.1), 30),
    "milestones twice and at the start": (lambda o: theirs.MultiStepLR(o, [0, 5, 5, 5, 9], 0.5), 30),
    "milestones between updates": (lambda o: theirs.MultiStepLR(o, cast(Any, [2.5, 4.0]), 0.5), 30),
    "polynomial": (lambda o: theirs.PolynomialLR(o, 30, 2.0), 30),
    "polynomial, then 0": (lambda o: theirs.PolynomialLR(o, 20, 0.9), 30),
    "polynomial line, cut off": (lambda o: theirs.PolynomialLR(o, 70, 1.0), 30),
    "cosine": (lambda o: theirs.CosineAnnealingLR(o, 30, 0.01), 30),
    "cosine, down and up": (lambda o: theirs.CosineAnnealingLR(o, 10, 0.01), 40),
    "restarts": (lambda o: theirs.CosineAnnealingWarmRestarts(o, 10, 1, 0.05), 30),
    "restarts, longer and cut off": (lambda o: theirs.CosineAnnealingWarmRestarts(o, 5, 2), 30),
    "one cycle": (lambda o: theirs.OneCycleLR(o, 0.7, total_steps=30, pct_start=0.3), 30),
    "one cycle, one longer": (lambda o: theirs.OneCycleLR(o, 0.7, total_steps=31, pct_start=11 / 31), 30),
    "one cycle, three phases": (
        lambda o: theirs.OneCycleLR(o, 0.7, total_steps=40, pct_start=0.25, three_phase=True, anneal_strategy="linear"),
        40,
    ),
    "one cycle without momentum": (lambda o: theirs.OneCycleLR(o, 0.7, total_steps=30, cycle_momentum=False), 30),
    "cycles": (lambda o: theirs.CyclicLR(o, 0.1, 0.7, step_size_up=4), 30),
    "one whole cycle": (lambda o: theirs.CyclicLR(o, 0.1, 0.7, step_size_up=10, step_size_down=20), 30),
    "cycles that halve": (
        lambda o: theirs.CyclicLR(o, 0.1, 0.7, 3, 5, mode="triangular2", cycle_momentum=False),
        30,
    ),
    "cycles that shrink": (
        lambda o: theirs.CyclicLR(o, 0.1, 0.7, 3, mode="exp_range", gamma=0.99, cycle_momentum=False),
        30,
    ),
    "warm-up, then cosine": (
        lambda o: theirs.SequentialLR(o, [theirs.LinearLR(o, 0.1, 1.0, 5), theirs.CosineAnnealingLR(o, 25, 0.01)], [5]),
        30,
    ),
    "warm-up that ends at the peak": (
        lambda o: theirs.SequentialLR(o, [theirs.LinearLR(o, 0.25, 1.0, 4), theirs.ExponentialLR(o, 0.9)], [5]),
        30,
    ),
    "three in turn": (
        lambda o: theirs.SequentialLR(
            o, [theirs.LinearLR(o, 0.1, 1.0, 5), theirs.ConstantLR(o, 1.0), theirs.PolynomialLR(o, 10, 1.0)], [5, 20]
        ),
        30,
    ),
    "a second that never comes": (
        lambda o: theirs.SequentialLR(o, [theirs.StepLR(o, 10), theirs.ConstantLR(o)], [50]),
        30,
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_a_scheduler_is_read_exactly(name: str) -> None:
    assert_read_as(*EXACT[name])


@pytest.mark.parametrize(
    "name, expected",
    [
        ("step, evenly", Step(drops=2, gamma=0.5)),
        ("cosine", Cosine(final_ratio=0.02)),
        ("one cycle, one longer", OneCycle(rise_fraction=1 / 3, start_ratio=0.04, final_ratio=4e-6)),
        ("cycles", Cyclic(base_ratio=1 / 7, rise_fraction=4 / 30)),
        ("restarts, longer and cut off", Restarts(first_fraction=5 / 30, t_mult=2.0)),
        ("warm-up that ends at the peak", None),
    ],
)
def test_a_scheduler_is_read_as_the_family_that_it_is(name: str, expected: Any) -> None:
    reading = assert_read_as(*EXACT[name])
    if expected is None:
        assert isinstance(reading.schedule, Warmup)
    else:
        assert reading.schedule.summary() == expected.summary()


REFUSED: dict[str, tuple[Make, int, str]] = {
    "function": (lambda o: theirs.LambdaLR(o, lambda t: 1.0), 30, "LambdaLR holds a function"),
    "unknown": (lambda o: theirs.ChainedScheduler([theirs.StepLR(o, 3)], o), 30, "is none of the schedulers"),
    "rising": (lambda o: theirs.ExponentialLR(o, 1.1), 30, r"multiplied by 1\.1 at every update does not fall"),
    "underflow": (lambda o: theirs.ExponentialLR(o, 0.1), 400, "below what a float holds exactly"),
    "gamma above 1": (lambda o: theirs.StepLR(o, 3, 2.0), 30, r"multiplied by 2\.0 does not drop"),
    "many drops": (
        lambda o: theirs.StepLR(o, 7, 0.9),
        300,
        "up to 20 drops have places of their own, and there are 42",
    ),
    "polynomial, cut off": (lambda o: theirs.PolynomialLR(o, 70, 2.0), 30, "falls for 70 updates, of which this run"),
    "cosine, cut off": (lambda o: theirs.CosineAnnealingLR(o, 70), 30, "falls for 70 updates, of which this run"),
    "cosine, half a wave": (lambda o: theirs.CosineAnnealingLR(o, 20), 30, "climbs again after 20 updates"),
    "cosine, rising": (
        lambda o: theirs.CosineAnnealingLR(o, 30, 0.9),
        30,
        "but eta_min is 0.9 where the peak rate is 0.5",
    ),
    "restarts, cut off": (lambda o: theirs.CosineAnnealingWarmRestarts(o, 40), 30, "the first cycle takes 40 updates"),
    "restarts at every update": (lambda o: theirs.CosineAnnealingWarmRestarts(o, 1), 30, "in cycle 1"),
    "one cycle, another run": (lambda o: theirs.OneCycleLR(o, 0.7, total_steps=60), 30, "for a run of 60 updates"),
    "one cycle, between": (lambda o: theirs.OneCycleLR(o, 0.7, total_steps=31), 31, "turns between two updates"),
    "cycles, cut off": (lambda o: theirs.CyclicLR(o, 0.1, 0.7, 40), 30, "the first cycle takes 80.0 updates"),
    "momentum that halves": (lambda o: theirs.CyclicLR(o, 0.1, 0.7, 3, mode="triangular2"), 30, "cycle_momentum=False"),
    "scale_fn": (
        lambda o: theirs.CyclicLR(o, 0.1, 0.7, 3, scale_fn=lambda x: 0.5),
        30,
        "a function of its own, scale_fn",
    ),
    "constant, 0": (lambda o: theirs.ConstantLR(o, factor=0.0), 30, "it divides by its factor"),
    "ends at 0": (lambda o: theirs.PolynomialLR(o, 29), 30, "its decay ends one update before the run"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_exact_is_refused_in_a_sentence(name: str) -> None:
    make, n_updates, sentence = REFUSED[name]
    _, scheduler = constructed(make, 0.5)
    with pytest.raises(NotExact, match=sentence):
        read_torch(scheduler, n_updates)


def test_groups_of_several_rates_are_refused() -> None:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, 0.2)]
    with pytest.raises(NotExact, match=r"a recipe has one rate, but the groups of the optimizer have \[0\.1, 0\.2\]"):
        read_torch(theirs.StepLR(optim.SGD(groups), 3), 30)


def test_a_state_of_another_scheduler_is_refused() -> None:
    with pytest.raises(NotExact, match="this is not the state of a CosineAnnealingLR: it has no 'T_max'"):
        read_torch_state("CosineAnnealingLR", theirs.StepLR(optimizer_at(0.5), 3).state_dict(), 30)


def test_a_one_cycle_without_its_group_is_refused() -> None:
    state = theirs.OneCycleLR(optimizer_at(0.5), 0.7, total_steps=30).state_dict()
    with pytest.raises(NotExact, match="keeps its rates in the optimizer's groups: give one as group"):
        read_torch_state("OneCycleLR", state, 30)


def test_a_plateau_that_has_dropped_does_not_tell_where_it_began() -> None:
    scheduler = theirs.ReduceLROnPlateau(optimizer_at(0.5))
    scheduler.step(1.0)
    with pytest.raises(NotExact, match="does not keep the rate that it began with: give it as peak_lr"):
        read_torch_state("ReduceLROnPlateau", scheduler.state_dict(), 30)


@pytest.mark.parametrize("name", EXACT)
def test_a_saved_state_is_read_as_the_scheduler_is(name: str) -> None:
    make, n_updates = EXACT[name]
    optimizer, scheduler = constructed(make, 0.5)
    state, group = scheduler.state_dict(), optimizer.state_dict()["param_groups"][0]
    read = read_torch_state(type(scheduler).__name__, state, n_updates, group=group)
    assert read == read_torch(scheduler, n_updates)


def test_a_plateau_says_when_it_is_exact() -> None:
    reading = read_torch(theirs.ReduceLROnPlateau(optimizer_at(0.5), threshold_mode="rel"), 100)
    assert isinstance(reading.schedule, Plateau)
    assert [condition.split(":")[0] for condition in reading.conditions] == [
        "exact while no reading is infinite",
        "exact while no reading is negative",
    ]
    absolute = read_torch(theirs.ReduceLROnPlateau(optimizer_at(0.5), threshold_mode="abs"), 100)
    assert len(absolute.conditions) == 1


@pytest.mark.parametrize(
    "optimizer, expected",
    [
        (
            lambda w: optim.SGD(w, lr=0.1, momentum=0.8, nesterov=True, weight_decay=1e-3),
            Sgd(momentum=0.8, nesterov=True, weight_decay=1e-3),
        ),
        (lambda w: optim.Adam(w, lr=0.1, betas=(0.8, 0.99)), Adam(beta1=0.8, beta2=0.99)),
        (lambda w: optim.AdamW(w, lr=0.1, weight_decay=0.2), AdamW(weight_decay=0.2)),
    ],
)
def test_an_optimizer_is_read_with_its_constants(optimizer: Any, expected: Any) -> None:
    assert read_optimizer(optimizer([torch.nn.Parameter(torch.zeros(1))])) == expected


@pytest.mark.parametrize(
    "cls", [optim.SGD, optim.Adagrad, optim.RMSprop, optim.Adam, optim.AdamW, optim.NAdam, optim.Adamax]
)
def test_an_optimizer_that_was_built_is_read_back(cls: Any) -> None:
    weights = [torch.nn.Parameter(torch.zeros(1))]
    value = read_optimizer(cls(weights, lr=0.1))
    assert read_optimizer(build_optimizer(value, weights, lr=0.1)) == value


@pytest.mark.parametrize(
    "make, sentence",
    [
        (optim.Rprop, "Rprop is none of the optimizers that are read"),
        (lambda w: optim.SGD(w, lr=0.1, momentum=0.9, dampening=0.1), r"this SGD has dampening = 0\.1"),
        (lambda w: optim.Adam(w, amsgrad=True), "this Adam has amsgrad = True"),
    ],
)
def test_an_optimizer_that_does_more_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(NotExact, match=sentence):
        read_optimizer(make([torch.nn.Parameter(torch.zeros(1))]))


def test_a_scheduler_and_its_optimizer_are_read_as_a_recipe() -> None:
    optimizer = optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.1, weight_decay=0.2)
    scheduler = theirs.OneCycleLR(optimizer, 0.7, total_steps=31, pct_start=11 / 31)
    recipe, _ = read_recipe(scheduler, 30)
    assert recipe.optimizer == AdamW(beta1=0.95, weight_decay=0.2)
    assert recipe.peak_lr == 0.7
    assert recipe.momentum is not None
    assert recipe.momentum.low == 0.85
    assert recipe.momentum.curve == OneCycle(rise_fraction=1 / 3).mirrored()
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe
