"""What ``etude preview`` is asked to draw: families by name, and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schedules import FAMILIES, OPTIMIZERS, AnySchedule, Optimizer, Recipe, Schedule, Sgd
from schedules.drawing import Curve
from service.cli.exits import Exit, Stop, refusal
from service.cli.requests import read_document
from service.schemas import PreviewBody

KNOWN = ", ".join(FAMILIES)


@dataclass(frozen=True)
class Changes:
    """What flags change of everything that is drawn.

    Attributes:
        fields: of the schedules, by name.
        warmup: fraction of the run.
    """

    fields: Mapping[str, Any]
    warmup: float | None
    peak_lr: float | None
    optimizer: str | None


@dataclass(frozen=True)
class Asked:
    """A curve, and the recipe that the rules are asked about; its optimizer is plain where none was named."""

    curve: Curve
    recipe: Recipe


def read_asked(names: Sequence[str], changes: Changes) -> list[Asked]:
    """Return what is to be drawn, in the order of the names.

    Raises:
        Stop: a name is neither a family nor a file, or what it stands for is no schedule.
    """
    found: list[Asked] = []
    for name in names:
        document = _document(name, changes.fields)
        try:
            found += [_changed(curve, changes) for curve in _curves(document, changes.fields)]
        except ValidationError as error:
            raise refusal("the schedule", error) from error
    return found


def _document(name: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    if name in FAMILIES:
        return {"kind": name}
    if "." not in name and name != "-" and not Path(name).exists():
        raise Stop(Exit.NOT_FOUND, f"{name!r} is neither a schedule family nor a file; the families are {KNOWN}")
    document = read_document(name)
    if "schedules" in document and "kind" not in document and fields:
        raise Stop(Exit.USAGE, f"--set changes the fields of one schedule, and {name} has many")
    return document


def _curves(document: Mapping[str, Any], fields: Mapping[str, Any]) -> Sequence[Curve]:
    """One schedule or recipe, or a list of them as the API takes it; sequences and products have a list too."""
    if "kind" not in document and "optimizer" not in document and "schedules" in document:
        return PreviewBody.model_validate(document).curves
    whole = {**document, **fields}
    return [Curve(Recipe.model_validate(whole) if "optimizer" in whole else _schedule(whole))]


def _changed(curve: Curve, changes: Changes) -> Asked:
    recipe = curve.what if isinstance(curve.what, Recipe) else _plain_recipe(curve.what)
    if changes.warmup is not None:
        then = recipe.schedule.model_dump()
        schedule = _schedule({"kind": "warmup", "fraction": changes.warmup, "then": then})
        recipe = recipe.model_copy(update={"schedule": schedule})
    if changes.optimizer is not None:
        recipe = recipe.model_copy(update={"optimizer": _optimizer(changes.optimizer)})
    peak_lr = curve.peak if changes.peak_lr is None else changes.peak_lr
    if peak_lr is not None:
        recipe = Recipe.model_validate({**recipe.model_dump(), "peak_lr": peak_lr})
    what = recipe if isinstance(curve.what, Recipe) else recipe.schedule
    return Asked(Curve(what, curve.label, peak_lr), recipe)


def _plain_recipe(schedule: Any) -> Recipe:
    return Recipe(optimizer=Sgd(), peak_lr=1.0, schedule=schedule)


def _optimizer(kind: str) -> Optimizer:
    """An optimizer with the constants that a search begins with."""
    if kind not in OPTIMIZERS:
        raise Stop(Exit.NOT_FOUND, f"there is no optimizer {kind!r}; there are: {', '.join(OPTIMIZERS)}")
    constants = {name: each.default for name, each in OPTIMIZERS[kind].ranges.items()}
    return OPTIMIZERS[kind].build(weight_decay=constants["weight_decay"], momentum=constants.get("momentum"))


def _schedule(document: Mapping[str, Any]) -> Any:
    return TypeAdapter[Schedule](AnySchedule).validate_python(document)
