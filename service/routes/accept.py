"""What a client wants to have: the ``Accept`` header of RFC 9110."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

_QUALITY = re.compile(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class _Wish:
    """One media range, how much it is wanted, and its place in the header."""

    media: str
    quality: float
    place: int

    @property
    def breadth(self) -> int:
        """How much it leaves open: a media type nothing, ``image/*`` something, ``*/*`` everything."""
        return self.media.count("*")


def preferred(accept: str, offered: Sequence[str]) -> str:
    """Return the media type that is wanted most; of equal ones the one named first; the first offered where none is.

    As RFC 9110 allows, nobody is sent away who wants none of them.
    """
    wishes = [_wish(part, place) for place, part in enumerate(accept.split(","))]
    found = []
    for order, media in enumerate(offered):
        named = [wish for wish in wishes if fnmatchcase(media, wish.media)]
        if named:
            wish = min(named, key=lambda each: (each.breadth, each.place))
            if wish.quality > 0:
                found.append((-wish.quality, wish.place, order, media))
    return min(found)[-1] if found else offered[0]


def _wish(part: str, place: int) -> _Wish:
    media, *parameters = part.split(";")
    qualities = [match[1] for each in parameters if (match := _QUALITY.fullmatch(each.strip()))]
    media = media.strip().lower()
    is_range = re.fullmatch(r"\*/\*|[\w.+-]+/(\*|[\w.+-]+)", media) is not None
    return _Wish(media if is_range else "", float(qualities[0]) if qualities else 1.0, place)
