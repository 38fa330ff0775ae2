"""What the signs on lines mean, below a picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from schedules.drawing.lines import sign
from schedules.drawing.marks import MarkKind
from schedules.drawing.page import MARGIN, Page
from schedules.drawing.words import shortened, width

_SIZE: Final = 12
_SIGN, _GAP = 16, 22


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
