"""What the service must know of a task, without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PositiveInt


class Option(BaseModel):
    """One option of a task: its type, default and bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["integer", "number", "string", "boolean"]
    default: JsonValue
    low: float | None = None
    high: float | None = None
    choices: tuple[JsonValue, ...] | None = None
    description: Annotated[str, Field(max_length=500)] = ""


class TaskInfo(BaseModel):
    """What the service must know of a task; built without torch, sent by workers.

    Attributes:
        name: the registered name.
        metrics: name of each validation metric and the direction in which it improves.
        updates_per_epoch: optimizer updates of one epoch, at the default options.
        default_epochs: epochs of a run when the study does not say.
        objective: the metric that a study optimises when it does not say.
        options: the options that a study may set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    description: Annotated[str, Field(max_length=1000)] = ""
    metrics: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=64)], Literal["minimize", "maximize"]],
        Field(min_length=1, max_length=50),
    ]
    updates_per_epoch: PositiveInt
    default_epochs: PositiveInt = 10
    objective: str = "val_loss"
    options: dict[str, Option] = {}
