"""Colours can be told apart: on light, on dark, and with each kind of colour blindness."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import pytest

from schedules import Cosine
from schedules.drawing import svg
from schedules.drawing.colours import DARK, LIGHT, LINES
from tests.schedules.pictures import elements

Colour = tuple[float, float, float]

THEMES = {"light": LIGHT, "dark": DARK}
# Machado, Oliveira and Fernandes (2009), full severity, on linear red, green and blue.
SEEN: Mapping[str, tuple[Colour, Colour, Colour]] = {
    "by most": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "without red": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "without green": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "without blue": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def linear(colour: str) -> Colour:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, from 1 to 21."""
    dark, light = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(other)))
    return (light + 0.05) / (dark + 0.05)


def lab(colour: Colour) -> Colour:
    r, g, b = (min(max(share, 0), 1) for share in colour)
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089
    fx, fy, fz = (math.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def seen(colour: str, eyes: str) -> Colour:
    red, green, blue = (sum(a * b for a, b in zip(row, linear(colour), strict=True)) for row in SEEN[eyes])
    return lab((red, green, blue))


@pytest.mark.parametrize("eyes", SEEN)
@pytest.mark.parametrize("theme", THEMES)
def test_any_two_lines_differ_for_all_eyes(theme: str, eyes: str) -> None:
    for one, other in itertools.combinations(LINES, 2):
        apart = math.dist(seen(THEMES[theme][one], eyes), seen(THEMES[theme][other], eyes))
        assert apart > 20, (one, other)


@pytest.mark.parametrize("theme", THEMES)
def test_lines_and_words_stand_out_from_the_paper(theme: str) -> None:
    colours = THEMES[theme]
    assert all(contrast(colours[line], colours["paper"]) >= 3 for line in LINES)
    assert all(contrast(colours[ink], colours["paper"]) >= 4.5 for ink in ("ink", "soft"))


def test_a_picture_turns_dark_where_the_readers_system_is() -> None:
    picture = svg(Cosine(), 10)
    assert "@media (prefers-color-scheme:dark)" in picture
    assert all(colour in picture for colour in DARK.values())
    assert LIGHT["paper"] in picture


@pytest.mark.parametrize("theme, other", [("light", DARK), ("dark", LIGHT)])
def test_a_picture_of_a_chosen_theme_has_no_other(theme: str, other: Mapping[str, str]) -> None:
    picture = svg(Cosine(), 10, theme="dark" if theme == "dark" else "light")
    assert "style" not in elements(picture)
    assert THEMES[theme]["paper"] in picture
    assert other["paper"] not in picture
