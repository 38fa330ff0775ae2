"""``attach`` in Lightning and accelerate: every update runs as the recipe says, also after a restore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from schedules import Cosine, Plateau, Recipe, Sgd, Warmup
from schedules.export import samples
from schedules.torch import attach, build_optimizer
from tests.compat.libraries import need
from tests.compat.lightning_runs import fit, module_class, setting
from tests.schedules.traces import Setting, assert_same, largest_difference, ours

pytestmark = pytest.mark.filterwarnings("default")
HORIZON = 40
EXAMPLES = samples()
Compared = Callable[[str, float], None]
ATTACHED = [
    Recipe(optimizer=Sgd(), peak_lr=0.4, schedule=Warmup(fraction=0.2, then=Cosine())),
    Recipe(optimizer=Sgd(), peak_lr=0.4, schedule=Warmup(fraction=0.2, then=Plateau(factor=0.5, patience=2))),
    EXAMPLES["momentum curve"],
    EXAMPLES["weight-decay curve"],
]


def _attached(recipe: Recipe) -> dict[str, Any]:
    class ConfiguredByRecipe:
        def configure_optimizers(self) -> dict[str, Any]:
            optimizer = build_optimizer(recipe.optimizer, self.parameters(), lr=1.0)  # type: ignore[attr-defined]
            scheduler = attach(recipe, optimizer, HORIZON)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

        def on_validation_end(self) -> None:
            if not self.trainer.sanity_checking:  # type: ignore[attr-defined]
                self.lr_schedulers().observe(1.0)  # type: ignore[attr-defined]

    return {"ConfiguredByRecipe": ConfiguredByRecipe}


@pytest.mark.parametrize("recipe", ATTACHED, ids=lambda recipe: recipe.summary())
def test_an_attached_recipe_runs_and_resumes_in_lightning(recipe: Recipe, tmp_path: Path, compared: Compared) -> None:
    need("lightning")
    made = module_class(_attached(recipe), recipe)
    first = made()
    trainer = fit(first, tmp_path, 13)
    trainer.save_checkpoint(tmp_path / "saved.ckpt")
    second = made()
    fit(second, tmp_path, HORIZON, tmp_path / "saved.ckpt")
    expected = ours(recipe, HORIZON, [1.0] * HORIZON, HORIZON)
    assert_same([*first.settings, *second.settings], expected, recipe)
    compared("attach in Lightning, resumed", largest_difference([*first.settings, *second.settings], expected, recipe))


@pytest.mark.parametrize("recipe", ATTACHED, ids=lambda recipe: recipe.summary())
def test_an_attached_recipe_runs_and_resumes_in_accelerate(recipe: Recipe, tmp_path: Path, compared: Compared) -> None:
    need("accelerate")
    found = [*_accelerated(recipe, 13, tmp_path), *_accelerated(recipe, HORIZON, tmp_path, resumes=True)]
    expected = ours(recipe, HORIZON, [1.0] * HORIZON, HORIZON)
    assert_same(found, expected, recipe)
    compared("attach in accelerate, resumed", largest_difference(found, expected, recipe))


def _accelerated(recipe: Recipe, until: int, directory: Path, *, resumes: bool = False) -> Iterator[Setting]:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    model = torch.nn.Linear(2, 2)
    made = build_optimizer(recipe.optimizer, model.parameters(), lr=1.0)
    own = attach(recipe, made, HORIZON)
    model, optimizer, scheduler = accelerator.prepare(model, made, own)
    if resumes:
        accelerator.load_state(str(directory / "state"))
    for _ in range(own.last_epoch, until):
        yield setting(recipe, optimizer.param_groups[0])
        accelerator.backward(model(torch.zeros(1, 2)).sum())
        optimizer.step()
        scheduler.step()
        own.observe(1.0)
        optimizer.zero_grad()
    if not resumes:
        accelerator.save_state(str(directory / "state"))
