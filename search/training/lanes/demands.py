"""What one recipe asks of every update, stretch by stretch."""

from __future__ import annotations

import numpy as np

from schedules import Averaging, Ema, PlateauState, Recipe
from schedules.table import compile_table
from search.training.lanes.rules import Course, Vector


class Demands:
    """The rates and the other driven constants of one run, in float64.

    The rates come from the schedule's table, each within 1e-15 of the peak rate of the scalar call; those of
    a schedule that reads a metric are scalar calls, since they are not known before the reading.

    Attributes:
        rate: the rate of the last update that was asked for; the peak rate before the first.
    """

    def __init__(self, recipe: Recipe, horizon: int) -> None:
        self._recipe = recipe
        self._horizon = horizon
        self._state = recipe.schedule.start()
        self._rates = _table(compile_table(recipe, horizon)) if self._state is None else None
        curve, driven = recipe.weight_decay, recipe.momentum
        self._decays = None if curve is None else _table(compile_table(curve, horizon))
        self._momenta = None if driven is None else _table(compile_table(driven.curve, horizon))

    def course(self, first: int, last: int) -> Course:
        """Return what is asked of the updates from index ``first`` up to, and without, ``last``."""
        return Course(first, self._rates_of(first, last), self._decays_of(first, last), self._momenta_of(first, last))

    def shares(self, first: int, last: int) -> Vector:
        """Return the share of the newest weights in their average after each update; 0 where they do not enter."""
        averaging = self._recipe.averaging
        if averaging is None:
            return np.zeros(last - first)
        since = np.arange(first + 1, last + 1) - averaging.start(self._horizon)
        every = averaging.every(self._horizon)
        enters = (since > 0) & (since % every == 0)
        number = np.maximum(since // every, 1)
        later = np.full(len(since), 1 - averaging.decay) if isinstance(averaging, Ema) else 1 / number
        return np.where(enters, np.where(number == 1, 1.0, later), 0.0)

    def is_averaged(self, done: int) -> bool:
        """Say whether some weights have entered the average after so many updates."""
        averaging: Averaging | None = self._recipe.averaging
        return averaging is not None and done >= averaging.first(self._horizon)

    def observe(self, metric: float, done: int) -> None:
        """Let a schedule that reads a metric read it, ``done`` updates into the run."""
        if self._state is not None:
            self._state = self._recipe.schedule.observe(self._state, metric, done, self._horizon)

    def _rates_of(self, first: int, last: int) -> Vector:
        if self._rates is not None:
            return self._rates[first:last]
        state: PlateauState | None = self._state
        return np.array([self._recipe.rate(t, self._horizon, state) for t in range(first, last)])

    def _decays_of(self, first: int, last: int) -> Vector:
        own = self._recipe.optimizer.weight_decay
        return np.full(last - first, own) if self._decays is None else own * self._decays[first:last]

    def _momenta_of(self, first: int, last: int) -> Vector:
        own, driven = self._recipe.optimizer.memory, self._recipe.momentum
        if driven is None or own is None or self._momenta is None:
            return np.full(last - first, own or 0.0)
        height = self._momenta[first:last]
        return np.where(height == 1, own, driven.low + (own - driven.low) * height)


def _table(numbers: object) -> Vector:
    return np.frombuffer(numbers, np.float64)  # type: ignore[call-overload, no-any-return]  # an array of the standard library has a buffer
