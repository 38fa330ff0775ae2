"""Names that a space may choose from, and the ranges that a study gives for their parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from schedules import AVERAGINGS, FAMILIES, OPTIMIZERS, Range

NO_AVERAGING = "none"
"""The choice among the averagings that judges the weights themselves."""


def _known(kind: str, name: str, known: Mapping[str, object]) -> str:
    if name not in known:
        raise ValueError(f"there is no {kind} {name[:80]!r}; there are: {', '.join(known)}")
    return name


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse to choose from nothing, or from the same twice.

    Raises:
        ValueError: there is no name, or one stands there more than once.
    """
    if not names:
        raise ValueError("a space needs at least one, got none")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"each may be named once, but {', '.join(twice)} stands there more than once")
    return names


OptimizerName = Annotated[str, AfterValidator(lambda name: _known("optimizer", name, OPTIMIZERS))]
FamilyName = Annotated[str, AfterValidator(lambda name: _known("family", name, FAMILIES))]
AveragingName = Annotated[
    str, AfterValidator(lambda name: _known("averaging", name, {NO_AVERAGING: None, **AVERAGINGS}))
]


class Bounds(BaseModel):
    """The range of one parameter, ends included; equal ends fix its value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: FiniteFloat
    high: FiniteFloat

    @model_validator(mode="after")
    def _is_the_right_way_up(self) -> Bounds:
        if self.low > self.high:
            raise ValueError(f"the low end must not be above the high end, but {self.low} > {self.high}")
        return self


PerOptimizer = dict[OptimizerName, Bounds]


class Ranges(BaseModel):
    """Ranges that a study sets itself; what is absent keeps the range of its optimizer, family or averaging.

    Beside the three constants, every searched parameter of a family or an averaging in the space may be given by name.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Bounds] = Field(init=False)

    peak_lr: PerOptimizer = {}
    weight_decay: PerOptimizer = {}
    momentum: PerOptimizer = {}

    @property
    def of_constants(self) -> Mapping[str, PerOptimizer]:
        return {"peak_lr": self.peak_lr, "weight_decay": self.weight_decay, "momentum": self.momentum}

    @property
    def of_searched(self) -> Mapping[str, Bounds]:
        return self.__pydantic_extra__

    def narrowed(self, own: Mapping[str, Range]) -> Mapping[str, Range]:
        """Return searched parameters by name, those that the study gives a range for with that."""
        return {name: narrowed(each, self.of_searched.get(name)) for name, each in own.items()}


def narrowed(own: Range, bounds: Bounds | None) -> Range:
    """Return a range with the study's bounds, if it gives any; the default moves to where they allow it.

    Raises:
        ValueError: the scale does not allow the bounds.
    """
    if bounds is None:
        return own
    default = min(max(own.default, bounds.low), bounds.high)
    return Range(bounds.low, bounds.high, own.scale, default)


def check_ends(where: str, own: Range, bounds: Bounds, build: Callable[[float], object]) -> None:
    """Refuse bounds that the parameter's scale or its type does not allow, by trying both ends.

    Raises:
        ValueError: they do not.
    """
    for end in (bounds.low, bounds.high):
        try:
            narrowed(own, bounds)
            build(end)
        except ValidationError as error:
            raise ValueError(f"{where}: {error.errors()[0]['msg']}, got {end}") from error
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
