"""Schedules made of others: what each part sees, and where parts meet."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schedules import (
    Constant,
    Cooldown,
    Cosine,
    Cyclic,
    Linear,
    Plateau,
    PlateauState,
    Product,
    Restarts,
    Schedule,
    Sequence,
    Warmup,
)
from tests.strategies import (
    cooldowns,
    families,
    horizons,
    joins,
    metrics,
    plateaus,
    products,
    restarts,
    sequences,
    shapes,
    warmups,
)

Readings = list[tuple[float, int]]
STUCK = [1.0] * 12

updates = st.integers(0, 2_000_000)
readings = st.lists(st.tuples(metrics(), updates), max_size=30)
once = st.one_of(families(), joins()).filter(lambda schedule: schedule.kind != "warmup")


def after(schedule: Schedule, heard: Readings, horizon: int) -> PlateauState | None:
    state = schedule.start()
    for metric, t in heard:
        if state is not None:
            state = schedule.observe(state, metric, t, horizon)
    return state


def runs(schedule: Schedule, horizon: int) -> bool:
    try:
        schedule.check(horizon)
    except ValueError:
        return False
    return True


def multipliers(schedule: Schedule, horizon: int, metrics: list[float]) -> list[float]:
    """Return the multiplier of each update; one metric is read after each, as far as they reach."""
    state, found = schedule.start(), []
    for t in range(horizon):
        found.append(schedule(t, horizon, state))
        if state is not None and t < len(metrics):
            state = schedule.observe(state, metrics[t], t + 1, horizon)
    return found


@given(warmups(once), horizons(2), updates)
def test_a_warmup_never_falls(schedule: Warmup, horizon: int, t: int) -> None:
    n_ramp = schedule.updates(horizon)
    assume(n_ramp > 1)
    t %= n_ramp - 1
    assert schedule(t, horizon) <= schedule(t + 1, horizon) + 1e-15


@given(warmups(once), horizons(2))
def test_a_warmup_ends_where_the_inner_schedule_begins(schedule: Warmup, horizon: int) -> None:
    n_ramp = schedule.updates(horizon)
    assume(0 < n_ramp < horizon)
    begins = schedule.then(0, horizon - n_ramp)
    assert schedule(n_ramp, horizon) == begins
    assert schedule(n_ramp - 1, horizon) == pytest.approx(begins, abs=1e-15)


@given(warmups(once), horizons(2), updates, readings)
def test_after_a_warmup_the_inner_schedule_sees_the_rest_of_the_run(
    schedule: Warmup, horizon: int, t: int, heard: Readings
) -> None:
    n_ramp = schedule.updates(horizon)
    assume(n_ramp < horizon)
    rest = horizon - n_ramp
    later = [(metric, n_ramp + at) for metric, at in heard]
    state, inner = after(schedule, later, horizon), after(schedule.then, heard, rest)
    assert state == inner
    assert schedule(n_ramp + t, horizon, state) == schedule.then(t, rest, inner)


@given(cooldowns(once), horizons(2), updates, readings)
def test_before_a_cooldown_the_inner_schedule_sees_what_it_leaves_of_the_run(
    schedule: Cooldown, horizon: int, t: int, heard: Readings
) -> None:
    start = schedule.decay_start(horizon)
    assume(start > 0)
    t, early = t % (start + 1), [(metric, at % (start + 1)) for metric, at in heard]
    state, inner = after(schedule, early, horizon), after(schedule.first, early, start)
    assert state == inner
    assert schedule(t, horizon, state) == schedule.first(t, start, inner)


@given(cooldowns(once), horizons(2), updates, readings)
def test_a_cooldown_only_falls_from_where_the_inner_schedule_ends(
    schedule: Cooldown, horizon: int, t: int, heard: Readings
) -> None:
    start = schedule.decay_start(horizon)
    assume(start > 0)
    state = after(schedule, heard, horizon)
    level = schedule.first(start, start, state)
    t = start + t % (horizon - start)
    assert schedule(start, horizon, state) == level
    assert schedule(t + 1, horizon, state) <= schedule(t, horizon, state) + 1e-15
    assert schedule(horizon, horizon, state) == pytest.approx(level * schedule.final_ratio, abs=1e-15)


@given(restarts(), horizons(2), updates)
def test_each_cycle_is_the_inner_schedule_over_its_own_length_under_its_own_peak(
    schedule: Restarts, horizon: int, t: int
) -> None:
    t %= horizon
    bounds = schedule.bounds(horizon)
    cycle, (begin, end) = next(found for found in enumerate(pairwise(bounds)) if found[1][0] <= t < found[1][1])
    assert schedule(t, horizon) == schedule.peak_decay**cycle * schedule.then(t - begin, end - begin)


@given(restarts(), horizons(2))
def test_cycles_fill_the_run_and_grow(schedule: Restarts, horizon: int) -> None:
    assume(runs(schedule, horizon))
    bounds = schedule.bounds(horizon)
    assert bounds[0] == 0
    assert bounds[-2] < horizon <= bounds[-1]
    lengths = [end - begin for begin, end in pairwise(bounds)]
    for earlier, later in pairwise(lengths):
        assert later == pytest.approx(schedule.t_mult * earlier, abs=1 + schedule.t_mult)
    if schedule.cycles is not None:
        assert (len(lengths), bounds[-1]) == (schedule.cycles, horizon)


@given(sequences(once), horizons(2), updates, readings)
def test_each_part_of_a_sequence_sees_its_own_stretch(
    schedule: Sequence, horizon: int, t: int, heard: Readings
) -> None:
    assume(runs(schedule, horizon))
    state = after(schedule, heard, horizon)
    for part, (begin, end) in zip(schedule.schedules, pairwise(schedule.bounds(horizon)), strict=True):
        place = begin + t % (end - begin)
        assert schedule(place, horizon, state) == part(place - begin, end - begin, state)


@given(products(once), horizons(), updates, readings)
def test_a_product_is_the_product_of_its_parts(schedule: Product, horizon: int, t: int, heard: Readings) -> None:
    state, product = after(schedule, heard, horizon), 1.0
    for part in schedule.schedules:
        product *= part(t, horizon, state)
    assert schedule(t, horizon, state) == product


@given(joins(once), horizons())
def test_a_join_remembers_what_its_reading_part_remembers(schedule: Schedule, horizon: int) -> None:
    reading = [part for part in schedule.parts if part.start() is not None]
    assert len(reading) <= 1
    assert schedule.start() == (reading[0].start() if reading else None)


@given(plateaus(), st.sampled_from(["min", "max"]))
def test_the_direction_of_the_metric_reaches_every_plateau(plateau: Plateau, mode: str) -> None:
    schedule = Warmup(then=Product(schedules=(Cosine(), Cooldown(first=plateau))))
    inner = schedule.with_mode(mode).then  # type: ignore[arg-type]  # one of the two, drawn
    assert isinstance(inner, Product)
    cooldown = inner.schedules[1]
    assert isinstance(cooldown, Cooldown)
    assert isinstance(cooldown.first, Plateau)
    assert cooldown.first.mode == mode


@given(shapes())
def test_a_sequence_of_one_schedule_twice_is_it_restarted(schedule: Schedule) -> None:
    assume(schedule.kind != "constant")
    twice = Sequence.model_validate({"schedules": (schedule, schedule), "milestones": (0.5,)})
    again = Restarts.model_validate({"cycles": 2, "then": schedule})
    assert [twice(t, 40) for t in range(45)] == [again(t, 40) for t in range(45)]


def test_a_plateau_in_a_sequence_reads_while_its_stretch_lasts() -> None:
    plateau = Plateau(factor=0.5, patience=0)
    schedule = Sequence(schedules=(Constant(), plateau, Linear()), milestones=(0.25, 0.75))
    # the reading after update 3 is taken when four updates are made, where the plateau begins
    expected = [1, 1, 1, 1, 0.5, 0.25, 0.125, 0.0625, 0.03125, 1, 2 / 3, 1 / 3]
    assert multipliers(schedule, 12, STUCK) == pytest.approx(expected, abs=1e-15)


def test_a_cooldown_goes_on_from_the_level_that_a_plateau_has_come_to() -> None:
    schedule = Cooldown(fraction=0.5, decay="linear", first=Plateau(factor=0.5, patience=1))
    assert multipliers(schedule, 8, STUCK) == [1, 1, 1, 0.5, 0.5, 0.375, 0.25, 0.125]


def test_a_plateau_in_a_product_scales_the_others() -> None:
    schedule = Product(schedules=(Linear(), Plateau(factor=0.5, patience=0)))
    assert multipliers(schedule, 4, STUCK) == [1, 0.75, 0.25, 0.0625]


def test_a_warmup_around_a_sequence_with_a_plateau_passes_its_state_through() -> None:
    plateau = Plateau(factor=0.5, patience=0)
    schedule = Warmup(fraction=0.25, then=Sequence(schedules=(plateau, Constant()), milestones=(0.5,)))
    assert multipliers(schedule, 8, STUCK) == [0.5, 1, 1, 0.5, 0.25, 1, 1, 1]


def test_a_warmup_before_cycles_leads_to_their_base() -> None:
    schedule = Warmup(fraction=0.2, then=Cyclic(base_ratio=0.5, rise_fraction=0.25))
    assert [schedule(t, 10) for t in range(5)] == [0.25, 0.5, 0.5, 0.75, 1.0]
