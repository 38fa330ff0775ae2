"""When weights enter an average, and at which rate the run then goes on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schedules import AVERAGINGS, AnyAveraging, Averaging, ConstantTail, CyclicTail, Ema, Swa
from tests.strategies import averagings, horizons

AVERAGING: TypeAdapter[Averaging] = TypeAdapter(AnyAveraging)


def entering(averaging: Averaging, horizon: int) -> list[int]:
    return [done for done in range(1, horizon + 1) if averaging.takes(done, horizon)]


# refusals


@pytest.mark.parametrize(
    "averaging, horizon, message",
    [
        (Ema(start_fraction=0.9), 10, "'ema' needs at least two weights .* starts after 9 of 10 updates .* every 1$"),
        (Ema(start_fraction=0.99), 10, "starts after 10 of 10 updates"),
        (Ema(), 1, "starts after 0 of 1 updates"),
        (Swa(start_fraction=0.95), 10, "'swa' needs at least two weights .* starts after 10 of 10 updates"),
        (Swa(start_fraction=0.5, every_fraction=0.3), 10, "starts after 5 of 10 updates and .* every 3$"),
        (
            Swa(start_fraction=0.5, tail=CyclicTail()),
            10,
            r"a cycle of the averaging 'swa' needs at least 2 updates, got an every_fraction of 0\.0",
        ),
    ],
)
def test_a_run_in_which_an_average_would_be_none_is_refused(averaging: Averaging, horizon: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        averaging.check(horizon)


def test_values_of_another_averaging_are_refused() -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        Ema.build({"swa_start_fraction": 0.7})


# worked examples


@pytest.mark.parametrize(
    "averaging, expected",
    [
        (Ema(), list(range(1, 21))),
        (Ema(start_fraction=0.8), [17, 18, 19, 20]),
        (Swa(), [16, 17, 18, 19, 20]),
        (Swa(start_fraction=0.0), list(range(1, 21))),
        (Swa(start_fraction=0.5, every_fraction=0.15), [13, 16, 19]),
        (Swa(start_fraction=0.5, every_fraction=0.25), [15, 20]),
    ],
)
def test_the_weights_that_enter_in_a_run_of_twenty_updates(averaging: Averaging, expected: list[int]) -> None:
    averaging.check(20)
    assert entering(averaging, 20) == expected
    assert averaging.first(20) == expected[0]


def test_an_averaging_without_a_tail_leaves_the_rate_alone() -> None:
    assert [Ema().tail_at(t, 8) for t in range(10)] == [None] * 10
    assert [Swa().tail_at(t, 8) for t in range(10)] == [None] * 10


def test_a_constant_tail_holds_its_ratio_from_the_start_on_and_past_the_end() -> None:
    swa = Swa(start_fraction=0.5, tail=ConstantTail(ratio=0.25))
    assert [swa.tail_at(t, 4) for t in range(6)] == [None, None, 0.25, 0.25, 0.25, 0.25]


def test_a_cyclic_tail_is_lowest_where_weights_enter() -> None:
    swa = Swa(start_fraction=0.2, every_fraction=0.4, tail=CyclicTail(high_ratio=1.0, low_ratio=0.2))
    assert [swa.tail_at(t, 10) for t in range(2)] == [None, None]
    rates = [swa.tail_at(t, 10) for t in range(2, 12)]
    # a cycle of 4 updates, the rate past the end that of t = T
    assert rates == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.8, 0.6, 0.4, 0.2, 0.8, 0.8], rel=1e-12)
    assert entering(swa, 10) == [6, 10]


@pytest.mark.parametrize(
    "averaging, words",
    [
        (Ema(), "ema 0.999"),
        (Ema(decay=0.9999, start_fraction=0.5), "ema 0.9999 from 50%"),
        (Swa(), "swa from 75%"),
        (Swa(start_fraction=0.6, every_fraction=0.05, tail=CyclicTail()), "swa from 60% every 5% at a cyclic rate"),
    ],
)
def test_a_summary_is_short(averaging: Averaging, words: str) -> None:
    assert averaging.summary() == words


# properties


@given(averagings(), horizons(1, 2000))
def test_what_passes_the_check_takes_two_weights_and_keeps_rates_between_zero_and_one(
    averaging: Averaging, horizon: int
) -> None:
    try:
        averaging.check(horizon)
    except ValueError:
        return
    taken = entering(averaging, horizon)
    assert len(taken) >= 2
    assert taken[0] == averaging.first(horizon) > averaging.start(horizon)
    tails = [averaging.tail_at(t, horizon) for t in range(averaging.start(horizon), horizon + 2)]
    assert all(tail is None or 0 <= tail <= 1 for tail in tails)


@given(averagings())
def test_json_is_the_identity(averaging: Averaging) -> None:
    assert AVERAGING.validate_json(averaging.model_dump_json()) == averaging


@pytest.mark.parametrize("kind", AVERAGINGS)
@given(st.data())
def test_every_draw_of_a_search_makes_an_averaging(kind: str, data: st.DataObject) -> None:
    averaging = AVERAGINGS[kind]
    values = {name: own.at(data.draw(st.floats(0, 1))) for name, own in averaging.searched.items()}
    assert all(name.startswith(f"{kind}_") for name in values)
    assert averaging.build(values).kind == kind


@pytest.mark.parametrize("kind", AVERAGINGS)
def test_every_averaging_says_its_formula_and_its_source(kind: str) -> None:
    text = AVERAGINGS[kind].__doc__ or ""
    assert "a_n = " in text
    assert "Source: " in text
