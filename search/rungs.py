"""Where a study's pruner judges its trials, and which short runs lead there."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from schedules import updates_at
from search.choices import PrunerChoice, Pruning
from search.errors import Unsuitable

MOST_SHOWN: Final = 20
"""Points of a trial that Optuna's tables keep; its dashboard takes seconds per refresh beyond that."""

MOST_LOOKS: Final = 100
"""Evaluations of a trial at which ``patient`` looks at it: the worker waits for the verdict at each."""

EARLIEST_RUNG: Final = 0.05
"""Share of a run before which ``halving`` does not compare trials unless the study says so."""

_COMPARES: Final = frozenset({"rungs", "start_trials", "rescale", "spare_fraction"})
TAKES: Final[Mapping[Pruning, Collection[str]]] = {
    "none": (),
    "median": _COMPARES,
    "halving": _COMPARES | {"reduction_factor"},
    "hyperband": _COMPARES | {"reduction_factor"},
    "patient": ("patience", "min_delta", "spare_fraction"),
}
"""The fields that each kind uses."""


@dataclass(frozen=True, kw_only=True)
class Path:
    """The way of a trial through its study; the fields are those of ``Plan``."""

    runs: tuple[int, ...]
    rungs: tuple[int, ...]
    shown: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where a run is evaluated: every so many updates, and after the last."""

    horizon: int
    every: int

    @property
    def n_evaluations(self) -> int:
        return -(-self.horizon // self.every)

    def evaluation(self, number: int) -> int:
        """Return the updates done at the evaluation of this number, the first being 1."""
        return min(number * self.every, self.horizon)

    def nearest_inside(self, fraction: float) -> int | None:
        """Return the evaluation nearest to a fraction of the run, the last apart; None when there is no other."""
        if self.n_evaluations < 2:
            return None
        number = math.floor(updates_at(fraction, self.horizon) / self.every + 0.5)
        return self.evaluation(min(max(number, 1), self.n_evaluations - 1))


def plan_path(choice: PrunerChoice, run: Run) -> Path:
    """Work out where trials are judged.

    Raises:
        Unsuitable: a field that the kind does not use, rungs that do not rise, or no evaluation to judge trials at.
    """
    _refuse_foreign_fields(choice)
    if choice.kind == "none":
        return Path(runs=(), rungs=(), shown=_shown((), run))
    if choice.kind == "patient":
        return Path(runs=(), rungs=_looks(choice.patience, run), shown=_shown((), run))
    rungs = _rungs(choice, run)
    if not choice.rescale:
        return Path(runs=(), rungs=rungs, shown=_shown(rungs, run))
    ends = tuple(accumulate(rungs))
    return Path(runs=(*rungs, run.horizon), rungs=ends, shown=_shown(ends, run, before=ends[-1]))


def _refuse_foreign_fields(choice: PrunerChoice) -> None:
    takes = TAKES[choice.kind]
    for name, field in PrunerChoice.model_fields.items():
        value = getattr(choice, name)
        if name != "kind" and name not in takes and value != field.default:
            told = f"it takes {', '.join(sorted(takes))}" if takes else "it takes none"
            raise Unsuitable(
                f"the pruner {choice.kind!r} has no field {name!r}: {told}", where=("pruner", name), value=value
            )


def _rungs(choice: PrunerChoice, run: Run) -> tuple[int, ...]:
    snapped = {run.nearest_inside(fraction) for fraction in _fractions(choice)}
    rungs = tuple(sorted(rung for rung in snapped if rung is not None))
    if not rungs:
        raise Unsuitable(
            f"the pruner {choice.kind!r} compares trials at an evaluation before the last, but a run of {run.horizon} "
            f"updates is evaluated only once, after all of them",
            where=("pruner", "kind"),
            value=choice.kind,
        )
    return rungs


def _fractions(choice: PrunerChoice) -> tuple[float, ...]:
    for index, (earlier, later) in enumerate(pairwise(choice.rungs or ())):
        if later <= earlier:
            raise Unsuitable(
                f"the rungs of a pruner must rise, but {later:g} follows {earlier:g}",
                where=("pruner", "rungs", index + 1),
                value=later,
            )
    if choice.rungs is not None:
        return choice.rungs
    if choice.kind == "median":
        return (0.25, 0.5, 0.75)
    powers = (choice.reduction_factor**-power for power in (3, 2, 1))
    return tuple(fraction for fraction in powers if fraction >= EARLIEST_RUNG)


def _looks(patience: int, run: Run) -> tuple[int, ...]:
    """Return the evaluations before the last at which a trial can have stalled, spread evenly where there are many."""
    numbers = range(patience + 1, run.n_evaluations)
    if not numbers:
        raise Unsuitable(
            f"the pruner 'patient' needs more than {patience + 1} evaluations to find a trial stalled for {patience} "
            f"of them before its last, but a run of {run.horizon} updates has {run.n_evaluations}",
            where=("pruner", "patience"),
            value=patience,
        )
    step = -(-len(numbers) // MOST_LOOKS)
    return tuple(run.evaluation(number) for number in numbers[::step])


def _shown(rungs: tuple[int, ...], run: Run, *, before: int = 0) -> tuple[int, ...]:
    """Spread the points evenly over the evaluations; each rung then takes the place of the nearest of them.

    Args:
        before: updates done before the run begins.
    """
    n_shown = min(MOST_SHOWN, run.n_evaluations)
    places = (-(-number * run.n_evaluations // n_shown) for number in range(1, n_shown + 1))
    shown = {before + run.evaluation(place) for place in places}
    for rung in rungs:
        distances = {abs(update - rung): update for update in shown - {*rungs, before + run.horizon}}
        if rung not in shown and distances:
            shown = shown - {distances[min(distances)]} | {rung}
    return tuple(sorted(shown))
