"""The recipes of a replay: drawn at random from the default space, the same for every arm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import optuna

from schedules import Recipe
from search.space import Space, suggest


def recipes(n_recipes: int, *, seed: int = 0) -> tuple[Recipe, ...]:
    """Draw recipes; the first ones do not depend on how many are drawn."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return tuple(suggest(Space(), study.ask(), "minimize") for _ in range(n_recipes))


def write(path: Path, chosen: Sequence[Recipe]) -> str:
    """Write recipes to a file; its SHA-256."""
    held = json.dumps([recipe.model_dump(mode="json") for recipe in chosen], indent=1).encode()
    path.write_bytes(held)
    return hashlib.sha256(held).hexdigest()
