"""Charts: what they say, and that it can be read."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules import (
    SCHEDULES,
    AdamW,
    Constant,
    Cosine,
    Ema,
    Linear,
    MomentumCurve,
    MultiFactor,
    OneCycle,
    Plateau,
    Recipe,
    Restarts,
    Schedule,
    Sgd,
    Warmup,
)
from schedules.drawing import MOST_CURVES, Chart, Curve, draw, svg
from schedules.drawing.axes import LinearAxis, LogAxis
from schedules.drawing.colours import line_style
from schedules.drawing.curves import RateAxis
from schedules.drawing.gallery import examples
from schedules.drawing.lines import Frame, trace
from tests.schedules.pictures import elements, lines, names, places, read, size, texts, words
from tests.strategies import full_recipes, horizons, schedules

MARKUP = '<script>alert("x")</script>&amp;\x00\x1b[31m\u202e\ud800\ufffe'


def chart(*what: Schedule | Recipe, horizon: int = 100, rate_axis: RateAxis = "linear") -> str:
    return draw(Chart(tuple(Curve(each) for each in what), horizon, rate_axis=rate_axis))


def test_a_chart_of_no_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="from 1 to 20 curves, got 0"):
        Chart((), 10)


def test_a_chart_of_too_many_curves_is_refused() -> None:
    Chart((Curve(Constant()),) * MOST_CURVES, 10)
    with pytest.raises(ValueError, match="from 1 to 20 curves, got 21"):
        Chart((Curve(Constant()),) * (MOST_CURVES + 1), 10)


def test_a_chart_of_no_updates_is_refused() -> None:
    with pytest.raises(ValueError, match="got a horizon of 0"):
        Chart((Curve(Constant()),), 0)


def test_an_epoch_of_no_updates_is_refused() -> None:
    with pytest.raises(ValueError, match="an epoch has at least 1 update, got 0"):
        Chart((Curve(Constant()),), 10, updates_per_epoch=0)


def test_rates_and_shares_of_them_on_one_axis_are_refused() -> None:
    with pytest.raises(ValueError, match=r"either all curves .* but 'half' has none"):
        Chart((Curve(Constant(), peak_lr=0.1), Curve(Linear(), "half")), 10)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(full_recipes(), st.text(max_size=100)), min_size=1, max_size=5),
    horizons(high=10**9),
    st.sampled_from(["linear", "log"]),
    st.none() | st.integers(1, 10**6),
)
def test_any_chart_is_well_formed_and_its_words_neither_meet_nor_leave_it(
    drawn: list[tuple[Recipe, str]], horizon: int, rate_axis: RateAxis, updates_per_epoch: int | None
) -> None:
    curves = tuple(Curve(recipe, label) for recipe, label in drawn)
    picture = draw(Chart(curves, horizon, rate_axis=rate_axis, updates_per_epoch=updates_per_epoch))
    width, height = size(picture)
    found = words(picture)
    for word in found:
        assert word.left >= 0, word
        assert word.right <= width, word
        assert word.bottom <= height, word
    assert [pair for pair in itertools.combinations(found, 2) if pair[0].overlaps(pair[1])] == []
    for line in lines(picture):
        assert all(0 <= x <= width and 0 <= y <= height for x, y in places(line.attrib["d"]))


@settings(max_examples=60, deadline=None)
@given(schedules(), horizons(high=5000), st.booleans())
def test_the_line_goes_through_the_values_of_the_schedule(schedule: Schedule, horizon: int, is_steps: bool) -> None:
    per_update = 10 if is_steps else 4
    frame = Frame(0, 0, per_update * horizon, 10_000)
    way = trace(Curve(schedule).points(horizon), horizon, LinearAxis(0.0, 1.0), frame)
    for x, y in places(way):
        update = round(x / per_update)
        # A step holds its value from its update to the next.
        values = [schedule(max(t, 0), horizon) for t in ((update, update - 1) if is_steps else (update,))]
        assert min(abs(1 - y / 10_000 - value) for value in values) < 1e-6


def test_the_numbers_beside_the_axes_are_those_of_the_line() -> None:
    picture = chart(Recipe(optimizer=Sgd(), peak_lr=0.1, schedule=Linear()), horizon=1000)
    placed = {word.text: word for word in words(picture)}
    (line,) = lines(picture)
    (x0, y0), *_, (x1, y1) = places(line.attrib["d"])
    left, right = placed["200"], placed["1,000"]
    per_update = ((right.left + right.right) - (left.left + left.right)) / 2 / 800
    foot, top = placed["0.02"].bottom, placed["0.1"].bottom
    per_rate = (foot - top) / 0.08
    assert x1 - x0 == pytest.approx(per_update * 999, abs=0.1)
    assert y1 - y0 == pytest.approx(per_rate * 0.1 * 0.999, abs=0.1)


def test_each_update_of_a_short_run_is_a_step() -> None:
    way = trace([(0, 1.0), (1, 0.5)], 2, LinearAxis(0.0, 1.0), Frame(0, 0, 100, 100))
    assert places(way) == [(0, 0), (50, 0), (50, 50), (100, 50)]


def test_a_logarithmic_axis_makes_equal_factors_equally_long() -> None:
    axis = LogAxis(0.001, 1.0)
    assert [axis.share(10.0**power) for power in (-3, -2, -1, 0)] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert [tick.text for tick in axis.ticks if tick.text] == ["0.001", "0.01", "0.1", "1"]


def test_a_rate_of_zero_leaves_a_logarithmic_chart_at_its_foot() -> None:
    picture = chart(Cosine(), horizon=1000, rate_axis="log")
    assert "what is below 1e-4 is left out" in texts(picture)
    assert "share of the peak rate, logarithmic" in texts(picture)


def test_a_chart_names_its_axes_and_what_it_shows() -> None:
    picture = svg(Recipe(optimizer=Sgd(), peak_lr=0.1, schedule=Cosine()), 740)
    expected = {"learning rate", "updates made", "sgd 1.0e-01 · cosine", "740 updates", "0", "0.1", "700"}
    assert expected <= {*texts(picture)}


def test_a_schedule_without_a_peak_is_drawn_as_a_share_of_it() -> None:
    assert "share of the peak rate" in texts(svg(Constant(), 10))
    assert "learning rate" in texts(svg(Constant(), 10, peak_lr=0.1))


def test_a_chart_of_a_plateau_says_that_it_has_had_no_readings() -> None:
    assert "drawn without readings: it drops when the metric stops improving" in texts(svg(Plateau(), 10))
    with_readings = draw(Chart((Curve(Plateau(), readings=(1.0, 2.0)),), 10))
    assert "without readings" not in with_readings


def test_the_run_is_counted_in_epochs_where_their_length_is_given() -> None:
    picture = draw(Chart((Curve(Warmup(fraction=0.1, then=Cosine())),), 1000, updates_per_epoch=40))
    assert {"epochs of 40 updates", "25", "1,000 updates, 25 epochs of 40 updates"} <= {*texts(picture)}
    assert "warm-up ends at epoch 2.5" in texts(picture)


def test_the_key_says_what_the_signs_mean_and_of_one_curve_where_they_are() -> None:
    schedule = Warmup(fraction=0.2, then=Restarts(cycles=3))
    assert {"warm-up ends at update 20", "restart at update 47, 73"} <= {*texts(chart(schedule))}
    assert {"warm-up ends", "restart", "drop"} <= {*texts(chart(schedule, MultiFactor()))}


def test_many_marks_are_counted_and_not_all_named() -> None:
    assert "restart at update 100, 200, 300, 400, 500, 600, and 3 more" in texts(
        chart(Restarts(cycles=10), horizon=1000)
    )


def test_each_curve_of_many_stands_in_the_legend_with_a_line_of_its_own() -> None:
    curves = tuple(Curve(Constant(), f"curve {number}") for number in range(MOST_CURVES))
    picture = draw(Chart(curves, 10))
    assert names(picture) == [f"curve {number}" for number in range(MOST_CURVES)]
    assert {*names(picture)} <= {*texts(picture)}
    assert len({line_style(number) for number in range(MOST_CURVES)}) == MOST_CURVES


@pytest.mark.parametrize("number", range(1, MOST_CURVES))
def test_neighbours_in_the_legend_differ_in_colour_and_in_dashes(number: int) -> None:
    (colour, dashes), (other_colour, other_dashes) = line_style(number - 1), line_style(number)
    assert colour != other_colour
    assert dashes != other_dashes


def test_what_a_recipe_drives_beside_the_rate_has_a_frame_of_its_own() -> None:
    recipe = Recipe(
        optimizer=AdamW(weight_decay=0.05),
        peak_lr=3e-4,
        schedule=OneCycle(),
        weight_decay=Cosine(),
        momentum=MomentumCurve(low=0.85, curve=OneCycle().mirrored()),
        averaging=Ema(start_fraction=0.5),
    )
    picture = chart(recipe, horizon=1000)
    assert {"learning rate", "weight decay", "momentum", "0.05", "0.85", "0.9"} <= {*texts(picture)}
    assert "averaging begins at update 500" in texts(picture)
    assert len(lines(picture)) == 3


def test_anybodys_text_is_shown_and_never_obeyed() -> None:
    picture = draw(Chart((Curve(Constant(), MARKUP), Curve(Linear(), MARKUP)), 10, title=MARKUP))
    assert elements(picture) == {"svg", "title", "style", "rect", "path", "text"}
    assert '<script>alert("x")</script>&amp; [31m' in texts(picture)[0]
    assert not {"\x00", "\x1b", "\u202e", "\ud800", "\ufffe"} & {*"".join(texts(picture) + names(picture))}


def test_a_long_name_is_shortened_in_the_legend_and_whole_for_a_pointer() -> None:
    name = "a schedule of mine " * 30
    picture = draw(Chart((Curve(Constant(), name), Curve(Linear(), "short")), 10))
    assert names(picture)[0] == name.strip()
    assert any(text.startswith("a schedule of mine") and text.endswith("…") for text in texts(picture))


@pytest.mark.parametrize("kind", SCHEDULES)
def test_every_kind_of_schedule_is_drawn(kind: str) -> None:
    (first, *_) = examples(kind)
    assert first.schedule.kind == kind
    (line,) = lines(svg(first.what, 1000))
    assert len(places(line.attrib["d"])) >= 2


@pytest.mark.parametrize("horizon", [1, 2, 10**9])
def test_a_run_of_any_length_is_drawn(horizon: int) -> None:
    assert len(read(svg(Constant(), horizon))) > 5
