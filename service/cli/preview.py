"""``etude preview`` and ``etude gallery``: schedules drawn in the terminal, as SVG and as PNG. They need no service."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from schedules import OPTIMIZERS, Finding, findings
from schedules.drawing import Chart, Curve, draw, marks, png
from schedules.drawing import gallery as draw_gallery
from schedules.drawing.axes import RunAxis
from schedules.drawing.colours import Theme
from schedules.drawing.keys import by_kind, place_in_words
from schedules.drawing.marks import MarkKind
from schedules.drawing.panels import Panel, panels
from search.choices import Pruning
from service.cli import plot
from service.cli.asked import KNOWN, Asked, Changes, read_asked
from service.cli.asking import Json
from service.cli.console import err, out, plain, print_findings
from service.cli.exits import Exit, Stop
from service.cli.requests import pairs, scalar
from service.schemas import PreviewsOut, finding_out, preview_out

LONGEST_RUN = 1_000_000_000
POINTS = 500
PIXELS = 8
"""Of a character, for axes that measure their numbers in pixels."""
SIGNS = {
    MarkKind.WARMUP: "▲",
    MarkKind.RESTART: "◆",
    MarkKind.CYCLE: "◇",
    MarkKind.DROP: "▼",
    MarkKind.PHASE: "■",
    MarkKind.DECAY: "▶",
    MarkKind.KNOT: "●",
    MarkKind.AVERAGING: "✚",
}
ThemeFlag = Annotated[Theme, typer.Option(help="Of the files; auto is dark where the reader's system is.")]


def preview(
    what: Annotated[
        list[str],
        typer.Argument(help=f"Families ({KNOWN}), or JSON or YAML files with a schedule, a recipe, or a list of them."),
    ],
    updates: Annotated[int, typer.Option("--updates", "-n", min=1, max=LONGEST_RUN, help="Updates of the run.")] = 1000,
    updates_per_epoch: Annotated[
        int | None, typer.Option(min=1, max=LONGEST_RUN, help="Count the run in epochs of so many updates.")
    ] = None,
    peak_lr: Annotated[float | None, typer.Option(help="Rate where the multiplier is 1.")] = None,
    log: Annotated[bool, typer.Option("--log", help="Draw the rate on a logarithmic axis.")] = False,
    warmup: Annotated[float | None, typer.Option(help="Fraction of the run that warms up.")] = None,
    optimizer: Annotated[
        str | None, typer.Option(help=f"Optimizer, for what speaks against it: {', '.join(OPTIMIZERS)}.")
    ] = None,
    pruner: Annotated[Pruning, typer.Option(help="Pruner, for what speaks against it.")] = "none",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of the schedule; may be repeated.")
    ] = None,
    svg_file: Annotated[Path | None, typer.Option("--svg", help="Also write the drawing to this file.")] = None,
    png_file: Annotated[Path | None, typer.Option("--png", help="Also write the drawing to this file.")] = None,
    theme: ThemeFlag = "auto",
    as_json: Json = False,
) -> None:
    """Draw schedules in the terminal, and say what the rules find."""
    fields = {name: scalar(value) for name, value in (pairs("--set", set_ or []) or {}).items()}
    asked = read_asked(what, Changes(fields, warmup, peak_lr, optimizer))
    found = [_findings(each, updates, pruner) for each in asked]
    try:
        curves = tuple(each.curve for each in asked)
        chart = Chart(curves, updates, "log" if log else "linear", updates_per_epoch)
    except ValueError as error:
        raise Stop(Exit.REFUSED, str(error)) from error
    for file in (svg_file, png_file):
        if file is not None:
            _write(file, _picture(draw(chart, theme), "png" if file == png_file else "svg"))
    if as_json:
        _print_points(chart)
    else:
        _print_drawing(out(), chart)
    for each, said in zip(asked, found, strict=True):
        _print_findings(err() if as_json else out(), each, said, is_one=len(asked) == 1)


def gallery(
    file: Annotated[Path, typer.Argument(help="An .svg or .png file.", show_default=False)], theme: ThemeFlag = "auto"
) -> None:
    """Draw every schedule on one sheet, as SVG or PNG by the name of the file."""
    kind = file.suffix.lower().removeprefix(".")
    if kind not in {"svg", "png"}:
        raise Stop(Exit.USAGE, f"the sheet is written as .svg or .png, not as {file.name!r}")
    _write(file, _picture(draw_gallery(theme), kind))
    out().print(plain(f"wrote {file}"))


def _findings(asked: Asked, updates: int, pruner: Pruning) -> Sequence[Finding]:
    found = findings(asked.recipe, updates, pruner=pruner)
    refused = [finding.sentence for finding in found if finding.level == "refuse"]
    if refused:
        said = f"{asked.recipe.schedule.summary()} cannot be run for {updates} updates: "
        raise Stop(Exit.REFUSED, said + "; ".join(refused))
    return found


def _print_points(chart: Chart) -> None:
    drawn = [preview_out(curve, chart.horizon, POINTS) for curve in chart.curves]
    answer = drawn[0] if len(drawn) == 1 else PreviewsOut(horizon=chart.horizon, schedules=drawn)
    sys.stdout.write(answer.model_dump_json(indent=2) + "\n")


def _print_drawing(console: Console, chart: Chart) -> None:
    columns = max(24, min(72, console.width - 12))
    run = RunAxis(chart.horizon, chart.updates_per_epoch, columns * PIXELS)
    if len(chart.curves) == 1:
        console.print(f"[bold]{plain(chart.curves[0].name)}[/]")
    rate, *others = panels(chart)
    _print_panel(console, chart, rate, run, columns, 14)
    for panel in others:
        _print_panel(console, chart, panel, run, columns, 6)
    for number, curve in enumerate(chart.curves):
        _print_entry(console, chart, number, curve, run)
    for panel in (rate, *others):
        if panel.note:
            console.print(panel.note)


def _print_panel(console: Console, chart: Chart, panel: Panel, run: RunAxis, columns: int, rows: int) -> None:
    drawn = [plot.stroke(line.number, line.points, panel.axis, chart.horizon) for line in panel.lines]
    (first, *others) = chart.curves
    signs = [] if others else [(m.update / chart.horizon, m.kind) for m in marks(first.what, chart.horizon)]
    shown = [(share, SIGNS[kind]) for share, kind in signs if kind in SIGNS]
    length = f"{chart.horizon:,} updates"
    epochs = "" if run.updates_per_epoch is None else f", in {run.title}"
    console.print(f"({panel.title} over {length}{epochs})")
    console.print(plot.draw(drawn, panel.axis, run, signs=shown, columns=columns, rows=rows))


def _print_entry(console: Console, chart: Chart, number: int, curve: Curve, run: RunAxis) -> None:
    """What a curve is called, where it is one of many, and what happens on it."""
    where = [
        (SIGNS[kind], place_in_words(kind, at, run)) for kind, at in by_kind(marks(curve.what, chart.horizon)).items()
    ]
    if len(chart.curves) > 1:
        name = Text(plot.LETTERS[number], plot.STYLES[number % len(plot.STYLES)])
        console.print(name.append(f"  {curve.name}", "default"))
    for sign, words in where:
        console.print(f"   {sign} {words}", style="dim")
    if curve.is_blind:
        console.print("   drawn without readings: it drops when the metric stops improving", style="dim")


def _print_findings(console: Console, asked: Asked, found: Sequence[Finding], *, is_one: bool) -> None:
    if found and not is_one:
        console.print(f"of {plain(asked.curve.name)}:")
    print_findings(console, [finding_out(finding) for finding in found])


def _picture(drawn: str, kind: str) -> bytes:
    try:
        return png(drawn) if kind == "png" else drawn.encode()
    except RuntimeError as error:
        raise Stop(Exit.FAILED, str(error)) from error


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise Stop(Exit.FAILED, f"{file} cannot be written: {error.strerror}") from error
