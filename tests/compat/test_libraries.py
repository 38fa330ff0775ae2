"""Our schedules against the libraries themselves, as they are installed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedules.reading import NotExact, Reading, read_timm, read_transformers
from tests.compat.cases import LIBRARIES, Case
from tests.compat.generate import GOLDEN
from tests.compat.libraries import TRACERS, need, timm_trace, transformers_trace
from tests.schedules.test_golden import schedule_of

pytestmark = pytest.mark.filterwarnings("default")
CASES = [
    pytest.param(library, number, id=f"{library}-{number}-{case.name}")
    for library, cases in LIBRARIES.items()
    for number, case in enumerate(cases)
]
Compared = Callable[[str, float], None]
FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]


@pytest.mark.parametrize("library, number", CASES)
def test_a_library_still_makes_its_golden_trace(library: str, number: int, compared: Compared) -> None:
    need(library)
    case = LIBRARIES[library][number]
    entry = json.loads((GOLDEN / f"{library}.json").read_text(encoding="utf-8"))["cases"][number]
    live = TRACERS[library](case)
    assert live == pytest.approx(entry["trace"], rel=0, abs=1e-14)
    ours = [case.peak_lr * schedule_of(library, entry)(t, case.horizon) for t in range(case.horizon)]
    assert ours == pytest.approx(live, rel=0, abs=1e-12)
    compared(f"{library} {case.name}", _largest(ours, live) / case.peak_lr)


def _largest(ours: list[float], theirs: list[float]) -> float:
    return max(abs(own - other) for own, other in zip(ours, theirs, strict=True))


def _own_arguments() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    ratios, counts = st.floats(0, 0.9), st.integers(1, 30)
    return st.one_of(
        st.sampled_from(["constant", "constant_with_warmup", "linear", "cosine"]).map(lambda name: (name, {})),
        st.sampled_from([0.5, 1.0, 1.5, 2.0]).map(lambda cycles: ("cosine", {"num_cycles": cycles})),
        st.integers(1, 6).map(lambda cycles: ("cosine_with_restarts", {"num_cycles": cycles})),
        st.tuples(st.floats(0, 0.29), st.floats(0.1, 4)).map(
            lambda drawn: ("polynomial", {"lr_end": drawn[0], "power": drawn[1]})
        ),
        st.none().map(lambda _: ("inverse_sqrt", {})),
        counts.map(lambda timescale: ("inverse_sqrt", {"timescale": timescale})),
        ratios.map(lambda floor: ("cosine_with_min_lr", {"min_lr_rate": floor})),
        st.tuples(
            counts,
            st.none() | counts,
            st.sampled_from(["linear", "cosine", "1-sqrt"]),
            st.sampled_from(["linear", "cosine"]),
            ratios,
        ).map(
            lambda drawn: (
                "warmup_stable_decay",
                {
                    "num_decay_steps": drawn[0],
                    **({} if drawn[1] is None else {"num_stable_steps": drawn[1]}),
                    "decay_type": drawn[2],
                    "warmup_type": drawn[3],
                    "min_lr_ratio": drawn[4],
                },
            )
        ),
    )


@settings(max_examples=300, suppress_health_check=FIXTURES)
@given(asked=_own_arguments(), n_warmup=st.integers(0, 20), rest=st.integers(1, 100))
def test_what_is_read_of_transformers_is_exact(
    asked: tuple[str, dict[str, Any]], n_warmup: int, rest: int, compared: Compared
) -> None:
    need("transformers")
    name, own = asked
    arguments: dict[str, Any] = {
        "name": name,
        "num_warmup_steps": n_warmup,
        "num_training_steps": n_warmup + rest,
        "scheduler_specific_kwargs": own,
    }
    try:
        reading = read_transformers(peak_lr=0.3, **arguments)
    except NotExact:
        return
    _compare(
        reading, transformers_trace(Case(name, arguments, horizon=n_warmup + rest)), "transformers, read", compared
    )


def test_transformers_misses_a_restart_by_rounding() -> None:
    need("transformers")
    arguments = {"num_warmup_steps": 0, "num_training_steps": 44, "scheduler_specific_kwargs": {"num_cycles": 22}}
    trace = transformers_trace(Case("cosine_with_restarts", {"name": "cosine_with_restarts", **arguments}, horizon=44))
    assert trace[28] == pytest.approx(0.3)
    assert trace[30] == pytest.approx(0.0)


def _timm_arguments() -> st.SearchStrategy[dict[str, Any]]:
    whole = st.integers(1, 6)
    return st.fixed_dictionaries(
        {
            "sched": st.sampled_from(["cosine", "poly", "step", "multistep", "constant", "wsd", "rsqrt"]),
            "num_epochs": st.integers(2, 8),
            "updates_per_epoch": whole,
            "step_on_epochs": st.booleans(),
        },
        optional={
            "decay_epochs": st.one_of(whole, st.floats(0.1, 4)),
            "decay_milestones": st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True).map(sorted),
            "cooldown_epochs": st.integers(0, 3),
            "decay_rate": st.floats(0.1, 1),
            "min_lr": st.sampled_from([0.0, 0.03]),
            "warmup_lr": st.sampled_from([0.0, 1e-5, 0.1]),
            "warmup_epochs": st.integers(0, 3),
            "warmup_prefix": st.booleans(),
            "cycle_mul": st.sampled_from([1.0, 1.5, 2.0, 3.0]),
            "cycle_decay": st.sampled_from([1.0, 0.5]),
            "cycle_limit": st.integers(1, 4),
            "k_decay": st.sampled_from([1.0, 1.5]),
            "decay_fn": st.sampled_from(["linear", "1-sqrt", "cosine", "power", "exp"]),
            "stable_timescale": st.sampled_from([1.0, 2.0]),
        },
    )


@settings(max_examples=500, suppress_health_check=FIXTURES)
@given(arguments=_timm_arguments())
def test_what_is_read_of_timm_is_exact(arguments: dict[str, Any], compared: Compared) -> None:
    need("timm")
    try:
        reading, horizon = read_timm(peak_lr=0.3, **arguments)
    except NotExact:
        return
    _compare(reading, timm_trace(Case("timm", arguments, horizon=horizon)), "timm, read", compared)


def _compare(reading: Reading, theirs: list[float], name: str, compared: Compared) -> None:
    ours = [reading.peak_lr * reading.schedule(t, len(theirs)) for t in range(len(theirs))]
    assert ours == pytest.approx(theirs, rel=0, abs=1e-12)
    difference = _largest(ours, theirs)
    assert math.isfinite(difference)
    compared(name, difference / reading.peak_lr)
