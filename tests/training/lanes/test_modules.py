"""Dropout in lanes: a mask is the lane's own, whoever its neighbours are and whenever it came."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from schedules import Cosine
from search.training.lanes.modules import KEY, prepare
from tests.training.lanes.runs import alone, in_lanes, numbered, recipe_of
from tests.training.toys import Line


class Noisy(Line):
    """Layers with dropout between them."""

    def model(self, options: dict[str, Any]) -> nn.Module:
        return nn.Sequential(
            nn.Linear(3, 16, dtype=torch.float64),
            nn.Dropout(0.25),
            nn.Linear(16, 8, dtype=torch.float64),
            nn.Dropout(0.5),
            nn.Linear(8, 1, dtype=torch.float64),
        )


def masks(layer: nn.Module, shape: tuple[int, ...], keys: list[int], n: int = 1) -> Tensor:
    """What a layer leaves of ones in lanes with these keys, `(masks, lanes, *shape)`."""
    prepare(nn.Sequential(nn.Linear(1, 1), layer))
    stacked = torch.tensor(keys)

    def one(key: Tensor) -> Tensor:
        masked: Tensor = torch.func.functional_call(layer, {KEY: key}, (torch.ones(shape),))
        return masked

    return torch.stack([torch.vmap(one)(stacked) for _ in range(n)])


def test_a_share_of_the_inputs_is_dropped_and_the_rest_made_up_for_it() -> None:
    found = masks(nn.Dropout(0.2), (400, 500), [7])
    assert set(found.flatten().tolist()) == {0.0, 1.25}
    assert found.mean().item() == pytest.approx(1.0, abs=0.01)


def test_lanes_and_updates_have_masks_of_their_own() -> None:
    found = (masks(nn.Dropout(0.5), (50, 40), [1, 2], n=2) > 0).flatten(0, 1).flatten(1).float()
    together = torch.corrcoef(found) - torch.eye(4)
    assert together.abs().max() < 0.1


def test_a_mask_follows_from_the_key_alone() -> None:
    assert torch.equal(
        masks(nn.Dropout(0.5), (9, 9), [5, 6, 7], n=3)[:, 1], masks(nn.Dropout(0.5), (9, 9), [6], n=3)[:, 0]
    )


def test_dropout_of_channels_drops_whole_channels() -> None:
    found = masks(nn.Dropout2d(0.5), (6, 8, 3, 3), [3])[0, 0]
    assert set(found.flatten(2).std(dim=2).flatten().tolist()) == {0.0}
    assert 0 < (found > 0).float().mean() < 1


def test_dropout_of_everything_leaves_zeros() -> None:
    assert not masks(nn.Dropout(1.0), (4, 4), [3]).any()


def test_a_lane_with_dropout_depends_on_neither_neighbours_nor_age() -> None:
    trials = [numbered(number, recipe_of("sgd", Cosine()), horizon=20 + 5 * number) for number in range(4)]
    late = numbered(9, recipe_of("sgd", Cosine()), seed=3)
    fresh = in_lanes(Noisy(), [late], 2)[9]
    refilled = in_lanes(Noisy(), [*trials[:3], late], 2)[9]
    assert refilled[0].curve("train_loss") == pytest.approx(fresh[0].curve("train_loss"), rel=1e-12)
    other = in_lanes(Noisy(), [numbered(9, late.recipe, seed=4)], 2)[9]
    assert other[0].curve("train_loss") != fresh[0].curve("train_loss")


def test_losses_under_dropout_are_spread_as_they_are_alone() -> None:
    trials = [numbered(number, recipe_of("sgd", Cosine()), seed=number) for number in range(24)]
    lanes = in_lanes(Noisy(), trials, 24)
    found = torch.tensor([lanes[number][0].curve("val_loss")[-1] for number in range(24)], dtype=torch.float64)
    expected = [alone(Noisy(), trial)[0].curve("val_loss")[-1] for trial in trials]
    wanted = torch.tensor(expected, dtype=torch.float64)
    apart = (found.mean() - wanted.mean()).abs() / ((found.var() + wanted.var()) / 24).sqrt()
    assert apart < 4
