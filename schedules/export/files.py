"""A recipe as JSON, and its rates as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Final

from schedules.export.fit import NotPossible
from schedules.recipe import Recipe

MOST_ROWS: Final = 1_000_000
"""Updates of a run above which its rates are not written one by one."""


def json_file(recipe: Recipe, horizon: int) -> str:
    """Write a recipe as JSON, with the run that it is for; ``Recipe`` reads the value of ``recipe`` back.

    Raises:
        ValueError: the recipe cannot be run for so many updates.
    """
    recipe.check(horizon)
    document = {
        "recipe": recipe.model_dump(mode="json"),
        "digest": recipe.digest,
        "summary": recipe.summary(),
        "horizon": horizon,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def csv_file(recipe: Recipe, horizon: int, *, updates_per_epoch: int | None = None) -> str:
    """Write the learning rate of every update as CSV, with the epoch, momentum and weight decay where there are any.

    The epoch is that which has passed when the update begins. Numbers are written so that they read back the same.

    Args:
        updates_per_epoch: for the column ``epoch``, which is left out without it.

    Raises:
        NotPossible: the rate depends on a metric, or the run is too long.
        ValueError: the recipe cannot be run for so many updates.
    """
    recipe.check(horizon)
    if recipe.schedule.start() is not None:
        raise NotPossible("a curve has one rate for each update, but that of a plateau depends on the metric of a run")
    if horizon > MOST_ROWS:
        raise NotPossible(f"a curve is written for up to {MOST_ROWS} updates, got a run of {horizon}")
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_header(recipe, updates_per_epoch))
    rows.writerows(_rows(recipe, horizon, updates_per_epoch))
    return text.getvalue()


def _header(recipe: Recipe, updates_per_epoch: int | None) -> list[str]:
    epoch = [] if updates_per_epoch is None else ["epoch [epochs passed]"]
    momentum = [] if recipe.momentum is None else ["momentum [share kept per update]"]
    decay = [] if recipe.weight_decay is None else ["weight decay [1, as the optimizer defines it]"]
    return ["update [updates made]", *epoch, "learning rate [1 per update]", *momentum, *decay]


def _rows(recipe: Recipe, horizon: int, updates_per_epoch: int | None) -> Iterator[list[object]]:
    for t in range(horizon):
        row: list[object] = [t]
        if updates_per_epoch is not None:
            row.append(t / updates_per_epoch)
        row.append(recipe.rate(t, horizon))
        if recipe.momentum is not None:
            row.append(recipe.momentum_at(t, horizon))
        if recipe.weight_decay is not None:
            row.append(recipe.weight_decay_at(t, horizon))
        yield row
