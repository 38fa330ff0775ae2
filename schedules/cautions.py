"""The rules that warn, of what is redundant or contested, and those that note what is worth knowing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from schedules.case import Broken, Case
from schedules.cycles import Cyclic
from schedules.drops import Constant
from schedules.joins import Restarts, Sequence
from schedules.knots import Piecewise
from schedules.optimizers import (
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    Muon,
    Nadam,
    Optimizer,
    Rmsprop,
    ScheduleFreeAdamW,
)
from schedules.phases import OneCycle
from schedules.places import Place


def floors_at_the_peak(case: Case) -> Iterator[Broken]:
    """Find decays that never fall, since their floor is as high as their peak."""
    for place in case.parts_of_all_curves():
        for name in ("final_ratio", "base_ratio"):
            if getattr(place.schedule, name, 0.0) >= 1:
                sentence = f"the schedule {place.schedule.kind!r} never falls: its {name} is 1, the peak itself"
                yield Broken("floor-at-peak", sentence, (*place.where, name))


def adagrad_with_decay_to_zero(case: Case) -> Iterator[Broken]:
    """Find a second decay on top of Adagrad's own."""
    if isinstance(case.recipe.optimizer, Adagrad) and case.decays_to_zero:
        yield Broken(
            "adagrad-with-decay-to-zero",
            f"the steps of Adagrad already shrink like one over the square root of the updates, and a schedule that "
            f"ends at {case.final_multiplier:.3g} of the peak rate shrinks them once more",
            ("schedule",),
        )


def adam_with_l2_and_restarts(case: Case) -> Iterator[Broken]:
    """Find restarts under an Adam whose weight decay is not decoupled."""
    optimizer = case.recipe.optimizer
    if not isinstance(optimizer, Adam | Adamax | Nadam) or _is_decoupled(optimizer) or optimizer.weight_decay == 0:
        return
    for part in case.parts:
        if isinstance(part.schedule, Restarts):
            yield Broken(
                "adam-l2-with-restarts",
                f"the optimizer {optimizer.kind!r} adds its weight decay to the gradient (L2), and with warm restarts "
                f"Adam was not competitive until the decay was decoupled, as in 'adamw'",
                part.where,
            )


def restarts_with_a_pruner(case: Case) -> Iterator[Broken]:
    """Find rates that rise again under a pruner, which compares trials in mid-run."""
    if case.pruner is None:
        return
    for part in case.parts:
        if isinstance(part.schedule, Restarts | Cyclic):
            yield Broken(
                "restarts-with-pruner",
                f"the pruner {case.pruner!r} compares trials in mid-run, and while the rate of {part.schedule.kind!r} "
                f"still rises again that says little of how they end: this one is compared from update "
                f"{case.recipe.fair_from(case.horizon)} of {case.horizon} on",
                part.where,
            )


def averaging_with_decay_to_zero(case: Case) -> Iterator[Broken]:
    """Find averages of weights that the schedule has already brought to rest."""
    averaging = case.recipe.averaging
    if averaging is None or not case.decays_to_zero or averaging.tail_at(case.horizon, case.horizon) is not None:
        return
    yield Broken(
        "averaging-with-decay-to-zero",
        f"an average of the weights does the work of a decay: at {case.final_multiplier:.3g} of the peak rate the last "
        f"weights hardly differ, and the average ({averaging.kind}) lags behind them",
        ("averaging",),
    )


def weight_decay_that_follows_the_rate(case: Case) -> Iterator[Broken]:
    """Find a decoupled weight decay under a schedule."""
    recipe = case.recipe
    if _is_decoupled(recipe.optimizer) and recipe.optimizer.weight_decay > 0 and recipe.schedule != Constant():
        yield Broken(
            "schedule-scales-weight-decay",
            f"the optimizer {recipe.optimizer.kind!r} shrinks the weights by rate times weight decay, as torch's AdamW "
            f"does: what schedules the rate also schedules the decay",
            ("optimizer", "weight_decay"),
        )


def adaptive_beyond_decay(case: Case) -> Iterator[Broken]:
    """Find what an old claim forbids: an adaptive optimizer whose rate does more than warm up and decay."""
    optimizer = case.recipe.optimizer
    if not isinstance(optimizer, Adagrad | Rmsprop | Adam | AdamW | Nadam | Adamax):
        return
    cycle = next((part for part in case.parts if _rises_again(part)), None)
    if cycle is not None:
        yield Broken(
            "adaptive-beyond-decay",
            f"that an adaptive optimizer such as {optimizer.kind!r} must be given no more than a warm-up and a decay, "
            f"and so no {cycle.schedule.kind!r}, is an old claim that published results do not support, as of "
            f"November 2026: NadamW with cosine cycles scored .63 in AlgoPerf, against .57 with a warm-up and one "
            f"cosine. The preset study 'adam-and-cycles' tests it on a task of your own",
            cycle.where,
        )


def _is_decoupled(optimizer: Optimizer) -> bool:
    match optimizer:
        case AdamW() | Lion() | Muon() | ScheduleFreeAdamW() | Nadam(decoupled=True):
            return True
        case _:
            return False


def _rises_again(part: Place) -> bool:
    """Say whether a schedule does more than fall, or rise once as a warm-up does and then fall."""
    match part.schedule:
        case Cyclic() | Restarts() | OneCycle():
            return True
        case Piecewise(knots=knots):
            return _turns_up([multiplier for _, multiplier in knots])
        case Sequence() as whole if part.horizon >= 1:
            begins = whole.bounds(part.horizon)[1:-1]
            return any(whole(begin, part.horizon) > whole(max(begin - 1, 0), part.horizon) for begin in begins)
        case _:
            return False


def _turns_up(levels: list[float]) -> bool:
    fell = False
    for before, after in pairwise(levels):
        if fell and after > before:
            return True
        fell = fell or after < before
    return False
