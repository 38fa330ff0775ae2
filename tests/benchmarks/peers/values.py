"""What an arm is asked to do, and what it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from schedules import Recipe
from search.seeds import derive_seed

State = Literal["completed", "pruned", "diverged", "failed"]
Feed = Literal["loader", "resident", "compiled"]


class Value(BaseModel):
    """A frozen value that travels between processes as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Workload(Value):
    """What every arm trains.

    Attributes:
        key: ``W1`` and so on.
        trials: recipes that each arm trains which trains one trial at a time.
        trials_in_lanes: recipes of an arm with many lanes, which fewer would not fill.
        trials_in_search: the budget of a search.
        target: the value of the objective that a search is to reach.
        is_control: an arm that trains many trials at once cannot be expected to gain here.
    """

    key: str
    task: str
    options: dict[str, Any] = {}
    epochs: int
    trials: int
    trials_in_lanes: int
    trials_in_search: int = 60
    target: float | None = None
    is_control: bool = False


class Job(Value):
    """One run of one arm.

    Attributes:
        recipes: what is trained, in this order; empty in a search.
        seed: of the study; every trial's weights and order of data follow from it.
        feed: how an ordinary script gets its batches and its model.
        processes: how many train at once; with one, torch may use as many threads as it likes.
        halves: bad trials are stopped early.
        folder: of this run alone, empty.
    """

    workload: Workload
    recipes: tuple[Recipe, ...] = ()
    seed: int = 0
    feed: Feed = "resident"
    processes: int = 1
    halves: bool = False
    folder: Path

    @property
    def is_search(self) -> bool:
        return not self.recipes

    @property
    def n_trials(self) -> int:
        return len(self.recipes) or self.workload.trials_in_search

    @property
    def trial_seed(self) -> int:
        """The seed that the service gives to every trial of a study with this seed."""
        return derive_seed(self.seed, "replicate", 0)


class Ran(Value):
    """One trial as an arm trained it; moments are seconds of the machine's clock.

    Attributes:
        loss: of the last evaluation on the validation split.
        train_seconds: in which the device worked for this trial.
        ask_seconds: until a trial was known.
        tell_seconds: to record its evaluations and its end.
    """

    number: int
    state: State
    loss: float | None = None
    updates: int
    started_at: float
    ended_at: float
    train_seconds: float = 0.0
    ask_seconds: float | None = None
    tell_seconds: float | None = None


class Run(Value):
    """One run of an arm.

    Attributes:
        startup_seconds: until the first trial could begin: processes, imports, data, compilation, calibration.
        total_seconds: from nothing to the last trial's end.
        failure: why there is nothing, or not everything, to be seen of it.
        load: the machine's load average when it began.
        facts: what else was measured, by name.
    """

    arm: str
    turn: int = 0
    startup_seconds: float = 0.0
    total_seconds: float = 0.0
    trials: tuple[Ran, ...] = ()
    failure: str | None = None
    load: float = 0.0
    facts: dict[str, float] = {}

    @property
    def steady_seconds(self) -> float:
        """From the first trial's start to the last one's end."""
        return max(each.ended_at for each in self.trials) - min(each.started_at for each in self.trials)

    @property
    def trials_per_second(self) -> float:
        return len(self.trials) / self.steady_seconds

    @property
    def updates_per_second(self) -> float:
        return sum(each.updates for each in self.trials) / self.steady_seconds
