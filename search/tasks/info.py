"""What the service must know of a task, without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

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
                return f"must be at least {_plain(self.low)}, not {_plain(value)}"
            if self.high is not None and not value <= self.high:
                return f"must be at most {_plain(self.high)}, not {_plain(value)}"
        return None


STANDARD: Final = {
    "batch_size": "an integer of at least 1",
    "train_examples": "an integer of at least 1",
    "label_noise": "a number from 0 to 1",
    "dtype": "one of the strings float32, bfloat16",
}
"""The options that the training applies for every task that declares them, and what each must be."""

DTYPES: Final = ("float32", "bfloat16")


def standard_options(*, batch_size: int, train_examples: int, classes: int | None = None) -> dict[str, Option]:
    """The options that the training applies by itself, for a task to declare among its own.

    Args:
        batch_size: examples of one update, unless a study says otherwise.
        train_examples: examples of the whole training split.
        classes: how many classes the labels tell apart; None where they are no classes.
    """
    options = {
        "batch_size": Option(
            type="integer", default=batch_size, low=1, high=train_examples, description="examples of one update"
        ),
        "train_examples": Option(
            type="integer",
            default=train_examples,
            low=1,
            high=train_examples,
            description="training examples used: a subset drawn once, the same for every trial",
        ),
        "dtype": Option(
            type="string",
            default="float32",
            choices=DTYPES,
            description="bfloat16 computes under autocast; weights, losses and metrics stay what they are",
        ),
    }
    if classes is None:
        return options
    noise = f"share of the training labels replaced by another of the {classes} classes, the same for every trial"
    return options | {"label_noise": Option(type="number", default=0.0, low=0, high=1, description=noise)}


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
        train_examples: examples of the whole training split; to be given, with ``batch_size``, where a study may
            choose how many of them make an update or an epoch.
        batch_size: examples of one update, at the default options.
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
    train_examples: PositiveInt | None = None
    batch_size: PositiveInt | None = None

    @model_validator(mode="after")
    def _objective_is_a_metric(self) -> Self:
        if self.objective not in self.metrics:
            raise ValueError(
                f"the objective of task {self.name} must be one of its metrics "
                f"({', '.join(self.metrics)}), not {self.objective!r:.80}"
            )
        return self

    @model_validator(mode="after")
    def _an_epoch_can_be_counted(self) -> Self:
        if (self.train_examples is None) != (self.batch_size is None):
            raise ValueError(f"task {self.name} must say both train_examples and batch_size, or neither")
        for name in sorted(STANDARD.keys() & self.options.keys()):
            _check_standard(self, name)
        updates = self.updates_in_epoch(self.complete({}))
        if updates != self.updates_per_epoch:
            raise ValueError(
                f"updates_per_epoch of task {self.name} must be the updates of an epoch at the default options: "
                f"{updates}, not {self.updates_per_epoch}"
            )
        return self

    def updates_in_epoch(self, options: Mapping[str, JsonValue]) -> int:
        """Count the updates of an epoch at these options; 0 where a batch is larger than what there is to train on.

        Args:
            options: as ``complete`` returns them.
        """
        if self.train_examples is None or self.batch_size is None:
            return self.updates_per_epoch
        examples = _count(options, "train_examples", self.train_examples)
        return min(examples, self.train_examples) // _count(options, "batch_size", self.batch_size)

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


def _check_standard(info: TaskInfo, name: str) -> None:
    if not _is_standard(name, info.options[name]):
        raise ValueError(
            f"option {name} of task {info.name} is one that the training applies: it must be {STANDARD[name]}, "
            "and its bounds or choices must say so"
        )
    if name in {"batch_size", "train_examples"} and info.train_examples is None:
        raise ValueError(
            f"option {name} of task {info.name} changes how long an epoch is: "
            "its TaskInfo must say train_examples and batch_size"
        )


def _is_standard(name: str, option: Option) -> bool:
    low = -math.inf if option.low is None else option.low
    high = math.inf if option.high is None else option.high
    match name:
        case "dtype":
            return option.type == "string" and option.choices is not None and set(option.choices) <= set(DTYPES)
        case "label_noise":
            return option.type == "number" and low >= 0 and high <= 1
        case _:
            return option.type == "integer" and low >= 1


def _count(options: Mapping[str, JsonValue], name: str, default: int) -> int:
    value = options.get(name)
    return value if isinstance(value, int) else default


def _plain(number: float) -> str:
    """Every digit that tells a number from a bound; the first of them where there are very many."""
    return f"{number!r:.80}".removesuffix(".0")


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
