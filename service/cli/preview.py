"""``etude preview``: a schedule drawn in the terminal, and as SVG. Needs no service."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from schedules import FAMILIES, AnySchedule, Recipe, Schedule
from schedules.drawing import points, svg
from service.cli.asking import Json
from service.cli.console import out
from service.cli.exits import Exit, Stop, refusal
from service.cli.plot import draw
from service.cli.requests import pairs, read_document, scalar
from service.schemas import PreviewOut, PreviewPoint

KNOWN = ", ".join(FAMILIES)
LONGEST_RUN = 1_000_000_000


class Drawing(BaseModel):
    """What is drawn: a schedule, and the rate where its multiplier is 1; ``None`` draws the multiplier."""

    schedule: AnySchedule
    peak_lr: Annotated[float | None, Field(gt=0, allow_inf_nan=False)]


def preview(
    what: Annotated[str, typer.Argument(help=f"A family ({KNOWN}), or a JSON or YAML file with a schedule or recipe.")],
    updates: Annotated[int, typer.Option("--updates", "-n", min=1, max=LONGEST_RUN, help="Updates of the run.")] = 1000,
    peak_lr: Annotated[float | None, typer.Option(help="Rate where the multiplier is 1.")] = None,
    warmup: Annotated[float | None, typer.Option(help="Fraction of the run that warms up.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of the family; may be repeated.")] = None,
    svg_file: Annotated[Path | None, typer.Option("--svg", help="Also write the drawing to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Draw a schedule in the terminal."""
    drawing = _drawing(what, set_ or [], warmup, peak_lr)
    try:
        drawing.schedule.check(updates)
    except ValueError as error:
        raise Stop(
            Exit.REFUSED, f"{drawing.schedule.summary()} cannot be run for {updates} updates: {error}"
        ) from error
    if svg_file is not None:
        _write(svg_file, svg(drawing.schedule, updates, drawing.peak_lr))
    if as_json:
        sys.stdout.write(_preview(drawing, updates).model_dump_json(indent=2) + "\n")
    else:
        _draw(drawing, updates)


def _drawing(what: str, values: list[str], warmup: float | None, peak_lr: float | None) -> Drawing:
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
            schedule, peak_lr = recipe.schedule, recipe.peak_lr if peak_lr is None else peak_lr
        else:
            schedule = _schedule(document)
        if warmup is not None:
            schedule = _schedule({"kind": "warmup", "fraction": warmup, "then": schedule.model_dump()})
        return Drawing(schedule=schedule, peak_lr=peak_lr)
    except ValidationError as error:
        raise refusal("the schedule", error) from error


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
