"""What a trial trains with, and its fingerprint."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, ConfigDict

from schedules.base import PlateauState, PositiveNumber
from schedules.joins import AnySchedule
from schedules.optimizers import AnyOptimizer


class Recipe(BaseModel):
    """An optimizer with its constants, the peak learning rate, and the schedule that scales it.

    Attributes:
        peak_lr: the learning rate where the schedule's multiplier is 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    optimizer: AnyOptimizer
    peak_lr: PositiveNumber
    schedule: AnySchedule

    def rate(self, t: int, horizon: int, state: PlateauState | None = None) -> float:
        """Return the learning rate of the update of index ``t``: the peak rate times the multiplier.

        Raises:
            ValueError: ``t`` is negative or ``horizon`` is below 1.
        """
        return self.peak_lr * self.schedule(t, horizon, state)

    def check(self, horizon: int) -> None:
        """Refuse a horizon that is too short for the schedule.

        Raises:
            ValueError: the horizon is too short.
        """
        self.schedule.check(horizon)

    @property
    def digest(self) -> str:
        """The SHA-256 of the recipe's canonical JSON, 64 hexadecimal digits; equal recipes have equal digests."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def summary(self) -> str:
        """Return one short line for tables, such as ``adamw 3.1e-03 · warmup 5% · cosine → 0.01``."""
        return f"{self.optimizer.kind} {self.peak_lr:.1e} · {self.schedule.summary()}"
