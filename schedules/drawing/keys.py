"""What the signs on lines mean, and where they are, below a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from schedules.drawing.axes import RunAxis
from schedules.drawing.lines import SIGNS, sign
from schedules.drawing.marks import Mark, MarkKind
from schedules.drawing.page import MARGIN, Page
from schedules.drawing.words import shortened, width

_SIZE: Final = 12
_SIGN, _GAP = 16, 22
_MOST_NAMED: Final = 6


def by_kind(found: Iterable[Mark]) -> dict[MarkKind, list[int]]:
    """Return the updates of the marks that have a sign, by what happens there."""
    kinds: dict[MarkKind, list[int]] = {}
    for mark in found:
        if mark.kind in SIGNS:
            kinds.setdefault(mark.kind, []).append(mark.update)
    return kinds


def place_in_words(kind: MarkKind, updates: Sequence[int], run: RunAxis) -> str:
    """Return what happens and where, such as ``restart at update 250, 500``; of many places the first few."""
    unit = "update" if run.updates_per_epoch is None else "epoch"
    named = [run.text(update) for update in updates[:_MOST_NAMED]]
    more = [f"and {len(updates) - len(named)} more"] if len(updates) > len(named) else []
    return f"{kind.value} at {unit} {', '.join([*named, *more])}"


def write_key(page: Page, entries: Iterable[tuple[MarkKind, str]]) -> None:
    """Write a sign and what it means, one after the other, in as many lines as they take."""
    right = page.width - MARGIN
    x = page.width
    for kind, meaning in entries:
        words = shortened(meaning, _SIZE, right - MARGIN - _SIGN)
        if x + _SIGN + width(words, _SIZE) > right:
            x = MARGIN
            page.skip(20)
        page.add(sign(kind, (x + 6, page.y - 4), "soft", page.theme))
        page.put(words, x + _SIGN, page.y, "soft", _SIZE)
        x += _SIGN + width(words, _SIZE) + _GAP
