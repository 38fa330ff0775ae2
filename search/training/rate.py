"""The learning rate of one run: computed by the recipe, set by us at every update, checked after it."""

from __future__ import annotations

from torch.optim import Optimizer

from schedules import Recipe


class RateChanged(RuntimeError):
    """Something other than the recipe wrote the optimizer's learning rate."""

    def __init__(self, update: int, wanted: float, found: float) -> None:
        super().__init__(
            f"the learning rate must be the recipe's and nobody else's: after update {update} the optimizer has "
            f"{found!r} where {wanted!r} was set"
        )


class Pilot:
    """Sets the rate of a recipe at every update, and remembers what a plateau schedule has read.

    Attributes:
        rate: the rate of the last update; the peak rate before the first.
    """

    def __init__(self, optimizer: Optimizer, recipe: Recipe, horizon: int) -> None:
        self.rate = recipe.peak_lr
        self._optimizer = optimizer
        self._recipe = recipe
        self._horizon = horizon
        self._state = recipe.schedule.start()

    def step(self, update: int) -> float:
        """Make one update with the recipe's rate, clear the gradients, and return the rate.

        Raises:
            RateChanged: something else has written a rate since it was last set.
        """
        rate = self._recipe.rate(update, self._horizon, self._state)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        for group in self._optimizer.param_groups:
            if group["lr"] != rate:
                raise RateChanged(update, rate, float(group["lr"]))
        self._optimizer.zero_grad(set_to_none=True)
        self.rate = rate
        return rate

    def observe(self, metric: float, done: int) -> None:
        """Let a schedule that reads a metric read it, ``done`` updates into the run."""
        if self._state is not None:
            self._state = self._recipe.schedule.observe(self._state, metric, done, self._horizon)
