"""``etude preview``: a schedule drawn in the terminal, and as SVG. Needs no service."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from schedules import FAMILIES, OPTIMIZERS, AnySchedule, Optimizer, Recipe, Schedule, Sgd, findings
from schedules.drawing import points, svg
from search.study import Pruning
from service.cli.asking import Json
from service.cli.console import err, out, print_findings
from service.cli.exits import Exit, Stop, refusal
from service.cli.plot import draw
from service.cli.requests import pairs, read_document, scalar
from service.schemas import PreviewOut, PreviewPoint, finding_out

KNOWN = ", ".join(FAMILIES)
LONGEST_RUN = 1_000_000_000


class Drawing(BaseModel):
    """What is drawn: a schedule, and the rate where its multiplier is 1; ``None`` draws the multiplier.

    Attributes:
        recipe: what the rules are asked about; its optimizer is plain where none was named.
    """

    schedule: AnySchedule
    peak_lr: Annotated[float | None, Field(gt=0, allow_inf_nan=False)]
    recipe: Recipe


def preview(
    what: Annotated[str, typer.Argument(help=f"A family ({KNOWN}), or a JSON or YAML file with a schedule or recipe.")],
    updates: Annotated[int, typer.Option("--updates", "-n", min=1, max=LONGEST_RUN, help="Updates of the run.")] = 1000,
    peak_lr: Annotated[float | None, typer.Option(help="Rate where the multiplier is 1.")] = None,
    warmup: Annotated[float | None, typer.Option(help="Fraction of the run that warms up.")] = None,
    optimizer: Annotated[
        str | None, typer.Option(help=f"Optimizer, for what speaks against it: {', '.join(OPTIMIZERS)}.")
    ] = None,
    pruner: Annotated[Pruning, typer.Option(help="Pruner, for what speaks against it.")] = "none",
    set_: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of the family; may be repeated.")] = None,
    svg_file: Annotated[Path | None, typer.Option("--svg", help="Also write the drawing to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Draw a schedule in the terminal, and say what the rules find."""
    drawing = _drawing(what, set_ or [], warmup, peak_lr, optimizer)
    found = findings(drawing.recipe, updates, pruner=pruner)
    refused = [finding.sentence for finding in found if finding.level == "refuse"]
    if refused:
        said = f"{drawing.schedule.summary()} cannot be run for {updates} updates: "
        raise Stop(Exit.REFUSED, said + "; ".join(refused))
    if svg_file is not None:
        _write(svg_file, svg(drawing.schedule, updates, drawing.peak_lr))
    if as_json:
        sys.stdout.write(_preview(drawing, updates).model_dump_json(indent=2) + "\n")
    else:
        _draw(drawing, updates)
    print_findings(err() if as_json else out(), [finding_out(finding) for finding in found])


def _drawing(
    what: str, values: list[str], warmup: float | None, peak_lr: float | None, optimizer: str | None
) -> Drawing:
    given = {name: scalar(value) for name, value in (pairs("--set", values) or {}).items()}
    document: Mapping[str, Any]
    if what in FAMILIES:
        document = {"kind": what, **given}
    elif "." not in what and what != "-" and not Path(what).exists():
        raise Stop(Exit.NOT_FOUND, f"{what!r} is neither a schedule family nor a file; the families are {KNOWN}")
    else:
        document = {**read_document(what), **given}
    try:
        if "optimizer" in document:
            recipe = Recipe.model_validate(document)
            peak_lr = recipe.peak_lr if peak_lr is None else peak_lr
        else:
            recipe = Recipe(optimizer=Sgd(), peak_lr=1.0, schedule=_schedule(document))
        if warmup is not None:
            then = recipe.schedule.model_dump()
            schedule = _schedule({"kind": "warmup", "fraction": warmup, "then": then})
            recipe = recipe.model_copy(update={"schedule": schedule})
        if optimizer is not None:
            recipe = recipe.model_copy(update={"optimizer": _optimizer(optimizer)})
        return Drawing(schedule=recipe.schedule, peak_lr=peak_lr, recipe=recipe)
    except ValidationError as error:
        raise refusal("the schedule", error) from error


def _optimizer(kind: str) -> Optimizer:
    """An optimizer with the constants that a search begins with."""
    if kind not in OPTIMIZERS:
        raise Stop(Exit.NOT_FOUND, f"there is no optimizer {kind!r}; there are: {', '.join(OPTIMIZERS)}")
    constants = {name: each.default for name, each in OPTIMIZERS[kind].ranges.items()}
    return OPTIMIZERS[kind].build(weight_decay=constants["weight_decay"], momentum=constants.get("momentum"))


def _schedule(document: Mapping[str, Any]) -> Any:
    return TypeAdapter[Schedule](AnySchedule).validate_python(document)


def _draw(drawing: Drawing, updates: int) -> None:
    console = out()
    top = 1.0 if drawing.peak_lr is None else drawing.peak_lr
    curve = [(float(update), top * multiplier) for update, multiplier in points(drawing.schedule, updates)]
    unit = "multiplier" if drawing.peak_lr is None else "learning rate"
    console.print(f"[bold]{drawing.schedule.summary()}[/]  ({unit} over {updates} updates)")
    if drawing.schedule.start() is not None:
        console.print("drawn without readings: it drops when the metric stops improving")
    columns = max(24, min(72, console.width - 12))
    console.print(draw(curve, columns=columns, top=top), markup=False)


def _preview(drawing: Drawing, updates: int) -> PreviewOut:
    peak_lr = 1.0 if drawing.peak_lr is None else drawing.peak_lr
    curve = points(drawing.schedule, updates)
    return PreviewOut(
        kind=drawing.schedule.kind,
        summary=drawing.schedule.summary(),
        horizon=updates,
        peak_lr=peak_lr,
        points=[PreviewPoint(update=t, multiplier=each, rate=peak_lr * each) for t, each in curve],
    )


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(Exit.FAILED, f"{file} cannot be written: {error.strerror}") from error
