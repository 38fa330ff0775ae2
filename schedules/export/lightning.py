"""A recipe as the ``configure_optimizers`` of a Lightning module."""

from __future__ import annotations

from textwrap import indent

from schedules.export.fit import NotPossible
from schedules.export.optimizers import torch_call
from schedules.export.scheduler import Scheduler, scheduler
from schedules.export.torch import head, imports
from schedules.optimizers import Muon
from schedules.recipe import Recipe

_OBSERVE = """
    def on_validation_end(self):
        if not self.trainer.sanity_checking:
            self.lr_schedulers().observe(float(self.trainer.callback_metrics[METRIC]))
"""


_MODES = """
    def on_train_start(self):
        self.optimizers(use_pl_optimizer=False).train()

    def on_validation_start(self):
        self.optimizers(use_pl_optimizer=False).eval()

    def on_validation_end(self):
        self.optimizers(use_pl_optimizer=False).train()
"""


def lightning_snippet(recipe: Recipe, horizon: int) -> str:
    """Write a recipe as a class to put before ``LightningModule`` among the bases of a module.

    Args:
        horizon: updates of the run that it is for: the trainer's ``max_steps``.

    Raises:
        NotPossible: Lightning steps one optimizer by itself, and this one is two.
        ValueError: the recipe cannot be run for so many updates.
    """
    recipe.check(horizon)
    refuse_two_optimizers(recipe, "Lightning")
    made = scheduler(recipe, horizon)
    metric = 'METRIC = "val_loss"  # a name that the module logs; the recipe\'s plateau reads it\n'
    parts = [metric if made.reads_metric else "", made.definitions, _class(recipe, made)]
    body = "\n\n".join(part for part in parts if part)
    return f"{head(recipe, horizon, _usage(recipe, horizon))}{imports(body)}\n\n{body}"


def refuse_two_optimizers(recipe: Recipe, target: str) -> None:
    """Refuse a recipe whose optimizer is two.

    Raises:
        NotPossible: the optimizer is Muon.
    """
    if isinstance(recipe.optimizer, Muon):
        raise NotPossible(f"{target} steps one optimizer by itself, but Muon is two: one for the hidden matrices only")


def _class(recipe: Recipe, made: Scheduler) -> str:
    optimizer = torch_call(recipe.optimizer).text(f"self.parameters(), lr={recipe.peak_lr!r}")
    call = made.call.text("optimizer", "    scheduler = ")
    body = (
        f"def configure_optimizers(self):\n{optimizer}\n{call}\n"
        '    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}\n'
    )
    # a schedule-free optimizer takes no plateau, so that one hook serves one of them
    hooks = (_OBSERVE if made.reads_metric else "") + (_MODES if recipe.optimizer.is_schedule_free else "")
    return f"class ConfiguredByRecipe:\n{indent(body, '    ')}{hooks}"


def _usage(recipe: Recipe, horizon: int) -> list[str]:
    lines = [
        "class MyModule(ConfiguredByRecipe, LightningModule): ...",
        "",
        f"Trainer(max_steps={horizon}).fit(MyModule())",
    ]
    return lines + not_held(recipe, "Lightning's WeightAveraging callback", has_modes=True)


def not_held(recipe: Recipe, instead: str, *, has_modes: bool = False) -> list[str]:
    """Return what a target leaves to the reader, as lines of a docstring.

    Args:
        instead: what does the averaging there.
        has_modes: the program itself turns a schedule-free optimizer from training to evaluating.
    """
    lines: list[str] = []
    if recipe.averaging is not None:
        lines += ["", f"Not in here: {recipe.averaging.summary()}; see {instead}."]
    if recipe.optimizer.is_schedule_free and not has_modes:
        lines += ["", "Call optimizer.train() before training and optimizer.eval() before evaluating and saving."]
    return lines
