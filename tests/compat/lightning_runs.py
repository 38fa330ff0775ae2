"""A run in Lightning that records what every update is made with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from schedules import Recipe
from tests.schedules.traces import Setting


def module_class(module: dict[str, Any], recipe: Recipe) -> Any:
    import lightning

    configured: Any = module["ConfiguredByRecipe"]

    class Recorded(configured, lightning.LightningModule):  # type: ignore[misc]  # both are known at run time only
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(2, 2))
            self.settings: list[Setting] = []

        def training_step(self, batch: Any, number: int) -> torch.Tensor:
            self.settings.append(setting(recipe, self.optimizers().param_groups[0]))
            return (self.weight * 0).sum()

        def validation_step(self, batch: Any, number: int) -> None:
            self.log("val_loss", 1.0)

    return Recorded


def setting(recipe: Recipe, group: dict[str, Any]) -> Setting:
    key = "momentum" if recipe.optimizer.momentum_field == "momentum" else "betas"
    momentum = None if recipe.momentum is None else group[key]
    decay = None if recipe.weight_decay is None else group["weight_decay"]
    return group["lr"], momentum[0] if isinstance(momentum, tuple) else momentum, decay


def fit(module: Any, directory: Path, n_updates: int, checkpoint: Path | None = None) -> Any:
    import lightning

    rows: Any = torch.zeros(4, 1)
    loader: Any = torch.utils.data.DataLoader(rows)
    trainer = lightning.Trainer(
        max_steps=n_updates,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        val_check_interval=1,
        default_root_dir=directory,
    )
    trainer.fit(module, loader, loader, ckpt_path=checkpoint)
    return trainer
