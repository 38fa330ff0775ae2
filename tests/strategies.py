"""Hypothesis strategies for schedules, recipes and horizons."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schedules import (
    Adagrad,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Factor,
    InverseSqrt,
    Linear,
    MultiFactor,
    Optimizer,
    Plateau,
    Polynomial,
    Recipe,
    Schedule,
    Sgd,
    Warmup,
)


def horizons(low: int = 1, high: int = 1_000_000) -> SearchStrategy[int]:
    return st.integers(low, high)


def metrics() -> SearchStrategy[float]:
    """Readings of any kind, those that are not finite too."""
    return st.floats()


_fractions = st.floats(0, 1)
_open_fractions = st.floats(0, 1, exclude_min=True, exclude_max=True)
_above_zero = st.floats(0, 1, exclude_min=True)
_memories = st.floats(0, 1, exclude_max=True)
_constants = st.floats(0, 1e6)
_eps = st.floats(0, 1e3, exclude_min=True)
_increasing = st.lists(_open_fractions, min_size=1, max_size=20, unique=True).map(lambda found: tuple(sorted(found)))

SHAPES: Mapping[str, SearchStrategy[Schedule]] = {
    "constant": st.builds(Constant),
    "factor": st.builds(Factor, total_decay=_above_zero, final_ratio=_fractions),
    "multi_factor": st.builds(MultiFactor, milestones=_increasing, gamma=_open_fractions),
    "cosine": st.builds(Cosine, final_ratio=_fractions),
    "linear": st.builds(Linear, final_ratio=_fractions),
    "polynomial": st.builds(Polynomial, power=st.floats(0, 100, exclude_min=True), final_ratio=_fractions),
    "inverse_sqrt": st.builds(InverseSqrt, timescale_fraction=_above_zero),
}
"""A strategy for each family whose multiplier depends on the update alone."""


def shapes() -> SearchStrategy[Schedule]:
    return st.one_of(*SHAPES.values())


def plateaus() -> SearchStrategy[Plateau]:
    return st.builds(
        Plateau,
        factor=_open_fractions,
        patience=st.integers(0, 5),
        cooldown=st.integers(0, 5),
        threshold=st.floats(0, 10),
        threshold_mode=st.sampled_from(["rel", "abs"]),
        mode=st.sampled_from(["min", "max"]),
        final_ratio=_fractions,
    )


def families() -> SearchStrategy[Schedule]:
    """Schedules without a warm-up."""
    return st.one_of(shapes(), plateaus())


def warmups(then: SearchStrategy[Schedule] | None = None) -> SearchStrategy[Warmup]:
    return st.builds(Warmup, fraction=_memories, start_ratio=_fractions, then=families() if then is None else then)


def schedules() -> SearchStrategy[Schedule]:
    return st.one_of(families(), warmups())


def optimizers() -> SearchStrategy[Optimizer]:
    moments = {"beta1": _memories, "beta2": _memories, "eps": _eps, "weight_decay": _constants}
    return st.one_of(
        st.builds(Sgd, momentum=_memories, weight_decay=_constants),
        st.builds(Sgd, momentum=_open_fractions, nesterov=st.booleans(), weight_decay=_constants),
        st.builds(Adagrad, initial_accumulator=_constants, eps=_eps, weight_decay=_constants),
        st.builds(Adam, **moments),
        st.builds(AdamW, **moments),
    )


def recipes(of: SearchStrategy[Schedule] | None = None) -> SearchStrategy[Recipe]:
    peaks = st.floats(0, 1e6, exclude_min=True)
    return st.builds(Recipe, optimizer=optimizers(), peak_lr=peaks, schedule=schedules() if of is None else of)
