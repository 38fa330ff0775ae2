"""The rule of every optimizer, for several lanes at once: the library's, to the last bits."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from schedules import OPTIMIZERS, Cosine, MomentumCurve, Recipe, Sgd
from schedules.torch import build_optimizer, hidden_matrices
from search.training.lanes.demands import Demands
from search.training.lanes.layout import Layout
from search.training.lanes.rules import Matrix, rule_of
from search.training.rate import Pilot
from tests.training.lanes.runs import CONSTANTS, recipe_of
from tests.training.twin import Layers

HORIZON = 12
N_LANES = 10
N_ROUNDS = 20
N_UPDATES = 3

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{kind: (kind, {}) for kind in CONSTANTS},
    "sgd without momentum": ("sgd", {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}),
    "sgd with plain momentum": ("sgd", {"nesterov": False}),
    "rmsprop without momentum": ("rmsprop", {"momentum": 0.0, "centered": False}),
    "nadam with coupled decay": ("nadam", {"decoupled": False}),
    "adamw without decay": ("adamw", {"weight_decay": 0.0}),
    "muon without nesterov": ("muon", {"nesterov": False}),
}


class Wide(nn.Module):
    """A hidden matrix for Muon's batched product, and one too small for it."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 8, 12, 5, 2)
        self.layers = nn.ModuleList(nn.Linear(i, o, dtype=torch.float64) for i, o in pairwise(widths))
        self.scale = nn.Parameter(torch.ones((), dtype=torch.float64))


def _recipes(kind: str, fields: dict[str, Any], generator: np.random.Generator) -> list[Recipe]:
    """Random constants for each lane; what decides which operations there are is the same for all."""
    found = []
    for _ in range(N_LANES):
        recipe = recipe_of(kind, Cosine(), peak_lr=10 ** generator.uniform(-4, -1))
        drawn = {**recipe.optimizer.model_dump(), **fields}
        for name in ("momentum", "beta1", "beta2", "alpha"):
            if drawn.get(name):
                drawn[name] = generator.uniform(0.5, 0.99)
        if drawn["weight_decay"]:
            drawn["weight_decay"] = 10 ** generator.uniform(-4, -1)
        found.append(Recipe.model_validate({**recipe.model_dump(), "optimizer": drawn}))
    return found


def _alone(recipe: Recipe, weights: Tensor, gradients: list[Tensor], layout: Layout) -> list[Tensor]:
    """The rows of one model under the library's optimizer, update by update."""
    model = Wide()
    row = layout.lend(model)
    row.copy_(weights)
    optimizer = build_optimizer(recipe.optimizer, model.parameters(), recipe.peak_lr, hidden=hidden_matrices(model))
    pilot = Pilot(optimizer, recipe, HORIZON)
    if hasattr(optimizer, "train"):
        optimizer.train()
    rows = []
    for update, gradient in enumerate(gradients):
        for weight, part in zip(model.parameters(), layout.views(gradient.unsqueeze(0)), strict=True):
            weight.grad = part[0].clone()
        pilot.step(update)
        rows.append(row.clone())
    return rows


def _matrices(layout: Layout) -> list[Matrix]:
    model = Wide()
    hidden = {id(matrix) for matrix in hidden_matrices(model)}
    weights = zip(layout.starts, model.parameters(), strict=True)
    return [Matrix(start, (weight.shape[0], weight.shape[1])) for start, weight in weights if id(weight) in hidden]


def _together(recipes: list[Recipe], weights: Tensor, gradients: list[Tensor], layout: Layout) -> list[Tensor]:
    """The rows of all lanes under one rule, update by update."""
    (rule,) = {rule_of(recipe.optimizer, _matrices(layout)) for recipe in recipes}
    rows = weights.clone()
    slots = [torch.zeros_like(rows) for _ in range(rule.n_slots)]
    tables = []
    for lane, recipe in enumerate(recipes):
        rule.start(recipe.optimizer, rows[lane], [slot[lane] for slot in slots])
        memory, parts = rule.begins, []
        for first, last in ((0, 1), (1, N_UPDATES)):
            columns, memory = rule.columns(recipe.optimizer, Demands(recipe, HORIZON).course(first, last), memory)
            parts.append(np.stack([np.broadcast_to(column, last - first) for column in columns], axis=1))
        tables.append(torch.from_numpy(np.concatenate(parts)))
    table = torch.stack(tables)
    seen = []
    for update, gradient in enumerate(gradients):
        at = table[:, update].unsqueeze(2).unbind(1)
        rule.update(rows, gradient.clone(), slots, torch.full_like(rows, 7.0), at)
        seen.append(rows.clone())
    return seen


def _largest_gaps(variant: str) -> list[float]:
    """How far lanes are from the library after each update, as a share of the largest weight."""
    kind, fields = VARIANTS[variant]
    generator = np.random.default_rng(3)
    layout = Layout(Wide())
    gaps = []
    for number in range(N_ROUNDS):
        torch.manual_seed(number)
        recipes = _recipes(kind, fields, generator)
        weights = torch.randn(N_LANES, layout.width, dtype=torch.float64)
        gradients = [torch.randn_like(weights) for _ in range(N_UPDATES)]
        found = _together(recipes, weights, gradients, layout)
        for lane, recipe in enumerate(recipes):
            expected = _alone(recipe, weights[lane], [gradient[lane] for gradient in gradients], layout)
            for after, row in zip(found, expected, strict=True):
                apart = (after[lane, : layout.used] - row[: layout.used]).abs().max()
                gaps.append(float(apart / row.abs().max()))
    return gaps


def test_there_are_constants_for_every_optimizer() -> None:
    assert set(CONSTANTS) == set(OPTIMIZERS)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if not name.startswith("muon")])
def test_an_update_in_lanes_is_the_librarys_from_200_random_states(variant: str) -> None:
    assert max(_largest_gaps(variant)) <= 1e-12


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name.startswith("muon")])
def test_an_update_of_muon_is_the_librarys_up_to_a_bit_of_bfloat16_now_and_then(variant: str) -> None:
    gaps = _largest_gaps(variant)
    assert np.quantile(gaps, 0.9) <= 1e-12
    assert max(gaps) <= 2.0**-8 * 0.1


def test_curves_drive_the_constants_of_a_lane() -> None:
    curves = {"weight_decay": Cosine(), "momentum": MomentumCurve(low=0.5, curve=Cosine())}
    for kind in ("sgd", "adamw", "nadam", "adamax", "lion", "muon"):
        recipe = recipe_of(kind, Cosine()).model_copy(update=curves)
        course = Demands(recipe, HORIZON).course(2, 9)
        for number, t in enumerate(range(2, 9)):
            assert course.rates[number] == pytest.approx(recipe.rate(t, HORIZON), abs=1e-15 * recipe.peak_lr)
            assert course.decays[number] == pytest.approx(recipe.weight_decay_at(t, HORIZON), rel=1e-14)
            assert course.momenta[number] == pytest.approx(recipe.momentum_at(t, HORIZON), rel=1e-14)


def test_lanes_share_a_rule_only_if_their_operations_are_the_same() -> None:
    same = rule_of(Sgd(momentum=0.5, nesterov=True, weight_decay=0.1), [])
    assert rule_of(Sgd(momentum=0.9, nesterov=True, weight_decay=0.2), []) == same
    assert rule_of(Sgd(momentum=0.9, nesterov=False, weight_decay=0.2), []) != same


def test_a_row_is_a_multiple_of_the_vector_instructions_and_holds_every_weight() -> None:
    model = Layers().model({})
    layout = Layout(model)
    row = layout.row(model)
    assert (layout.used, layout.width % 64) == (sum(weight.numel() for weight in model.parameters()), 0)
    for view, weight in zip(layout.views(row.unsqueeze(0)), model.parameters(), strict=True):
        assert torch.equal(view[0], weight)
