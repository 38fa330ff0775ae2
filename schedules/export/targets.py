"""The targets by name, and what becomes of every schedule in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from schedules.averaging import ConstantTail, Ema, Swa
from schedules.base import Schedule
from schedules.decays import Cosine, Linear
from schedules.drops import Constant
from schedules.export.files import csv_file, json_file
from schedules.export.fit import Fit, NotPossible
from schedules.export.lightning import lightning_snippet
from schedules.export.optax import optax_snippet, primitive
from schedules.export.optimizers import optax_optimizer, torch_call
from schedules.export.scheduler import scheduler
from schedules.export.torch import torch_snippet
from schedules.export.transformers import named, transformers_snippet
from schedules.families import SCHEDULES
from schedules.optimizers import OPTIMIZERS, AdamW
from schedules.phases import OneCycle
from schedules.recipe import MomentumCurve, Recipe

Target = Literal["torch", "transformers", "optax", "lightning", "json", "csv"]

_WRITERS: Mapping[Target, Callable[[Recipe, int], str]] = MappingProxyType(
    {
        "torch": torch_snippet,
        "transformers": transformers_snippet,
        "optax": optax_snippet,
        "lightning": lightning_snippet,
        "json": json_file,
    }
)

TARGETS: Final[tuple[Target, ...]] = get_args(Target)
"""What a recipe can be written for."""

MEDIA_TYPES: Mapping[Target, str] = MappingProxyType(
    dict.fromkeys(TARGETS, "text/x-python") | {"json": "application/json", "csv": "text/csv"}
)
"""The media type of what each target gets."""

_TABLE_HORIZON: Final = 1200


def export(recipe: Recipe, horizon: int, target: Target, *, updates_per_epoch: int | None = None) -> str:
    """Write a recipe for a target: code without any dependency on this project, JSON, or the curve as CSV.

    Args:
        horizon: updates of the run that it is for.
        updates_per_epoch: for the column of epochs in a CSV, which is left out without it.

    Raises:
        NotPossible: the target cannot hold the recipe.
        ValueError: the recipe cannot be run for so many updates.
    """
    if target == "csv":
        return csv_file(recipe, horizon, updates_per_epoch=updates_per_epoch)
    return _WRITERS[target](recipe, horizon)


def fit(recipe: Recipe, horizon: int, target: Target) -> Fit:
    """Say what becomes of a recipe in a target: exact, and by what; or not possible, and why."""
    try:
        export(recipe, horizon, target)
    except NotPossible as error:
        return Fit(exact=False, how=str(error))
    return Fit(exact=True, how=_how(recipe, horizon, target))


def table(horizon: int = _TABLE_HORIZON) -> Mapping[str, Mapping[Target, Fit]]:
    """Return what becomes of every schedule, curve, averaging and optimizer in each target.

    Args:
        horizon: updates of the run for which it is asked.
    """
    return {name: {target: fit(recipe, horizon, target) for target in TARGETS} for name, recipe in samples().items()}


def markdown(rows: Mapping[str, Mapping[Target, Fit]]) -> str:
    """Write the table as Markdown."""
    lines = [f"| | {' | '.join(TARGETS)} |", "|---" * (len(TARGETS) + 1) + "|"]
    for name, fits in rows.items():
        cells = (f"{'exact' if found.exact else 'not possible'}: {found.how}" for found in fits.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def samples() -> Mapping[str, Recipe]:
    """Return a recipe for each row of the table, by its name."""
    rows: dict[str, Recipe] = {}
    for kind, schedule in _schedules().items():
        rows[kind] = Recipe.model_validate({"optimizer": AdamW(), "peak_lr": 1e-3, "schedule": schedule})
    own: dict[str, object] = {"optimizer": AdamW(), "peak_lr": 1e-3, "schedule": Cosine()}
    mirrored = MomentumCurve(curve=OneCycle().mirrored())
    rows["momentum curve"] = Recipe.model_validate({**own, "momentum": mirrored})
    rows["one_cycle and its momentum"] = Recipe.model_validate({**own, "schedule": OneCycle(), "momentum": mirrored})
    rows["weight-decay curve"] = Recipe.model_validate({**own, "weight_decay": Linear()})
    rows["averaging ema"] = Recipe.model_validate({**own, "averaging": Ema()})
    rows["averaging swa, its tail"] = Recipe.model_validate({**own, "averaging": Swa(tail=ConstantTail())})
    for kind in OPTIMIZERS:
        rows[f"optimizer {kind}"] = Recipe.model_validate({**own, "optimizer": {"kind": kind}, "schedule": Constant()})
    return rows


def _schedules() -> Mapping[str, Schedule]:
    inner: dict[str, object] = {
        "warmup": {"then": {"kind": "cosine"}},
        "sequence": {"schedules": [{"kind": "linear"}, {"kind": "cosine"}], "milestones": [0.5]},
        "product": {"schedules": [{"kind": "linear"}, {"kind": "cosine"}]},
    }
    return {kind: made.model_validate(inner.get(kind, {})) for kind, made in SCHEDULES.items()}


def _how(recipe: Recipe, horizon: int, target: Target) -> str:
    match target:
        case "torch":
            return _how_in_torch(recipe, horizon)
        case "lightning":
            return f"{_how_in_torch(recipe, horizon)}, in configure_optimizers{_left_out(recipe, 'WeightAveraging')}"
        case "transformers":
            known = named(recipe, horizon)
            how = _how_in_torch(recipe, horizon) if known is None else f'lr_scheduler_type="{known.name}"'
            passed = ", passed as optimizers=" if known is None else ""
            return f"{how}{passed}{_left_out(recipe, 'AveragedModel')}"
        case "optax":
            return f"{_how_in_optax(recipe, horizon)}{_left_out(recipe, 'optax.ema')}"
        case "json":
            return "the recipe itself"
        case "csv":
            return "one row for each update"


def _how_in_torch(recipe: Recipe, horizon: int) -> str:
    made = scheduler(recipe, horizon)
    if made.native is not None:
        how = made.native.name
    elif made.definitions.count("class "):
        how = f"a class of {len(made.definitions.partition('class ')[2].rstrip().splitlines())} lines"
    else:
        how = "LambdaLR of a function"
    library = torch_call(recipe.optimizer).name.split(".")[0]
    return how if library == "torch" else f"{how}; needs {library}"


def _how_in_optax(recipe: Recipe, horizon: int) -> str:
    if recipe.schedule.start() is not None:
        how = "a class that writes the rate, outside of jit"
    else:
        own = primitive(recipe, horizon)
        how = "a table of every update's rate" if own is None else _schedules_in(own)
    if optax_optimizer(recipe.optimizer) is None:
        how += "; the schedule only, since no optimizer of optax makes the same updates"
    return how


def _schedules_in(text: str) -> str:
    names = dict.fromkeys(each.split("(")[0] for each in text.split("optax.")[1:])
    joined, inner = "join_schedules" in names, [name for name in names if name != "join_schedules"]
    return f"{'join_schedules of ' if joined else ''}{' and '.join(inner)}"


def _left_out(recipe: Recipe, instead: str) -> str:
    return "" if recipe.averaging is None else f"; the averaging is left to {instead}"
