"""What the service must know of a task, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PositiveInt, model_validator


class Option(BaseModel):
    """One option of a task: its type, default and bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["integer", "number", "string", "boolean"]
    default: JsonValue
    low: float | None = None
    high: float | None = None
    choices: tuple[JsonValue, ...] | None = None
    description: Annotated[str, Field(max_length=500)] = ""

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Self:
        complaint = self.complaint(self.default)
        if complaint:
            raise ValueError(f"the default {complaint}")
        return self

    def complaint(self, value: JsonValue) -> str | None:
        """What is wrong with a value, as the rest of a sentence about it; None when nothing is."""
        if not _is_a(self.type, value):
            return f"must be of type {self.type}, not {value!r:.80}"
        if self.choices is not None and value not in self.choices:
            return f"must be one of {', '.join(map(repr, self.choices))}, not {value!r:.80}"
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if self.low is not None and not value >= self.low:
                return f"must be at least {self.low:g}, not {value:g}"
            if self.high is not None and not value <= self.high:
                return f"must be at most {self.high:g}, not {value:g}"
        return None


class TaskInfo(BaseModel):
    """What the service must know of a task; built without torch, sent by workers.

    Attributes:
        name: the registered name.
        metrics: name of each validation metric and the direction in which it improves. ``val_loss`` is
            measured for every task; a metric ``accuracy`` of the task is called ``val_accuracy`` here.
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

    @model_validator(mode="after")
    def _objective_is_a_metric(self) -> Self:
        if self.objective not in self.metrics:
            raise ValueError(
                f"the objective of task {self.name} must be one of its metrics "
                f"({', '.join(self.metrics)}), not {self.objective!r:.80}"
            )
        return self

    def complete(self, options: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The options with every default filled in.

        Raises:
            ValueError: an option is unknown, of the wrong type or out of bounds.
        """
        for name, value in options.items():
            if name not in self.options:
                known = ", ".join(self.options) or "none"
                raise ValueError(f"task {self.name} has no option {name!r:.80}; its options: {known}")
            complaint = self.options[name].complaint(value)
            if complaint:
                raise ValueError(f"option {name} of task {self.name} {complaint}")
        return {name: options.get(name, option.default) for name, option in self.options.items()}


def _is_a(kind: str, value: JsonValue) -> bool:
    match kind:
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case _:
            return isinstance(value, bool)
