"""Every optimizer in a run: the same as the library's own, stepped in a plain loop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import lion_pytorch
import pytest
import schedulefree
from torch import Tensor, nn, optim
from torch.optim import Optimizer

from schedules import OPTIMIZERS, Constant, Cosine, Warmup
from search.errors import Unsuitable
from search.protocol import Completed
from search.training.loop import train
from tests.training.toys import Line, Watcher, a_recipe, an_assignment, datasets
from tests.training.twin import Layers, Normed, by_hand, loaded, losses

Make = Callable[[nn.Module], Sequence[Optimizer]]


def _muon(model: nn.Module) -> Sequence[Optimizer]:
    weights = list(model.parameters())
    return [
        optim.Muon([weights[2]], lr=1.0, weight_decay=0.05, momentum=0.9, adjust_lr_fn="match_rms_adamw"),
        optim.AdamW([*weights[:2], *weights[3:]], lr=1.0, betas=(0.9, 0.95), weight_decay=0.05),
    ]


LIBRARY: dict[str, tuple[dict[str, Any], Make]] = {
    "sgd": (
        {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
        lambda model: [optim.SGD(model.parameters(), 1.0, momentum=0.8, nesterov=True, weight_decay=0.01)],
    ),
    "adagrad": (
        {"initial_accumulator": 0.1, "weight_decay": 0.01},
        lambda model: [optim.Adagrad(model.parameters(), 1.0, initial_accumulator_value=0.1, weight_decay=0.01)],
    ),
    "rmsprop": (
        {"alpha": 0.9, "momentum": 0.5, "centered": True, "weight_decay": 0.01},
        lambda model: [
            optim.RMSprop(model.parameters(), 1.0, alpha=0.9, momentum=0.5, centered=True, weight_decay=0.01)
        ],
    ),
    "adam": (
        {"beta1": 0.8, "weight_decay": 0.01},
        lambda model: [optim.Adam(model.parameters(), 1.0, betas=(0.8, 0.999), weight_decay=0.01)],
    ),
    "adamw": (
        {"beta1": 0.8, "weight_decay": 0.1},
        lambda model: [optim.AdamW(model.parameters(), 1.0, betas=(0.8, 0.999), weight_decay=0.1)],
    ),
    "nadam": (
        {"beta1": 0.8, "decoupled": True, "momentum_decay": 0.01, "weight_decay": 0.1},
        lambda model: [
            optim.NAdam(
                model.parameters(),
                1.0,
                betas=(0.8, 0.999),
                weight_decay=0.1,
                momentum_decay=0.01,
                decoupled_weight_decay=True,
            )
        ],
    ),
    "adamax": (
        {"beta2": 0.99, "weight_decay": 0.01},
        lambda model: [optim.Adamax(model.parameters(), 1.0, betas=(0.9, 0.99), weight_decay=0.01)],
    ),
    "lion": (
        {"beta1": 0.8, "weight_decay": 0.1},
        lambda model: [lion_pytorch.Lion(model.parameters(), 1.0, betas=(0.8, 0.99), weight_decay=0.1)],
    ),
    "muon": ({"momentum": 0.9, "weight_decay": 0.05}, _muon),
    "schedule_free_sgd": (
        {"momentum": 0.8, "weight_decay": 0.01},
        lambda model: [schedulefree.SGDScheduleFree(model.parameters(), 1.0, momentum=0.8, weight_decay=0.01)],
    ),
    "schedule_free_adamw": (
        {"beta1": 0.95, "weight_decay": 0.1},
        lambda model: [schedulefree.AdamWScheduleFree(model.parameters(), 1.0, betas=(0.95, 0.999), weight_decay=0.1)],
    ),
}
"""What a recipe says of each optimizer, and the library's own with the same constants; rates are written later."""


def _recipe(kind: str, fields: dict[str, Any]) -> Any:
    schedule = Constant() if OPTIMIZERS[kind].is_schedule_free else Cosine()
    return a_recipe(Warmup(fraction=0.2, then=schedule), peak_lr=0.02, kind=kind, **fields)


# refusals


def test_muon_is_refused_for_a_model_without_a_hidden_matrix() -> None:
    assignment = an_assignment(a_recipe(kind="muon"))
    with pytest.raises(Unsuitable, match=r"task line cannot be trained with muon: .* of these 2 weights none") as no:
        train(Line(), assignment, Watcher(), datasets())
    assert no.value.where == ("recipe", "optimizer")


@pytest.mark.parametrize(
    "kind, module, package",
    [
        ("lion", "lion_pytorch.foreach", "lion-pytorch"),
        ("schedule_free_sgd", "schedulefree", "schedulefree"),
        ("schedule_free_adamw", "schedulefree", "schedulefree"),
    ],
)
def test_an_optimizer_whose_library_is_missing_says_what_to_install(
    kind: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Unsuitable, match=f"the optimizer '{kind}' needs the package {package}, .* install etude"):
        train(Layers(), an_assignment(a_recipe(kind=kind)), Watcher(), datasets())


def test_a_schedule_free_optimizer_with_another_schedule_is_refused_before_any_update() -> None:
    watcher = Watcher()
    with pytest.raises(Unsuitable, match="takes a constant schedule, under a warm-up or not, and no 'cosine'"):
        train(Layers(), an_assignment(a_recipe(Cosine(), kind="schedule_free_sgd")), watcher, datasets())
    assert watcher.update == 0


# the same as the library's


def test_there_is_a_twin_for_every_optimizer() -> None:
    assert set(LIBRARY) == set(OPTIMIZERS)


@pytest.mark.parametrize("kind", LIBRARY)
def test_a_run_equals_a_plain_loop_with_the_librarys_optimizer(kind: str) -> None:
    fields, make = LIBRARY[kind]
    assignment = an_assignment(_recipe(kind, fields))
    watcher = Watcher()
    outcome = train(Layers(), assignment, watcher, datasets())
    kept = by_hand(Layers(), assignment, make)
    theirs = [losses(Layers(), loaded(Layers(), assignment, kept[done])) for done in (10, 20, 30)]
    assert watcher.curve("val_loss") == pytest.approx([validation for validation, _ in theirs], rel=1e-10)
    assert isinstance(outcome, Completed)
    assert outcome.test_metrics["test_loss"] == pytest.approx(theirs[-1][1], rel=1e-10)


@pytest.mark.parametrize("kind", LIBRARY)
def test_the_same_recipe_gives_the_same_numbers_twice(kind: str) -> None:
    assignment = an_assignment(_recipe(kind, LIBRARY[kind][0]))
    first, second = Watcher(), Watcher()
    train(Layers(), assignment, first, datasets())
    train(Layers(), assignment, second, datasets())
    assert first.points == second.points


# schedule-free


@pytest.mark.parametrize("kind", ["schedule_free_sgd", "schedule_free_adamw"])
@pytest.mark.parametrize("task", [Layers(), Normed()], ids=["plain", "batch norm"])
def test_how_often_a_schedule_free_run_is_evaluated_does_not_change_it(kind: str, task: Line) -> None:
    recipe = _recipe(kind, LIBRARY[kind][0])
    seldom, often = Watcher(), Watcher()
    train(task, an_assignment(recipe, evaluate_every=30), seldom, datasets())
    train(task, an_assignment(recipe, evaluate_every=1), often, datasets())
    assert seldom.curve("val_loss")[-1] == often.curve("val_loss")[-1]


# muon


def test_a_task_may_name_the_matrices_that_muon_takes() -> None:
    class Named(Layers):
        def hidden_matrices(self, model: nn.Module) -> Iterable[Tensor]:
            return [next(model.parameters())]

    def make(model: nn.Module) -> Sequence[Optimizer]:
        first, *rest = model.parameters()
        return [
            optim.Muon([first], lr=1.0, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
            optim.AdamW(rest, lr=1.0, betas=(0.9, 0.95), weight_decay=0.1),
        ]

    assignment = an_assignment(a_recipe(kind="muon", peak_lr=0.02))
    watcher = Watcher()
    train(Named(), assignment, watcher, datasets())
    kept = by_hand(Layers(), assignment, make)
    expected, _ = losses(Layers(), loaded(Layers(), assignment, kept[30]))
    assert watcher.curve("val_loss")[-1] == pytest.approx(expected, rel=1e-10)
