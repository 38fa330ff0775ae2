"""Colours and line styles: for light and dark, and told apart by whoever sees fewer colours or none."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Theme = Literal["auto", "light", "dark"]
"""``auto`` is light, and dark where the reader's system is."""

LINES = ("line0", "line1", "line2", "line3", "line4", "line5")

LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "paper": "#FFFFFF",
        "ink": "#1F2328",
        "soft": "#59636E",
        "axis": "#8C959F",
        "grid": "#E3E6EA",
        **dict(zip(LINES, ("#0072B2", "#C73927", "#00AB5A", "#CD7F00", "#79356A", "#222222"), strict=True)),
    }
)
DARK: Mapping[str, str] = MappingProxyType(
    {
        "paper": "#15181D",
        "ink": "#E6EAEF",
        "soft": "#A3ADB8",
        "axis": "#6B7580",
        "grid": "#2A2F37",
        **dict(zip(LINES, ("#56B4E9", "#D1781B", "#2B884A", "#EEE44F", "#AE5E9B", "#E5F0FC"), strict=True)),
    }
)
"""Near Okabe and Ito's colours, moved apart until the nearest two differ for each kind of colour blindness too.

Source: Okabe and Ito (2008), Color universal design, https://jfly.uni-koeln.de/color/
"""

DASHES = ("", "9 4", "2.5 2.5", "9 3 2 3", "16 4", "6 2.5 2 2.5 2 2.5")


def line_style(number: int) -> tuple[str, str]:
    """Return the colour's name and the dashes of the line of this number; the first 36 pairs all differ."""
    colour = number % len(LINES)
    return LINES[colour], DASHES[(colour + number // len(LINES)) % len(DASHES)]


def paint(theme: Theme, *, fill: str = "none", stroke: str = "") -> str:
    """Return the attributes that give an element its colours, by their names; ``dark_style`` changes them."""
    colours = DARK if theme == "dark" else LIGHT
    named = {"fill": fill, "stroke": stroke}
    attributes = [f'{what}="{colours.get(name, name)}"' for what, name in named.items() if name]
    classes = [f"{what}-{name}" for what, name in named.items() if name in colours]
    if classes and theme == "auto":
        attributes.insert(0, f'class="{" ".join(classes)}"')
    return " ".join(attributes)


def dark_style(theme: Theme) -> str:
    """Return the element that turns a picture dark where the reader's system is; nothing for a theme that is chosen."""
    if theme != "auto":
        return ""
    rules = [
        f"svg.etude .{what}-{name}{{{what}:{colour}}}" for what in ("fill", "stroke") for name, colour in DARK.items()
    ]
    return f"<style>@media (prefers-color-scheme:dark){{{''.join(rules)}}}</style>"
