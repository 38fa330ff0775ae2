"""Schedules as points and as pictures."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import Constant, Cosine, MultiFactor, Plateau, Recipe, Schedule, Sgd, Warmup
from schedules.drawing import points, svg
from tests.strategies import horizons, recipes, schedules

SVG = "{http://www.w3.org/2000/svg}"


def words(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]


def test_a_short_run_is_drawn_whole() -> None:
    assert points(MultiFactor(milestones=(0.5,), gamma=0.5), 4) == [(0, 1.0), (1, 1.0), (2, 0.5), (3, 0.5)]


@settings(max_examples=50)
@given(schedules(), horizons(), st.integers(2, 100))
def test_points_are_few_and_on_the_curve(schedule: Schedule, horizon: int, limit: int) -> None:
    found = points(schedule, horizon, limit)
    assert len(found) <= limit
    assert found == [(t, schedule(t, horizon)) for t in sorted({t for t, _ in found})]
    assert found[0][0] == 0
    assert found[-1][0] == horizon - 1


def test_a_drop_in_a_long_run_is_drawn_as_one() -> None:
    found = points(MultiFactor(milestones=(0.5,), gamma=0.1), 1_000_000, limit=100)
    before, after = max(t for t, m in found if m == 1.0), min(t for t, m in found if m < 1.0)
    assert (before, after) == (499_999, 500_000)


def test_the_peak_after_a_short_warmup_of_a_long_run_is_on_the_drawing() -> None:
    assert max(m for _, m in points(Warmup(fraction=0.0001, then=Cosine()), 1_000_000)) == pytest.approx(1, abs=1e-6)


@settings(max_examples=50)
@given(st.one_of(schedules(), recipes()), horizons())
def test_a_picture_is_well_formed_and_stays_in_its_frame(what: Schedule | Recipe, horizon: int) -> None:
    picture = ET.fromstring(svg(what, horizon))
    (line,) = picture.iter(f"{SVG}polyline")
    for corner in line.attrib["points"].split():
        x, y = (float(number) for number in corner.split(","))
        assert 0 <= x <= 720
        assert 0 <= y <= 360


def test_a_picture_names_its_axes_and_what_it_shows() -> None:
    recipe = Recipe(optimizer=Sgd(), peak_lr=0.1, schedule=Cosine())
    assert {"learning rate", "updates made", "sgd 1.0e-01 · cosine · 740 updates", "0", "0.1", "700"} <= {
        *words(svg(recipe, 740))
    }


def test_a_schedule_without_a_peak_is_drawn_as_a_share_of_it() -> None:
    assert "share of the peak rate" in words(svg(Constant(), 10))
    assert "learning rate" in words(svg(Constant(), 10, peak_lr=0.1))


def test_a_picture_of_a_plateau_says_that_it_has_had_no_readings() -> None:
    assert "drawn without readings: it drops when the metric stops improving" in words(svg(Plateau(), 10))
