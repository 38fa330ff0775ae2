"""Text in a picture: made safe for XML, and measured, so that it is neither cut off nor written over."""

from __future__ import annotations

import html
import unicodedata

FONTS = "Inter, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"

# Hundredths of the font size, from the space to the tilde: the wider of Inter and DejaVu Sans, since a browser
# without Inter takes a font of its own, and few are wider than these.
_ADVANCES = (
    *(32, 40, 47, 84, 64, 98, 78, 30, 39, 39, 50, 84, 32, 46, 32, 36, 64, 64, 64, 64, 65, 64, 64, 64, 64, 64),
    *(34, 34, 84, 84, 84, 53, 100, 69, 69, 73, 77, 63, 59, 77, 75, 29, 57, 67, 57, 90, 75, 79, 64, 79, 69, 64),
    *(65, 74, 69, 99, 69, 68, 69, 39, 36, 39, 84, 50, 50, 61, 63, 57, 63, 62, 37, 63, 63, 28, 28, 58, 28, 97),
    *(63, 61, 63, 63, 41, 53, 39, 63, 59, 82, 59, 59, 55, 64, 34, 64, 84),
)
_FULL_WIDTH = 105
_OTHER = {"·": 32, "…": 100, "→": 96, "×": 84, "–": 50, "−": 84}
_UNKNOWN = 85


def plain(text: str) -> str:
    """Return the text without what XML forbids or what would turn a line around: controls, halves of surrogates."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def escaped(text: str) -> str:
    """Return anybody's text as XML, for an element or an attribute."""
    return html.escape(plain(text))


def width(text: str, size: float) -> float:
    """Return how many pixels a text takes at most, on one line, in letters of this size."""
    return sum(map(_advance, text)) * size / 100


def shortened(text: str, size: float, room: float) -> str:
    """Return the text, cut and with an ellipsis if it takes more room than there is, in pixels."""
    text = plain(text)
    if width(text, size) <= room:
        return text
    left = room - width("…", size)
    for n_kept, letter in enumerate(text):
        left -= width(letter, size)
        if left < 0:
            return text[:n_kept].rstrip() + "…"
    return text


def wrapped(text: str, size: float, room: float, n_lines: int) -> list[str]:
    """Return the text in at most so many lines that fit, broken between words; the last is shortened if it must be."""
    lines, words = [""], plain(text).split(" ")
    for at, word in enumerate(words):
        longer = f"{lines[-1]} {word}".strip()
        if len(lines) == n_lines:
            lines[-1] = shortened(" ".join([lines[-1], *words[at:]]).strip(), size, room)
            break
        if width(longer, size) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return [shortened(line, size, room) for line in lines]


def number(value: float) -> str:
    """Return a number as short as it can be read: ``0.05``, ``3.1e-4``."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}"
    digits, _, power = f"{value:.2e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"


def _advance(letter: str) -> float:
    code = ord(letter)
    if 32 <= code < 127:
        return _ADVANCES[code - 32]
    if letter in _OTHER:
        return _OTHER[letter]
    if unicodedata.combining(letter):
        return 0
    return _FULL_WIDTH if unicodedata.east_asian_width(letter) in "WF" else _UNKNOWN
