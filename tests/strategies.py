"""Hypothesis strategies for schedules, recipes and horizons."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schedules import (
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Averaging,
    Constant,
    ConstantTail,
    Cooldown,
    Cosine,
    Cyclic,
    CyclicTail,
    Ema,
    Factor,
    InverseSqrt,
    Linear,
    Lion,
    MomentumCurve,
    MultiFactor,
    Muon,
    Nadam,
    OneCycle,
    OneMinusSqrt,
    Optimizer,
    Piecewise,
    Plateau,
    Polynomial,
    Product,
    Recipe,
    Restarts,
    Rmsprop,
    Schedule,
    ScheduleFreeAdamW,
    ScheduleFreeSgd,
    Sequence,
    Sgd,
    Step,
    Swa,
    Warmup,
    Wsd,
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
_powers = st.floats(0, 100, exclude_min=True)
_increasing = st.lists(_open_fractions, min_size=1, max_size=20, unique=True).map(lambda found: tuple(sorted(found)))


def _formed(forms: list[str], exponential: str = "exponential") -> SearchStrategy[tuple[str, float]]:
    """A form and the level that it goes from or to, which is above 0 where the form is exponential."""
    others = st.tuples(st.sampled_from([form for form in forms if form != exponential]), _fractions)
    return st.one_of(others, st.tuples(st.just(exponential), _above_zero))


_descents = _formed(["linear", "cosine", "one_minus_sqrt", "exponential"])
_ramps = _formed(["linear", "cosine", "exponential"])


@st.composite
def _cycles(draw: st.DrawFn) -> Cyclic:
    rise = draw(st.floats(1e-9, 0.5))
    fall = draw(st.one_of(st.none(), st.floats(1e-9, 1 - rise)))
    mode = draw(st.sampled_from(["triangular", "triangular2", "exp_range"]))
    decay = draw(_above_zero) if mode == "exp_range" else None
    fields = {"base_ratio": draw(_fractions), "rise_fraction": rise, "fall_fraction": fall}
    return Cyclic.model_validate({**fields, "mode": mode, "total_decay": decay})


@st.composite
def _one_cycles(draw: st.DrawFn) -> OneCycle:
    phases = draw(st.sampled_from([2, 3]))
    rise = draw(st.floats(0, 0.5 if phases == 3 else 1, exclude_min=True, exclude_max=True))
    start, final = draw(_fractions), draw(_fractions)
    ends = (max(start, final), min(start, final)) if phases == 3 else (start, final)
    fields = {"start_ratio": ends[0], "final_ratio": ends[1], "curve": draw(st.sampled_from(["cosine", "linear"]))}
    return OneCycle.model_validate({"rise_fraction": rise, "phases": phases, **fields})


@st.composite
def _piecewise(draw: st.DrawFn) -> Piecewise:
    places = (0.0, *draw(st.one_of(st.just(()), _increasing)), 1.0)
    heights = draw(st.lists(_fractions, min_size=len(places), max_size=len(places)).filter(any))
    curve = draw(st.sampled_from(["linear", "cosine", "cubic"]))
    return Piecewise.model_validate({"knots": tuple(zip(places, heights, strict=True)), "curve": curve})


DECAYS: Mapping[str, SearchStrategy[Schedule]] = {
    "constant": st.builds(Constant),
    "factor": st.builds(Factor, total_decay=_above_zero, final_ratio=_fractions),
    "step": st.builds(Step, drops=st.integers(1, 100), gamma=_open_fractions, final_ratio=_fractions),
    "multi_factor": st.builds(MultiFactor, milestones=_increasing, gamma=_open_fractions),
    "linear": st.builds(Linear, final_ratio=_fractions),
    "polynomial": st.builds(Polynomial, power=_powers, final_ratio=_fractions),
    "one_minus_sqrt": st.builds(OneMinusSqrt, final_ratio=_fractions),
    "inverse_sqrt": st.builds(InverseSqrt, timescale_fraction=_above_zero),
    "cosine": st.builds(Cosine, final_ratio=_fractions, k_decay=st.one_of(st.just(1.0), _powers)),
    "wsd": st.tuples(_above_zero, _descents).map(
        lambda drawn: Wsd.model_validate({"decay_fraction": drawn[0], "decay": drawn[1][0], "final_ratio": drawn[1][1]})
    ),
}
"""A strategy for each family that begins at the peak and never rises."""

SHAPES: Mapping[str, SearchStrategy[Schedule]] = {
    **DECAYS,
    "inverse_sqrt": st.builds(InverseSqrt, timescale_fraction=_above_zero, shift_fraction=_fractions),
    "cyclic": _cycles(),
    "one_cycle": _one_cycles(),
    "piecewise": _piecewise(),
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
        eps=st.one_of(st.just(0.0), _fractions),
    )


def families() -> SearchStrategy[Schedule]:
    """Schedules that stand alone."""
    return st.one_of(shapes(), plateaus())


def warmups(then: SearchStrategy[Schedule] | None = None) -> SearchStrategy[Warmup]:
    inner = families() if then is None else then
    return st.tuples(_memories, _ramps, inner).map(
        lambda drawn: Warmup.model_validate(
            {"fraction": drawn[0], "ramp": drawn[1][0], "start_ratio": drawn[1][1], "then": drawn[2]}
        )
    )


def cooldowns(first: SearchStrategy[Schedule] | None = None) -> SearchStrategy[Cooldown]:
    inner = families() if first is None else first
    return st.tuples(_open_fractions, _descents, inner).map(
        lambda drawn: Cooldown.model_validate(
            {"fraction": drawn[0], "decay": drawn[1][0], "final_ratio": drawn[1][1], "first": drawn[2]}
        )
    )


def restarts(then: SearchStrategy[Schedule] | None = None) -> SearchStrategy[Restarts]:
    inner = (shapes() if then is None else then).filter(lambda schedule: schedule.kind != "constant")
    lengths = st.one_of(
        st.fixed_dictionaries({"cycles": st.integers(2, 20)}),
        st.fixed_dictionaries({"first_fraction": st.floats(0.01, 0.99)}),
    )
    others = st.fixed_dictionaries({"t_mult": st.floats(1, 4), "peak_decay": _above_zero, "then": inner})
    return st.tuples(lengths, others).map(lambda drawn: Restarts.model_validate({**drawn[0], **drawn[1]}))


@st.composite
def several(draw: st.DrawFn, inner: SearchStrategy[Schedule]) -> tuple[Schedule, ...]:
    """Two to four schedules, at most one of which reads a metric."""
    drawn = draw(st.lists(inner, min_size=2, max_size=4))
    if sum(each.start() is not None for each in drawn) <= 1:
        return tuple(drawn)
    return tuple(each if each.start() is None else draw(shapes()) for each in drawn)


def sequences(inner: SearchStrategy[Schedule] | None = None) -> SearchStrategy[Sequence]:
    def placed(schedules: tuple[Schedule, ...]) -> SearchStrategy[Sequence]:
        n_milestones = len(schedules) - 1
        places = st.lists(_open_fractions, min_size=n_milestones, max_size=n_milestones, unique=True)
        return places.map(
            lambda milestones: Sequence.model_validate(
                {"schedules": schedules, "milestones": tuple(sorted(milestones))}
            )
        )

    return several(families() if inner is None else inner).flatmap(placed)


def products(inner: SearchStrategy[Schedule] | None = None) -> SearchStrategy[Product]:
    return several(families() if inner is None else inner).map(
        lambda schedules: Product.model_validate({"schedules": schedules})
    )


def joins(inner: SearchStrategy[Schedule] | None = None) -> SearchStrategy[Schedule]:
    """Schedules made of others, one deep unless ``inner`` are deeper."""
    within = families() if inner is None else inner
    unwarmed = within.filter(lambda schedule: schedule.kind != "warmup")
    pure = within.filter(lambda schedule: schedule.start() is None)
    return st.one_of(warmups(unwarmed), cooldowns(within), restarts(pure), sequences(within), products(within))


JOINED: Mapping[str, SearchStrategy[Schedule]] = {
    "warmup": warmups(),
    "cooldown": cooldowns(),
    "restarts": restarts(),
    "sequence": sequences(),
    "product": products(),
}
"""A strategy for each schedule that is made of others, here of families."""


def schedules() -> SearchStrategy[Schedule]:
    """Schedules of every kind, up to three joins deep."""
    once = st.one_of(families(), joins())
    return st.one_of(families(), joins(), joins(once), joins(joins(once)))


def optimizers() -> SearchStrategy[Optimizer]:
    scaled = {"eps": _eps, "weight_decay": _constants}
    moments = {"beta1": _memories, "beta2": _memories, **scaled}
    return st.one_of(
        st.builds(Sgd, momentum=_memories, weight_decay=_constants),
        st.builds(Sgd, momentum=_open_fractions, nesterov=st.booleans(), weight_decay=_constants),
        st.builds(Adagrad, initial_accumulator=_constants, **scaled),
        st.builds(Rmsprop, alpha=_memories, centered=st.booleans(), momentum=_memories, **scaled),
        st.builds(Adam, **moments),
        st.builds(AdamW, **moments),
        st.builds(Nadam, momentum_decay=_constants, decoupled=st.booleans(), **moments),
        st.builds(Adamax, **moments),
        st.builds(Lion, beta1=_memories, beta2=_memories, weight_decay=_constants),
        st.builds(Muon, momentum=_memories, nesterov=st.booleans(), n_iterations=st.integers(1, 20), **moments),
        st.builds(ScheduleFreeSgd, momentum=_open_fractions, weight_decay=_constants),
        st.builds(ScheduleFreeAdamW, beta1=_open_fractions, beta2=_memories, **scaled),
    )


def averagings() -> SearchStrategy[Averaging]:
    cyclic = st.tuples(_above_zero, _fractions).map(
        lambda drawn: CyclicTail(high_ratio=drawn[0], low_ratio=drawn[0] * drawn[1])
    )
    tails = st.one_of(st.none(), st.builds(ConstantTail, ratio=_above_zero), cyclic)
    return st.one_of(
        st.builds(Ema, start_fraction=_memories, decay=_open_fractions),
        st.builds(Swa, start_fraction=_memories, every_fraction=_memories, tail=tails),
    )


def recipes(of: SearchStrategy[Schedule] | None = None) -> SearchStrategy[Recipe]:
    """Recipes of an optimizer, a rate and a schedule, whether or not the two go together."""
    peaks = st.floats(0, 1e6, exclude_min=True)
    return st.builds(Recipe, optimizer=optimizers(), peak_lr=peaks, schedule=schedules() if of is None else of)


def full_recipes(of: SearchStrategy[Schedule] | None = None) -> SearchStrategy[Recipe]:
    """Recipes with curves and an averaging besides, some of each absent, whether or not they go together."""
    curves = schedules() if of is None else of
    momentum = st.builds(MomentumCurve, low=_open_fractions, curve=curves)
    parts = st.tuples(st.none() | curves, st.none() | momentum, st.none() | averagings())
    return st.tuples(recipes(of), parts).map(
        lambda drawn: drawn[0].model_copy(
            update=dict(zip(("weight_decay", "momentum", "averaging"), drawn[1], strict=True))
        )
    )
