"""A schedule as one of torch's own."""

from __future__ import annotations

from typing import Any

from torch import Tensor, optim
from torch.optim.lr_scheduler import LRScheduler

from schedules.base import PlateauState, Schedule


class EtudeLR(LRScheduler):
    """A schedule as a torch scheduler: each group's rate is its initial rate times the multiplier.

    Step it after every update. It rewrites the rate from scratch each time, so a rate changed by somebody else
    lasts one update at most. Its saved state is the update index and what the schedule remembers of
    its metric, nothing else: schedule and horizon are the constructor's, and a resumed run may change them.

    Attributes:
        schedule: the schedule.
        horizon: updates of the whole run.
        state: what the schedule remembers of its metric; ``None`` if it reads none.

    Raises:
        ValueError: the horizon is too short for the schedule.
    """

    def __init__(self, optimizer: optim.Optimizer, schedule: Schedule, horizon: int) -> None:
        schedule.check(horizon)
        self.schedule = schedule
        self.horizon = horizon
        self.state: PlateauState | None = schedule.start()
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        multiplier = self.schedule(self.last_epoch, self.horizon, self.state)
        return [base * multiplier for base in self.base_lrs]

    def observe(self, metric: float) -> None:
        """Take one reading of the metric, after the updates made so far; the next update runs at the new rate."""
        if self.state is not None:
            self.state = self.schedule.observe(self.state, metric, self.last_epoch, self.horizon)
            self._rewrite_rates()

    def state_dict(self) -> dict[str, Any]:
        """Return the update index and the schedule's memory, as JSON values."""
        return {"t": self.last_epoch, "state": None if self.state is None else self.state.model_dump(mode="json")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state, in whatever order optimizer and scheduler were restored.

        Raises:
            ValueError: the state is not one of this schedule's.
        """
        t, state = state_dict["t"], state_dict["state"]
        if (state is None) != (self.state is None):
            raise ValueError(f"the saved state does not belong to a schedule {self.schedule.kind!r}: {state_dict}")
        self.last_epoch = t
        self.state = None if state is None else PlateauState.model_validate(state)
        self._rewrite_rates()

    def _rewrite_rates(self) -> None:
        self.last_epoch -= 1
        self._update_lr()
