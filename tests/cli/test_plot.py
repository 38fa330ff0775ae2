"""Curves in text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.cli.console import seconds
from service.cli.plot import BLANK, draw

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


def test_a_falling_line_goes_from_the_upper_left_to_the_lower_right() -> None:
    drawn = draw([(0, 1.0), (3, 0.0)], columns=2, rows=1, top=1.0)
    # Four dots across and four down: the diagonal.
    assert drawn.splitlines()[0].endswith(chr(BLANK | 0x01 | 0x10) + chr(BLANK | 0x04 | 0x80))


def test_the_frame_names_both_ends_of_both_axes() -> None:
    lines = draw([(0, 0.1), (999, 0.0)], columns=20, rows=4, top=0.1).splitlines()
    assert lines[0].startswith(" 0.1 ┤")
    assert lines[3].startswith("   0 ┤")
    assert lines[-1].split() == ["0", "999"]


@given(st.lists(FINITE, min_size=1, max_size=50), FINITE)
def test_every_drawing_keeps_its_size(values: list[float], top: float) -> None:
    points = [(float(x), y) for x, y in enumerate(values)]
    lines = draw(points, columns=10, rows=3, top=top).splitlines()
    assert len(lines) == 5
    assert {len(line.rpartition("┤")[2]) for line in lines[:3]} == {10}


def test_durations_read_as_people_say_them() -> None:
    assert [seconds(value) for value in (None, 0.04, 8.2, 59.4, 200, 7500)] == [
        "–",
        "0.0 s",
        "8.2 s",
        "59 s",
        "3 min 20 s",
        "2 h 05 min",
    ]
