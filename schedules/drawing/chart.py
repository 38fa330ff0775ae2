"""One chart: curves in a frame, with axes, a legend, and signs where something happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schedules.base import Schedule
from schedules.drawing.axes import TICK_SIZE, Axis, RunAxis
from schedules.drawing.colours import Theme, line_style
from schedules.drawing.curves import Chart, Curve
from schedules.drawing.keys import by_kind, place_in_words, write_key
from schedules.drawing.lines import MOST_SIGNS, SIGNS, Frame, line, sign, trace
from schedules.drawing.marks import Mark, marks
from schedules.drawing.page import MARGIN, SIZE, Page
from schedules.drawing.panels import Panel, panels
from schedules.drawing.words import escaped, shortened, width, wrapped
from schedules.recipe import Recipe

_WIDTH = 760
_SAMPLE = 34
"""Pixels of the line that stands before a name in the legend."""
_MOST_GUIDES = 20


def svg(what: Recipe | Schedule, horizon: int, peak_lr: float | None = None, theme: Theme = "auto") -> str:
    """Draw what one schedule or recipe does over a run of ``horizon`` updates, as SVG.

    Args:
        peak_lr: the rate where the multiplier is 1; a recipe's own by default. A schedule without one is drawn as a
            share of the peak rate.

    Raises:
        ValueError: the horizon is below 1.
    """
    return draw(Chart((Curve(what, peak_lr=peak_lr),), horizon), theme)


def draw(chart: Chart, theme: Theme = "auto") -> str:
    """Draw a chart as SVG.

    Every line has a colour and dashes of its own, and what happens on it has a sign. A recipe that drives its weight
    decay or its momentum has a frame for each below that of the rate. Anybody's text may stand in a label: it is
    shortened to the room there is, and can be no markup.
    """
    shown = panels(chart)
    left = MARGIN + 8 + max(width(tick.text, TICK_SIZE) for panel in shown for tick in panel.axis.ticks)
    right = MARGIN + max(12, width(f"{chart.horizon:,}", TICK_SIZE) / 2)
    run = RunAxis(chart.horizon, chart.updates_per_epoch, _WIDTH - left - right)
    page = Page(_WIDTH, theme)
    _write_heading(page, chart, run)
    for panel in shown:
        page.skip(6)
        page.write(panel.title, x=left, colour="soft", size=TICK_SIZE)
        page.skip(10)
        frame = Frame(left, page.y, run.pixels, panel.height)
        _draw_panel(page, panel, frame, chart)
        page.skip(panel.height)
    _draw_run_axis(page, run, left)
    if len(chart.curves) > 1:
        _write_legend(page, chart.curves)
    _write_key(page, chart, run)
    for note in _notes(chart, shown):
        page.skip(3)
        page.write(note, colour="soft", size=TICK_SIZE)
    return page.finished(escaped(_title(chart)))


def _title(chart: Chart) -> str:
    if chart.title or len(chart.curves) == 1:
        return chart.title or chart.curves[0].name
    return f"{len(chart.curves)} schedules"


def _write_heading(page: Page, chart: Chart, run: RunAxis) -> None:
    for words in wrapped(_title(chart), 15, _WIDTH - 2 * MARGIN, 2):
        page.write(words, size=15)
    length = f"{chart.horizon:,} updates" if chart.horizon > 1 else "1 update"
    epochs = "" if run.updates_per_epoch is None else f", {run.text(chart.horizon)} {run.title}"
    page.write(length + epochs, colour="soft", size=TICK_SIZE)


def _draw_panel(page: Page, panel: Panel, frame: Frame, chart: Chart) -> None:
    for tick in panel.axis.ticks:
        y = frame.y(tick.share)
        page.rule(frame.left, y, frame.right, y, "axis" if tick.share == 0 else "grid", faint=not tick.text)
        if tick.text:
            page.put(tick.text, frame.left - 8, y + 4, "soft", TICK_SIZE, anchor="end")
    if len(chart.curves) == 1:
        _draw_guides(page, marks(chart.curves[0].what, chart.horizon), frame, chart.horizon)
    for each in panel.lines:
        way = trace(each.points, chart.horizon, panel.axis, frame)
        page.add(line(way, each.number, page.theme, escaped(chart.curves[each.number].name)))
    if panel.is_marked:
        for each in panel.lines:
            shown = _signs(chart.curves[each.number], dict(each.points), chart.horizon)
            _draw_signs(page, shown, panel.axis, frame, chart.horizon, line_style(each.number)[0])


def _draw_guides(page: Page, found: Sequence[Mark], frame: Frame, horizon: int) -> None:
    updates = {mark.update for mark in found if mark.kind in SIGNS}
    if len(updates) <= _MOST_GUIDES:
        for update in sorted(updates):
            x = frame.x(update / horizon)
            page.rule(x, frame.top, x, frame.bottom, "axis", dashes="2 3")


@dataclass(frozen=True)
class _Sign:
    mark: Mark
    value: float


def _signs(curve: Curve, values: dict[int, float], horizon: int) -> list[_Sign]:
    """What happens on a curve, where it is not too much."""
    found = [mark for mark in marks(curve.what, horizon) if mark.kind in SIGNS and mark.update in values]
    return [_Sign(mark, values[mark.update]) for mark in found] if len(found) <= MOST_SIGNS else []


def _draw_signs(page: Page, signs: Sequence[_Sign], axis: Axis, frame: Frame, horizon: int, colour: str) -> None:
    for each in signs:
        place = frame.x(each.mark.update / horizon), frame.y(axis.share(each.value))
        if place[1] <= frame.bottom:
            page.add(sign(each.mark.kind, place, colour, page.theme))


def _draw_run_axis(page: Page, run: RunAxis, left: float) -> None:
    for tick in run.ticks:
        x = left + tick.share * run.pixels
        page.rule(x, page.y, x, page.y + 5, "axis")
        page.put(tick.text, x, page.y + 19, "soft", TICK_SIZE, anchor="middle")
    page.put(run.title, left + run.pixels / 2, page.y + 38, "soft", TICK_SIZE, anchor="middle")
    page.skip(46)


def _write_legend(page: Page, curves: Sequence[Curve]) -> None:
    """Names in as many columns as fit, each behind a piece of its line."""
    room = _WIDTH - 2 * MARGIN
    names = [shortened(curve.name, SIZE, room - _SAMPLE) for curve in curves]
    column = max(width(name, SIZE) for name in names) + _SAMPLE + 24
    n_columns = max(1, min(int((room + 24) // column), len(names)))
    page.skip(4)
    for number, name in enumerate(names):
        x = MARGIN + number % n_columns * column
        if number % n_columns == 0:
            page.skip(20)
        page.add(line(f"M{x:g} {page.y - 4.5:g}h{_SAMPLE - 8}", number, page.theme))
        page.put(name, x + _SAMPLE, page.y, "ink", SIZE)


def _write_key(page: Page, chart: Chart, run: RunAxis) -> None:
    """What the signs mean, and of a single curve, where they are."""
    found = by_kind(mark for curve in chart.curves for mark in marks(curve.what, chart.horizon))
    is_one = len(chart.curves) == 1
    page.skip(4)
    write_key(page, ((kind, place_in_words(kind, at, run) if is_one else kind.value) for kind, at in found.items()))


def _notes(chart: Chart, shown: Sequence[Panel]) -> list[str]:
    notes = [panel.note for panel in shown if panel.note]
    if any(curve.is_blind for curve in chart.curves):
        which = "drawn" if len(chart.curves) == 1 else "a schedule that reads a metric is drawn"
        notes.append(f"{which} without readings: it drops when the metric stops improving")
    return notes
