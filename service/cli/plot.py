"""Curves drawn in text: Braille dots, two across and four down in each character."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.text import Text

from schedules.drawing.axes import Axis, RunAxis

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each dot of a Braille character, by row and column."""
BLANK = 0x2800
LETTERS = string.ascii_lowercase
"""What a line is called where there are many: colours alone do not reach everybody, nor every terminal."""
STYLES = ("bright_blue", "red", "green", "yellow", "magenta", "default")


@dataclass(frozen=True)
class Stroke:
    """One curve: points (share of the run, share of the upright axis), by rising share of the run, at least one."""

    points: Sequence[tuple[float, float]]
    style: str = "default"
    letter: str = ""


def stroke(number: int, points: Sequence[tuple[int, float]], axis: Axis, horizon: int) -> Stroke:
    """Return (update, value) pairs as the stroke of this number among many; each has its letter and its style."""
    return Stroke([(t / horizon, axis.share(v)) for t, v in points], STYLES[number % len(STYLES)], LETTERS[number])


def draw(
    drawn: Sequence[Stroke],
    axis: Axis,
    run: RunAxis,
    *,
    signs: Iterable[tuple[float, str]] = (),
    columns: int = 64,
    rows: int = 14,
) -> Text:
    """Draw strokes in a labelled frame; what lies below the upright axis is left out.

    Args:
        signs: what stands below the axis: (share of the run, sign).
    """
    cells = _cells(drawn, columns, rows)
    for number, each in enumerate(drawn):
        if len(drawn) > 1:
            _name(each, cells, number / len(drawn), columns, rows)
    labels: dict[int, str] = {}
    for tick in axis.ticks:
        if tick.text:
            labels.setdefault(round((1 - tick.share) * (rows - 1)), tick.text)
    width = max(map(len, labels.values()))
    picture = Text()
    for row in range(rows):
        picture.append(f"{labels.get(row, ''):>{width}} ┤")
        for column in range(columns):
            letter, style = cells.get((column, row), (" ", ""))
            picture.append(letter, style)
        picture.append("\n")
    below = [f"└{'─' * columns}", f" {_numbers(run, columns)}", *([f" {_line_of(signs, columns)}"] if signs else [])]
    return picture.append("\n".join(f"{'':>{width}} {line}".rstrip() for line in below))


def _line_of(signs: Iterable[tuple[float, str]], columns: int) -> str:
    line = [" "] * columns
    for share, each in signs:
        line[min(int(share * columns), columns - 1)] = each
    return "".join(line)


Cells = dict[tuple[int, int], tuple[str, str]]
"""What stands in each character, and in which style, by column and row."""


def _cells(drawn: Sequence[Stroke], columns: int, rows: int) -> Cells:
    dots: dict[tuple[int, int], int] = {}
    styles: dict[tuple[int, int], str] = {}
    for each in drawn:
        for x, y in _dots(each.points, columns * 2, rows * 4):
            place = x // 2, y // 4
            dots[place] = dots.get(place, 0) | DOTS[y % 4][x % 2]
            styles[place] = each.style
    return {place: (chr(BLANK + bits), styles[place]) for place, bits in dots.items()}


def _dots(points: Sequence[tuple[float, float]], across: int, down: int) -> list[tuple[int, int]]:
    """Every dot on the way from point to point; upright jumps are filled, so that steps stay joined."""
    corners = [(round(x * (across - 1)), round((1 - y) * (down - 1))) for x, y in points]
    found = [corners[0]]
    for (x0, y0), (x1, y1) in pairwise(corners):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        found += [(round(x0 + (x1 - x0) * i / steps), round(y0 + (y1 - y0) * i / steps)) for i in range(1, steps + 1)]
    return [(x, y) for x, y in found if 0 <= y < down]


def _name(named: Stroke, cells: Cells, shift: float, columns: int, rows: int) -> None:
    """Write the letter of a stroke on it, three times, where no other letter stands."""
    rows_at = {x // 2: y // 4 for x, y in _dots(named.points, columns * 2, rows * 4)}
    for third in range(3):
        wanted = int((third + shift) / 3 * columns)
        for column in range(wanted, columns):
            row = rows_at.get(column)
            if row is not None and cells[column, row][0] not in LETTERS:
                cells[column, row] = named.letter, named.style
                break


def _numbers(run: RunAxis, columns: int) -> str:
    """The numbers below the axis, each around its place, as far as they leave a space between them."""
    line = " " * (columns + 1)
    for tick in run.ticks:
        start = min(max(round(tick.share * columns - len(tick.text) / 2), 0), columns + 1 - len(tick.text))
        around = line[max(start - 1, 0) : start + len(tick.text) + 1]
        if start >= 0 and not around.strip():
            line = line[:start] + tick.text + line[start + len(tick.text) :]
    return line.rstrip()
