"""Reads pictures back: their words, their lines, and where these lie."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from schedules.drawing.words import width

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Word:
    """A text of a picture and the box that it takes at most."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Word) -> bool:
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)


def read(picture: str) -> ET.Element:
    return ET.fromstring(picture)


def size(picture: str) -> tuple[float, float]:
    root = read(picture)
    return float(root.attrib["width"]), float(root.attrib["height"])


def words(picture: str) -> list[Word]:
    return [_word(element) for element in read(picture).iter(f"{SVG}text")]


def texts(picture: str) -> list[str]:
    return [word.text for word in words(picture)]


def _word(element: ET.Element) -> Word:
    text, points = element.text or "", float(element.attrib["font-size"])
    x, y, long = float(element.attrib["x"]), float(element.attrib["y"]), width(element.text or "", points)
    left = {"start": x, "middle": x - long / 2, "end": x - long}[element.attrib.get("text-anchor", "start")]
    return Word(text, left, y - 0.75 * points, left + long, y + 0.2 * points)


def lines(picture: str) -> list[ET.Element]:
    """The curves, which are the lines that have a name."""
    return [path for path in read(picture).iter(f"{SVG}path") if path.find(f"{SVG}title") is not None]


def names(picture: str) -> list[str]:
    return [line.findtext(f"{SVG}title") or "" for line in lines(picture)]


def places(way: str) -> list[tuple[float, float]]:
    """The corners of a path that goes straight from one to the next."""
    numbers = [float(number) for number in re.findall(r"-?[0-9.]+", way)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def elements(picture: str) -> set[str]:
    return {element.tag.removeprefix(SVG) for element in read(picture).iter()}
