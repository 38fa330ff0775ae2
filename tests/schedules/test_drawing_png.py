"""Pictures as PNG, on a machine without fonts."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib

import pytest

from schedules import Cosine
from schedules.drawing import png, svg
from tests.schedules.pictures import size

SIGNATURE = b"\x89PNG\r\n\x1a\n"

WITHOUT = """
import sys
sys.modules["resvg_py"] = None
from schedules import Cosine
from schedules.drawing import png, svg
picture = svg(Cosine(), 10)
try:
    png(picture)
except RuntimeError as error:
    print(error)
"""


def pixels(image: bytes) -> bytes:
    """What the image is made of, still filtered line by line."""
    found, at = b"", len(SIGNATURE)
    while at < len(image):
        (length,) = struct.unpack(">I", image[at : at + 4])
        if image[at + 4 : at + 8] == b"IDAT":
            found += image[at + 8 : at + 8 + length]
        at += length + 12
    return zlib.decompress(found)


@pytest.mark.parametrize("zoom", [0.0, -1.0, 4.5, float("nan")])
def test_a_zoom_out_of_bounds_is_refused(zoom: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 4, got"):
        png(svg(Cosine(), 10), zoom)


def test_without_the_renderer_a_sentence_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "a PNG needs the package resvg-py, which is not installed: pip install resvg-py\n"


@pytest.mark.parametrize("zoom", [1.0, 2.0])
def test_a_png_is_as_large_as_its_svg_zoomed(zoom: float) -> None:
    picture = svg(Cosine(), 100, theme="dark")
    image = png(picture, zoom)
    assert image[:8] == SIGNATURE
    width, height = size(picture)
    assert struct.unpack(">II", image[16:24]) == (width * zoom, height * zoom)


def test_the_words_are_drawn_with_the_font_of_the_package() -> None:
    picture = svg(Cosine(), 100, theme="light")
    without_words = "\n".join(line for line in picture.splitlines() if not line.startswith("<text"))
    assert pixels(png(picture, 1.0)) != pixels(png(without_words, 1.0))


def test_a_picture_for_both_themes_is_rendered_light() -> None:
    assert pixels(png(svg(Cosine(), 100), 1.0)) == pixels(png(svg(Cosine(), 100, theme="light"), 1.0))
