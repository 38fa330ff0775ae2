"""Curves in text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schedules.drawing.axes import LinearAxis, RunAxis
from service.cli.console import seconds
from service.cli.plot import draw, stroke

HORIZON = 100


@given(st.lists(st.floats(-10, 10, allow_nan=False), min_size=1, max_size=50))
def test_every_drawing_keeps_its_size(values: list[float]) -> None:
    axis = LinearAxis(0.0, 1.0)
    line = stroke(0, list(enumerate(values)), axis, HORIZON)
    rows = draw([line], axis, RunAxis(HORIZON, None, 80), columns=10, rows=3).plain.splitlines()
    assert len(rows) == 5
    assert {len(row.rpartition("┤")[2]) for row in rows[:3]} == {10}


def test_durations_read_as_people_say_them() -> None:
    assert [seconds(value) for value in (None, 0.04, 8.2, 59.4, 200, 7500)] == [
        "–",
        "0.0 s",
        "8.2 s",
        "59 s",
        "3 min 20 s",
        "2 h 05 min",
    ]
