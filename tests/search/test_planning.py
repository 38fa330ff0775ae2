"""Planning: what a request may not ask of its task, and what its plan then says."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.choices import PrunerChoice
from search.errors import Unsuitable
from search.planning import EXTERNAL, make_plan
from search.rungs import MOST_SHOWN
from search.study import Plan
from search.tasks.info import standard_options
from tests.search.factories import TASK, a_plan, a_request

MULTI_FACTOR = {"families": ["constant", "multi_factor"]}


@pytest.mark.parametrize(
    "fields, message, where, value",
    [
        (
            {"task_options": {"depth": 3}},
            "task toy has no option 'depth'; its options: width, noise, shape, shuffled",
            ("task_options", "depth"),
            3,
        ),
        ({"task_options": {"width": 65}}, "must be at most 64, not 65", ("task_options", "width"), 65),
        ({"task_options": {"width": 0}}, "must be at least 1, not 0", ("task_options", "width"), 0),
        ({"task_options": {"width": 8.0}}, "must be of type integer, not 8.0", ("task_options", "width"), 8.0),
        ({"task_options": {"width": True}}, "must be of type integer, not True", ("task_options", "width"), True),
        ({"task_options": {"shape": "cube"}}, "must be one of 'ring', 'moon'", ("task_options", "shape"), "cube"),
        ({"task_options": {"shuffled": 1}}, "must be of type boolean, not 1", ("task_options", "shuffled"), 1),
        (
            {"objective": {"metric": "val_f1"}},
            "the task toy has no metric 'val_f1'; it has: val_loss, val_accuracy",
            ("objective", "metric"),
            "val_f1",
        ),
        (
            {"objective": {"metric": "val_accuracy", "direction": "minimize"}},
            "'val_accuracy' of the task toy improves in the direction 'maximize', got 'minimize'",
            ("objective", "direction"),
            "minimize",
        ),
        (
            {"epochs": 3, "space": MULTI_FACTOR},
            (
                "a run of 30 updates is too short for the family 'multi_factor' in this space: it needs 26 updates "
                "after the warm-up, which takes up to 6"
            ),
            ("space", "families", 1),
            "multi_factor",
        ),
        (
            {"epochs": 1, "pruner": {"kind": "median"}, "space": {"families": ["cosine"]}},
            (
                "the pruner 'median' compares trials at an evaluation before the last, but a run of 10 updates is "
                "evaluated only once"
            ),
            ("pruner", "kind"),
            "median",
        ),
        (
            {"pruner": {"kind": "median", "rungs": [0.2, 0.9, 0.5]}},
            "the rungs of a pruner must rise, but 0.5 follows 0.9",
            ("pruner", "rungs", 2),
            0.5,
        ),
        (
            {"pruner": {"kind": "halving", "rungs": [0.5, 0.5]}},
            "the rungs of a pruner must rise, but 0.5 follows 0.5",
            ("pruner", "rungs", 1),
            0.5,
        ),
        (
            {"pruner": {"kind": "halving", "patience": 3}},
            (
                "the pruner 'halving' has no field 'patience': it takes reduction_factor, rescale, rungs, "
                "spare_fraction, start_trials"
            ),
            ("pruner", "patience"),
            3,
        ),
        (
            {"pruner": {"kind": "patient", "rescale": True}},
            "the pruner 'patient' has no field 'rescale': it takes min_delta, patience, spare_fraction",
            ("pruner", "rescale"),
            True,
        ),
        (
            {"pruner": {"kind": "none", "rungs": [0.5]}},
            "the pruner 'none' has no field 'rungs': it takes none",
            ("pruner", "rungs"),
            (0.5,),
        ),
        (
            {"pruner": {"kind": "patient", "patience": 9}},
            (
                "the pruner 'patient' needs more than 10 evaluations to find a trial stalled for 9 of them before its "
                "last, but a run of 100 updates has 10"
            ),
            ("pruner", "patience"),
            9,
        ),
        (
            {"pruner": {"kind": "halving", "rescale": True}, "space": MULTI_FACTOR},
            (
                "a run of 10 updates is too short for the family 'multi_factor' in this space: it needs 26 updates "
                "after the warm-up, which takes up to 2"
            ),
            ("space", "families", 1),
            "multi_factor",
        ),
        (
            {"stall_seconds": 604801},
            "a trial may stand still for at most 604800 s, 7 days, got 604801 s",
            ("stall_seconds",),
            604801,
        ),
    ],
)
def test_a_request_that_its_task_cannot_serve_is_refused(
    fields: dict[str, Any], message: str, where: tuple[str | int, ...], value: object
) -> None:
    with pytest.raises(Unsuitable, match=message) as refused:
        make_plan(a_request(**fields), TASK)
    assert refused.value.where == where
    assert refused.value.value == value


SIZED = TASK.model_copy(
    update={
        "options": standard_options(batch_size=10, train_examples=105),
        "train_examples": 105,
        "batch_size": 10,
    }
)
"""The same task, with a choice of batch size and number of examples."""


@pytest.mark.parametrize(
    "options, sizes, name",
    [
        ({"batch_size": 51, "train_examples": 50}, "a batch_size of 51 and 50 examples", "batch_size"),
        ({"train_examples": 9}, "a batch_size of 10 and 9 examples", "train_examples"),
    ],
)
def test_a_batch_larger_than_what_there_is_to_train_on_is_refused(
    options: dict[str, int], sizes: str, name: str
) -> None:
    with pytest.raises(Unsuitable, match=f"an epoch of the task toy has no update: .* got {sizes}") as refused:
        make_plan(a_request(task_options=options), SIZED)
    assert refused.value.where == ("task_options", name)
    assert refused.value.value == options[name]


@pytest.mark.parametrize(
    "fields, message, where",
    [
        ({"task_options": {}}, "task_options.horizon of an external task: Field required", ("task_options", "horizon")),
        ({"task_options": {"horizon": 0}}, "greater than or equal to 1", ("task_options", "horizon")),
        ({"task_options": {"horizon": "100"}}, "should be a valid integer", ("task_options", "horizon")),
        ({"task_options": {"horizon": 9, "steps": 1}}, "inputs are not permitted", ("task_options", "steps")),
        (
            {"task_options": {"horizon": 9, "metrics": {"loss": "down"}}},
            "should be 'minimize' or 'maximize'",
            ("task_options", "metrics", "loss"),
        ),
        ({"task_options": {"horizon": 9, "metrics": {}}}, "at least 1 item", ("task_options", "metrics")),
        ({"task_options": {"horizon": 9}, "epochs": 3}, "give task_options.horizon, not epochs, got 3", ("epochs",)),
        ({"task_options": {"horizon": 9}}, "too short for the family 'multi_factor'", ("space", "families", 2)),
    ],
)
def test_an_external_request_that_is_not_complete_is_refused(
    fields: dict[str, Any], message: str, where: tuple[str | int, ...]
) -> None:
    with pytest.raises(Unsuitable, match=message) as refused:
        make_plan(a_request(task="external", **fields), EXTERNAL)
    assert refused.value.where == where


def test_a_plan_fills_in_what_the_request_leaves_to_the_task() -> None:
    every_epoch = tuple(range(10, 101, 10))
    assert a_plan(task_options={"width": 16}) == Plan(
        task="toy",
        task_options={"width": 16, "noise": 0.5, "shape": "ring", "shuffled": True},
        horizon=100,
        updates_per_epoch=10,
        evaluate_every=10,
        metric="val_loss",
        direction="minimize",
        at="last",
        rungs=(),
        shown=every_epoch,
    )


@pytest.mark.parametrize(
    "options, updates", [({}, 10), ({"batch_size": 35}, 3), ({"batch_size": 30, "train_examples": 89}, 2)]
)
def test_a_plan_counts_its_epochs_in_the_batches_that_were_chosen(options: dict[str, int], updates: int) -> None:
    plan = make_plan(a_request(task_options=options, epochs=50), SIZED)
    assert (plan.horizon, plan.updates_per_epoch, plan.evaluate_every) == (50 * updates, updates, updates)


def test_a_plan_takes_the_direction_of_the_metric_that_the_request_names() -> None:
    plan = a_plan(objective={"metric": "val_accuracy", "at": "best"}, epochs=7)
    assert (plan.metric, plan.direction, plan.at, plan.horizon) == ("val_accuracy", "maximize", "best", 70)


def test_an_external_task_names_its_own_horizon_metrics_and_evaluations() -> None:
    options = {"horizon": 1003, "evaluations": 10, "metrics": {"error": "minimize", "bleu": "maximize"}}
    plan = make_plan(a_request(task="external", task_options=options), EXTERNAL)
    assert (plan.horizon, plan.evaluate_every, plan.metric, plan.direction) == (1003, 101, "error", "minimize")
    assert plan.shown == (101, 202, 303, 404, 505, 606, 707, 808, 909, 1003)
    assert plan.task_options == options


def test_an_external_task_is_evaluated_twenty_times_unless_it_says_otherwise() -> None:
    plan = make_plan(a_request(task="external", task_options={"horizon": 100}), EXTERNAL)
    assert (plan.metric, plan.evaluate_every, len(plan.shown)) == ("val_loss", 5, 20)


@pytest.mark.parametrize(
    "pruner, rungs",
    [
        ({"kind": "none"}, ()),
        ({"kind": "median"}, (30, 50, 80)),
        ({"kind": "halving"}, (10, 30)),
        ({"kind": "halving", "reduction_factor": 2}, (10, 30, 50)),
        ({"kind": "halving", "reduction_factor": 16}, (10,)),
        ({"kind": "median", "rungs": [0.001, 0.5, 0.52, 0.9, 0.999]}, (10, 50, 90)),
        ({"kind": "hyperband"}, (10, 30)),
        ({"kind": "patient", "patience": 6}, (70, 80, 90)),
    ],
)
def test_rungs_are_evaluations_strictly_inside_the_run(pruner: dict[str, Any], rungs: tuple[int, ...]) -> None:
    plan = a_plan(pruner=pruner)
    assert (plan.rungs, plan.runs, plan.total_updates) == (rungs, (), 100)


def test_a_long_run_is_looked_at_for_patience_at_a_hundred_places_and_shown_evenly() -> None:
    plan = a_plan(epochs=1000, pruner={"kind": "patient"})
    assert len(plan.rungs) == 100
    assert plan.rungs[:2] == (60, 160)
    assert plan.shown == tuple(range(500, 10_001, 500))


def test_a_request_that_spells_out_the_defaults_of_other_pruners_is_taken() -> None:
    assert a_plan(pruner=PrunerChoice(kind="patient").model_dump()).rungs == (60, 70, 80, 90)


def test_rescaled_rungs_are_whole_runs_and_updates_count_on_over_them() -> None:
    plan = a_plan(pruner={"kind": "halving", "rescale": True}, space={"families": ["cosine"]})
    assert (plan.runs, plan.rungs, plan.total_updates) == ((10, 30, 100), (10, 40), 140)
    assert plan.shown == (10, 40, 70, 80, 90, 100, 110, 120, 130, 140)


def test_rungs_are_among_the_points_that_are_shown() -> None:
    plan = a_plan(epochs=57, pruner={"kind": "median", "rungs": [0.1, 0.12, 0.5]})
    assert plan.rungs == (60, 70, 290)
    assert set(plan.rungs) < set(plan.shown)


fractions = st.floats(0.001, 0.999)


@given(st.integers(1, 3000), st.integers(1, 50), st.lists(fractions, min_size=1, max_size=20))
def test_points_and_rungs_of_any_run_are_evaluations_in_order(epochs: int, every: int, places: list[float]) -> None:
    info = TASK.model_copy(update={"updates_per_epoch": every})
    pruner = PrunerChoice(kind="median", rungs=tuple(sorted(set(places)))) if epochs > 1 else PrunerChoice()
    request = a_request(epochs=epochs, pruner=pruner, space={"families": ["constant", "plateau"]})
    if epochs * every == 1:
        with pytest.raises(Unsuitable, match="too short for the family 'constant'"):
            make_plan(request, info)
        return
    plan = make_plan(request, info)
    assert all(earlier < later for points in (plan.rungs, plan.shown) for earlier, later in pairwise(points))
    assert all(update % every == 0 for update in (*plan.rungs, *plan.shown))
    assert all(0 < rung < plan.horizon for rung in plan.rungs)
    assert plan.shown[-1] == plan.horizon
    assert len(plan.shown) == min(MOST_SHOWN, epochs)
    assert set(plan.rungs[: MOST_SHOWN - 1]) <= set(plan.shown)
    gaps = [later - earlier for earlier, later in pairwise((0, *plan.shown))]
    assert bool(plan.rungs) or max(gaps) <= every * (epochs // len(plan.shown) + 1)
