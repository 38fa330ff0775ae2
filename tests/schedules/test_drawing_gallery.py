"""The sheet of all schedules, and the copy of it in the documentation."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from schedules import SCHEDULES
from schedules.drawing import gallery
from schedules.drawing.gallery import EXAMPLES
from tests.schedules.pictures import lines, names, size, texts, words

COMMITTED = Path(__file__).parents[2] / "docs" / "gallery.svg"


def test_every_family_and_join_is_on_the_sheet_with_examples() -> None:
    assert set(EXAMPLES) == set(SCHEDULES)
    assert set(SCHEDULES) <= set(texts(gallery()))
    expected = [curve.name for kind in SCHEDULES for curve in EXAMPLES[kind]]
    assert sorted(names(gallery())) == sorted(expected)


def test_the_words_of_the_sheet_neither_meet_nor_leave_it_nor_are_cut() -> None:
    picture = gallery()
    width, height = size(picture)
    found = words(picture)
    assert all(word.left >= 0 and word.right <= width and word.bottom <= height for word in found)
    assert [pair for pair in itertools.combinations(found, 2) if pair[0].overlaps(pair[1])] == []
    assert not any(text.endswith("…") for text in texts(picture))


def test_the_committed_sheet_is_the_one_that_is_drawn() -> None:
    """Run ``etude gallery docs/gallery.svg`` when this fails."""
    committed, drawn = COMMITTED.read_text(encoding="utf-8"), gallery()
    number = re.compile(r"-?\d+\.?\d*")
    assert number.sub("#", committed) == number.sub("#", drawn)
    # cos and pow may differ in the last bit between machines, and the rounded place with them.
    found = [float(text) for text in number.findall(committed)]
    assert found == pytest.approx([float(text) for text in number.findall(drawn)], abs=0.011)


def test_the_sheet_is_small_enough_for_a_repository() -> None:
    assert len(COMMITTED.read_bytes()) < 100_000
    assert len(lines(gallery())) == len(names(gallery()))
