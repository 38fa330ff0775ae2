"""The recipes that a study may try, and how one is drawn.

TPE models jointly only those parameters that every trial has with one identical distribution. So a name has one
distribution and one meaning in a study, whatever the optimizer and the family of the trial:

- ``plan`` chooses among the allowed pairs of optimizer and family;
- ``lr_position``, ``weight_decay_position`` and ``momentum_position`` are places in [0, 1] on the range of the
  trial's own optimizer;
- ``warmup_fraction`` belongs to every trial, ``final_ratio`` and its like to every family that has them.

A family that rises to its peak by itself is put under no warm-up. It is given a ``warmup_fraction`` all the same, as
long as another one in the space takes one, and ignores it; so is an optimizer without momentum given a
``momentum_position``. A value that only some trials have would be drawn apart from the rate for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Literal

from optuna.trial import BaseTrial
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from schedules import FAMILIES, OPTIMIZERS, Constant, Range, Recipe, Schedule, Warmup, updates_at

POSITIONS = {
    "peak_lr": "lr_position",
    "weight_decay": "weight_decay_position",
    "momentum": "momentum_position",
}
"""The parameter drawn in [0, 1] for each constant whose range depends on the optimizer."""

WARMUP = "warmup_fraction"
"""The parameter that every trial has, whatever its family."""


def _known(kind: str, name: str, known: Mapping[str, object]) -> str:
    if name not in known:
        raise ValueError(f"there is no {kind} {name[:80]!r}; there are: {', '.join(known)}")
    return name


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("a space needs at least one, got none")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"each may be named once, but {', '.join(twice)} stands there more than once")
    return names


OptimizerName = Annotated[str, AfterValidator(lambda name: _known("optimizer", name, OPTIMIZERS))]
FamilyName = Annotated[str, AfterValidator(lambda name: _known("family", name, FAMILIES))]


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
    """Ranges that a study sets itself; what is absent keeps the range of its optimizer or family.

    Beside the three constants, every searched parameter of a family in the space may be given by name.
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


class Space(BaseModel):
    """The recipes that a study may try: every pair of an optimizer and a family, under a warm-up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    optimizers: Annotated[tuple[OptimizerName, ...], AfterValidator(_distinct)] = (
        "sgd",
        "adamw",
    )
    families: Annotated[tuple[FamilyName, ...], AfterValidator(_distinct)] = (
        "constant",
        "factor",
        "multi_factor",
        "cosine",
        "inverse_sqrt",
        "plateau",
    )
    ranges: Ranges = Ranges()

    @field_validator("ranges")
    @classmethod
    def _ranges_belong_to_the_space(cls, ranges: Ranges, info: ValidationInfo) -> Ranges:
        optimizers, families = info.data.get("optimizers"), info.data.get("families")
        if optimizers is not None:
            for constant, bounds in ranges.of_constants.items():
                _check_constant(constant, bounds, optimizers)
        if families is not None:
            for name, each in ranges.of_searched.items():
                _check_searched(name, each, families)
        return ranges

    @property
    def plans(self) -> tuple[str, ...]:
        """The allowed pairs, each ``optimizer+family``."""
        return tuple(f"{optimizer}+{family}" for optimizer in self.optimizers for family in self.families)

    def constant(self, optimizer: str, constant: str) -> Range | None:
        """Return the range of an optimizer's constant in this space; None when the optimizer has none such."""
        own = OPTIMIZERS[optimizer].ranges.get(constant)
        return own and _narrowed(own, self.ranges.of_constants[constant].get(optimizer))

    def searched(self, family: str) -> Mapping[str, Range]:
        """Return the ranges in this space of a family's parameters and of the warm-up before it, by name."""
        own = _searched(family, self.families)
        return {name: _narrowed(each, self.ranges.of_searched.get(name)) for name, each in own.items()}

    def most_warmup(self, family: str, horizon: int) -> int:
        """Return how many updates of a run a warm-up before this family may take at most."""
        if FAMILIES[family].brings_warmup:
            return 0
        return updates_at(self.searched(family)[WARMUP].high, horizon)

    def searches(self, constant: str) -> bool:
        """Say whether a constant's position matters for any optimizer of the space."""
        ranges = (self.constant(optimizer, constant) for optimizer in self.optimizers)
        return any(each is not None and each.low < each.high for each in ranges)


def suggest(space: Space, trial: BaseTrial, direction: Literal["minimize", "maximize"]) -> Recipe:
    """Draw a recipe, parameter by parameter, from a trial of Optuna's.

    Args:
        direction: in which the objective metric improves, for the families that read it.
    """
    plan = trial.suggest_categorical("plan", space.plans)
    optimizer, family = plan.split("+")
    positions = {
        constant: trial.suggest_float(name, 0.0, 1.0) if space.searches(constant) else 0.0
        for constant, name in POSITIONS.items()
    }
    constants = {
        constant: each.at(position)
        for constant, position in positions.items()
        if (each := space.constant(optimizer, constant)) is not None
    }
    values = {name: _draw(trial, name, each) for name, each in space.searched(family).items()}
    schedule = build_schedule(family, values).with_mode("min" if direction == "minimize" else "max")
    return _recipe(optimizer, constants, schedule)


def build_schedule(family: str, values: Mapping[str, float]) -> Schedule:
    """Build a family under its warm-up from values of the searched parameters of both.

    A warm-up of 0 is none, and a family that brings its own is put under no other.

    Raises:
        ValueError: a value is out of bounds, or a name is neither the family's nor the warm-up's.
    """
    fraction = 0.0 if FAMILIES[family].brings_warmup else values[WARMUP]
    then = FAMILIES[family].build({name: value for name, value in values.items() if name != WARMUP})
    return Warmup.model_validate({"fraction": fraction, "then": then}) if fraction > 0 else then


def _searched(family: str, families: tuple[str, ...]) -> dict[str, Range]:
    """Return what is drawn for a family in a space of these: its own parameters, and the warm-up if any takes one."""
    is_warmed_up = any(not FAMILIES[each].brings_warmup for each in families)
    return {**(Warmup.searched if is_warmed_up else {}), **FAMILIES[family].searched}


def _recipe(optimizer: str, constants: Mapping[str, float], schedule: Schedule) -> Recipe:
    built = OPTIMIZERS[optimizer].build(weight_decay=constants["weight_decay"], momentum=constants.get("momentum"))
    return Recipe.model_validate({"optimizer": built, "peak_lr": constants["peak_lr"], "schedule": schedule})


def _draw(trial: BaseTrial, name: str, each: Range) -> float:
    if each.low == each.high:
        return each.low
    match each.scale:
        case "linear":
            return trial.suggest_float(name, each.low, each.high)
        case "log":
            return trial.suggest_float(name, each.low, each.high, log=True)
        case "one_minus_log":
            return each.at(trial.suggest_float(f"{name}_position", 0.0, 1.0))


def _narrowed(own: Range, bounds: Bounds | None) -> Range:
    if bounds is None:
        return own
    default = min(max(own.default, bounds.low), bounds.high)
    return Range(bounds.low, bounds.high, own.scale, default)


def _check_constant(constant: str, bounds: PerOptimizer, optimizers: tuple[str, ...]) -> None:
    for optimizer, each in bounds.items():
        where = f"ranges.{constant}.{optimizer}"
        if optimizer not in optimizers:
            raise ValueError(f"{where}: {optimizer} is not among the optimizers of this space")
        own = OPTIMIZERS[optimizer].ranges
        if constant not in own:
            raise ValueError(f"{where}: {optimizer} has no {constant}")
        _check_ends(where, own[constant], each, partial(_recipe_with, optimizer, constant))


def _check_searched(name: str, bounds: Bounds, families: tuple[str, ...]) -> None:
    where = f"ranges.{name[:80]}"
    ranges = {family: _searched(family, families) for family in families}
    owners = [family for family in families if name in ranges[family]]
    if not owners:
        known = sorted({each for own in ranges.values() for each in own})
        raise ValueError(f"{where}: no family of this space has it; there are: {', '.join([*POSITIONS, *known])}")
    for family in owners:
        _check_ends(where, ranges[family][name], bounds, partial(_schedule_with, family, name))


def _check_ends(where: str, own: Range, bounds: Bounds, build: Callable[[float], object]) -> None:
    """Refuse bounds that the parameter's scale or its type does not allow, by trying both ends."""
    for end in (bounds.low, bounds.high):
        try:
            _narrowed(own, bounds)
            build(end)
        except ValidationError as error:
            raise ValueError(f"{where}: {error.errors()[0]['msg']}, got {end}") from error
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error


def _recipe_with(optimizer: str, constant: str, value: float) -> Recipe:
    constants = {name: each.default for name, each in OPTIMIZERS[optimizer].ranges.items()}
    return _recipe(optimizer, constants | {constant: value}, Constant())


def _schedule_with(family: str, name: str, value: float) -> Schedule:
    values = {each: own.default for each, own in {**Warmup.searched, **FAMILIES[family].searched}.items()}
    return build_schedule(family, values | {name: value})
