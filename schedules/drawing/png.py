"""Pictures as PNG: the SVG, rendered."""

from __future__ import annotations

from pathlib import Path

FONT = Path(__file__).parent / "fonts" / "Inter.ttf"
"""Inter 4.001 (SIL Open Font License 1.1), cut down to Latin, Greek, Cyrillic, arrows and mathematical signs.

It is in the package because a server's image has no fonts.
"""
MOST_ZOOM = 4.0


def png(picture: str, zoom: float = 2.0) -> bytes:
    """Render a picture that this package has drawn, in the light theme unless it was drawn in another.

    Letters of other scripts than the font has, such as Chinese ones, become boxes; a browser draws them from the SVG.

    Args:
        picture: an SVG.
        zoom: pixels per unit of the SVG, above 0 and at most 4; screens with many small pixels want 2.

    Raises:
        ValueError: the zoom is out of bounds.
        RuntimeError: the package resvg-py is not installed.
    """
    if not 0 < zoom <= MOST_ZOOM:
        raise ValueError(f"a picture is zoomed by a number above 0 and at most {MOST_ZOOM:g}, got {zoom}")
    try:
        import resvg_py  # noqa: PLC0415  # only pictures need it, and only those in PNG
    except ImportError as error:
        raise RuntimeError("a PNG needs the package resvg-py, which is not installed: pip install resvg-py") from error
    family = FONT.stem
    return resvg_py.svg_to_bytes(
        svg_string=picture,
        zoom=zoom,
        font_files=[str(FONT)],
        skip_system_fonts=True,
        font_family=family,
        sans_serif_family=family,
    )
