"""An SVG that is written from top to bottom."""

from __future__ import annotations

from typing import Final, Literal

from schedules.drawing.colours import Theme, dark_style, paint
from schedules.drawing.words import FONTS, escaped, shortened

MARGIN: Final = 20
SIZE: Final = 13

Anchor = Literal["start", "middle", "end"]


class Page:
    """What has been drawn, and how far down.

    Attributes:
        y: where the next line of text stands, in pixels from the top; or where the next frame begins.
    """

    def __init__(self, width: float, theme: Theme) -> None:
        self.width = width
        self.theme: Theme = theme
        self.y: float = MARGIN - 6
        self._elements: list[str] = []

    def skip(self, pixels: float) -> None:
        """Go down."""
        self.y += pixels

    def add(self, element: str) -> None:
        """Draw an element."""
        self._elements.append(element)

    def write(self, text: str, *, x: float = MARGIN, colour: str = "ink", size: float = SIZE) -> None:
        """Write a line of text below what is there, shortened to the page."""
        self.skip(round(size * 1.45))
        self.put(shortened(text, size, self.width - MARGIN - x), x, self.y, colour, size)

    def put(self, text: str, x: float, y: float, colour: str, size: float, anchor: Anchor = "start") -> None:
        """Write text anywhere; y is its base line."""
        where = f'x="{x:.5g}" y="{y:.5g}"' + ("" if anchor == "start" else f' text-anchor="{anchor}"')
        self.add(f'<text {where} font-size="{size:g}" {paint(self.theme, fill=colour)}>{escaped(text)}</text>')

    def rule(
        self, x1: float, y1: float, x2: float, y2: float, colour: str, *, faint: bool = False, dashes: str = ""
    ) -> None:
        """Draw a thin straight line."""
        look = (' stroke-opacity="0.5"' if faint else "") + (f' stroke-dasharray="{dashes}"' if dashes else "")
        way = f"M{x1:.5g} {y1:.5g}L{x2:.5g} {y2:.5g}"
        self.add(f'<path d="{way}" {paint(self.theme, stroke=colour)}{look}/>')

    def finished(self, title: str) -> str:
        """Return the picture; its title is XML already."""
        height = round(self.y + MARGIN - 4)
        size = f'width="{self.width:g}" height="{height}"'
        box = f'viewBox="0 0 {self.width:g} {height}" {size}'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" class="etude" {box} role="img" font-family="{FONTS}">'
        told = f"<title>{title}</title>{dark_style(self.theme)}"
        paper = f"<rect {size} {paint(self.theme, fill='paper')}/>"
        return "\n".join([head, told, paper, *self._elements, "</svg>", ""])
