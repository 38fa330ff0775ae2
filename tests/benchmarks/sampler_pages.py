"""What a sampler drew, as a page: the first trials in position space, and how often each plan came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from schedules.drawing.colours import LINES, paint
from schedules.drawing.page import MARGIN, Page
from search.space import Space

SHOWN: Final[Mapping[str, float]] = {
    "lr_position": 1.0,
    "weight_decay_position": 1.0,
    "momentum_position": 1.0,
    "warmup_fraction": 0.2,
}
"""The parameters that every trial of the default space has, each with the high end of its range."""

SIDE: Final = 210.0
GAP: Final = 46.0
COLUMNS: Final = 3


def sampler_page(title: str, space: Space, drawn: Sequence[Mapping[str, Any]]) -> str:
    """Draw the pairs of shared parameters as points, coloured by family and fainter the earlier they came."""
    page = Page(2 * MARGIN + COLUMNS * (SIDE + GAP) + 240, "light")
    page.write(title, size=17)
    page.write("colour: family; circle: the first optimizer, square: another; faint: early, full: late", colour="soft")
    page.skip(16)
    top = page.y
    for place, (across, up) in enumerate(combinations(SHOWN, 2)):
        left = MARGIN + GAP / 2 + (place % COLUMNS) * (SIDE + GAP)
        _frame(page, left, top + (place // COLUMNS) * (SIDE + GAP), across, up, space, drawn)
    _counts(page, MARGIN + COLUMNS * (SIDE + GAP) + GAP / 2, top, space, drawn)
    page.y = top + 2 * (SIDE + GAP)
    return page.finished(title)


def _frame(
    page: Page, left: float, top: float, across: str, up: str, space: Space, drawn: Sequence[Mapping[str, Any]]
) -> None:
    page.add(f'<rect x="{left}" y="{top}" width="{SIDE}" height="{SIDE}" {paint("light", stroke="axis")}/>')
    page.put(across, left + SIDE / 2, top + SIDE + 16, "soft", 12, "middle")
    page.add(f'<g transform="rotate(-90 {left - 7} {top + SIDE / 2})">')
    page.put(up, left - 7, top + SIDE / 2, "soft", 12, "middle")
    page.add("</g>")
    for number, parameters in enumerate(drawn):
        x = left + SIDE * parameters[across] / SHOWN[across]
        y = top + SIDE * (1 - parameters[up] / SHOWN[up])
        _mark(page, x, y, parameters["plan"], space, 0.25 + 0.75 * number / max(1, len(drawn) - 1))


def _mark(page: Page, x: float, y: float, plan: str, space: Space, opacity: float) -> None:
    optimizer, family = plan.split("+")
    look = f'{paint("light", fill=LINES[space.families.index(family) % len(LINES)])} fill-opacity="{opacity:.2f}"'
    if optimizer == space.optimizers[0]:
        page.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" {look}/>')
    else:
        page.add(f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" {look}/>')


def _counts(page: Page, left: float, top: float, space: Space, drawn: Sequence[Mapping[str, Any]]) -> None:
    counts = Counter(parameters["plan"] for parameters in drawn)
    page.put(f"{len(drawn)} trials by plan", left, top + 10, "ink", 13)
    for row, plan in enumerate(space.plans):
        y = top + 32 + 24 * row
        _mark(page, left + 4, y - 4, plan, space, 1.0)
        page.put(f"{plan}", left + 14, y, "ink", 12)
        length = 60 * counts[plan] / max(counts.values())
        page.add(
            f'<rect x="{left + 150}" y="{y - 10}" width="{length:.1f}" height="11" {paint("light", fill="axis")}/>'
        )
        page.put(str(counts[plan]), left + 156 + length, y, "soft", 12)
