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

A schedule-free optimizer goes with the family ``constant`` alone, and with no averaging: it is given the choice of one
all the same, and ignores it. What only one averaging has carries its name, like what only one family has.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Literal

from optuna.trial import BaseTrial
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator

from schedules import AVERAGINGS, FAMILIES, OPTIMIZERS, Averaging, Constant, Range, Recipe, Schedule, Warmup, updates_at
from search.ranges import (
    NO_AVERAGING,
    AveragingName,
    Bounds,
    FamilyName,
    OptimizerName,
    PerOptimizer,
    Ranges,
    check_ends,
    distinct,
    narrowed,
)

POSITIONS = {
    "peak_lr": "lr_position",
    "weight_decay": "weight_decay_position",
    "momentum": "momentum_position",
}
"""The parameter drawn in [0, 1] for each constant whose range depends on the optimizer."""

WARMUP = "warmup_fraction"
"""The parameter that every trial has, whatever its family."""

AVERAGING = "averaging"
"""The parameter that chooses among the averagings, where there is a choice."""


class Space(BaseModel):
    """The recipes that a study may try: every pair of an optimizer and a family, under a warm-up.

    Attributes:
        averaging: which averages of the weights may be judged, ``none`` for the weights themselves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    optimizers: Annotated[tuple[OptimizerName, ...], AfterValidator(distinct)] = (
        "sgd",
        "adamw",
    )
    families: Annotated[tuple[FamilyName, ...], AfterValidator(distinct)] = (
        "constant",
        "factor",
        "multi_factor",
        "cosine",
        "inverse_sqrt",
        "plateau",
    )
    averaging: Annotated[tuple[AveragingName, ...], AfterValidator(distinct)] = (NO_AVERAGING,)
    ranges: Ranges = Ranges()

    @field_validator("families")
    @classmethod
    def _each_has_a_partner(cls, families: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        optimizers = info.data.get("optimizers", ())
        for optimizer in optimizers:
            if not any(_go_together(optimizer, family) for family in families):
                raise ValueError(f"{optimizer} goes with the family 'constant' alone, which is not among these")
        for family in families if optimizers else ():
            if not any(_go_together(optimizer, family) for optimizer in optimizers):
                raise ValueError(f"{family} goes with none of the optimizers {', '.join(optimizers)}")
        return families

    @field_validator("averaging")
    @classmethod
    def _averaging_leaves_the_schedule_free_alone(
        cls, averaging: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        for optimizer in info.data.get("optimizers", ()):
            if OPTIMIZERS[optimizer].is_schedule_free and NO_AVERAGING not in averaging:
                raise ValueError(f"{optimizer} averages by itself: with it {NO_AVERAGING!r} must be among these")
        return averaging

    @field_validator("ranges")
    @classmethod
    def _ranges_belong_to_the_space(cls, ranges: Ranges, info: ValidationInfo) -> Ranges:
        optimizers, families = info.data.get("optimizers"), info.data.get("families")
        if optimizers is not None:
            for constant, bounds in ranges.of_constants.items():
                _check_constant(constant, bounds, optimizers)
        if families is not None and "averaging" in info.data:
            for name, each in ranges.of_searched.items():
                _check_searched(name, each, families, info.data["averaging"])
        return ranges

    @property
    def plans(self) -> tuple[str, ...]:
        """The allowed pairs, each ``optimizer+family``."""
        pairs = ((optimizer, family) for optimizer in self.optimizers for family in self.families)
        return tuple("+".join(pair) for pair in pairs if _go_together(*pair))

    def partners(self, family: str) -> tuple[str, ...]:
        """Return the optimizers that a family is tried with."""
        return tuple(optimizer for optimizer in self.optimizers if _go_together(optimizer, family))

    def constant(self, optimizer: str, constant: str) -> Range | None:
        """Return the range of an optimizer's constant in this space; None when the optimizer has none such."""
        own = OPTIMIZERS[optimizer].ranges.get(constant)
        return own and narrowed(own, self.ranges.of_constants[constant].get(optimizer))

    def searched(self, family: str) -> Mapping[str, Range]:
        """Return the ranges in this space of a family's parameters and of the warm-up before it, by name."""
        return self.ranges.narrowed(_searched(family, self.families))

    def searched_of_averaging(self, kind: str) -> Mapping[str, Range]:
        """Return the ranges in this space of an averaging's parameters, by name."""
        return {} if kind == NO_AVERAGING else self.ranges.narrowed(AVERAGINGS[kind].searched)

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
    return _recipe(optimizer, constants, schedule, _suggest_averaging(space, trial, optimizer))


def _suggest_averaging(space: Space, trial: BaseTrial, optimizer: str) -> Averaging | None:
    kind = trial.suggest_categorical(AVERAGING, space.averaging) if len(space.averaging) > 1 else space.averaging[0]
    if OPTIMIZERS[optimizer].is_schedule_free:
        return None
    return build_averaging(
        kind, {name: _draw(trial, name, each) for name, each in space.searched_of_averaging(kind).items()}
    )


def build_averaging(kind: str, values: Mapping[str, float]) -> Averaging | None:
    """Build an averaging from values of its searched parameters; None of ``none``.

    Raises:
        ValueError: a value is out of bounds, or a name is not one of its own.
    """
    return None if kind == NO_AVERAGING else AVERAGINGS[kind].build(values)


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


def _go_together(optimizer: str, family: str) -> bool:
    return family == "constant" or not OPTIMIZERS[optimizer].is_schedule_free


def _recipe(
    optimizer: str, constants: Mapping[str, float], schedule: Schedule, averaging: Averaging | None = None
) -> Recipe:
    built = OPTIMIZERS[optimizer].build(weight_decay=constants["weight_decay"], momentum=constants.get("momentum"))
    peak_lr = constants["peak_lr"]
    return Recipe.model_validate({"optimizer": built, "peak_lr": peak_lr, "schedule": schedule, "averaging": averaging})


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


def _check_constant(constant: str, bounds: PerOptimizer, optimizers: tuple[str, ...]) -> None:
    for optimizer, each in bounds.items():
        where = f"ranges.{constant}.{optimizer}"
        if optimizer not in optimizers:
            raise ValueError(f"{where}: {optimizer} is not among the optimizers of this space")
        own = OPTIMIZERS[optimizer].ranges
        if constant not in own:
            raise ValueError(f"{where}: {optimizer} has no {constant}")
        check_ends(where, own[constant], each, partial(_recipe_with, optimizer, constant))


def _check_searched(name: str, bounds: Bounds, families: tuple[str, ...], averaging: tuple[str, ...]) -> None:
    where = f"ranges.{name[:80]}"
    ranges = {family: _searched(family, families) for family in families}
    averages = {kind: AVERAGINGS[kind].searched for kind in averaging if kind != NO_AVERAGING}
    owners = [family for family in families if name in ranges[family]]
    if not owners and not any(name in own for own in averages.values()):
        known = sorted({each for own in [*ranges.values(), *averages.values()] for each in own})
        raise ValueError(f"{where}: no family of this space has it; there are: {', '.join([*POSITIONS, *known])}")
    for family in owners:
        check_ends(where, ranges[family][name], bounds, partial(_schedule_with, family, name))
    for kind, searched in averages.items():
        if name in searched:
            check_ends(where, searched[name], bounds, partial(_averaging_with, kind, name))


def _recipe_with(optimizer: str, constant: str, value: float) -> Recipe:
    constants = {name: each.default for name, each in OPTIMIZERS[optimizer].ranges.items()}
    return _recipe(optimizer, constants | {constant: value}, Constant())


def _schedule_with(family: str, name: str, value: float) -> Schedule:
    values = {each: own.default for each, own in {**Warmup.searched, **FAMILIES[family].searched}.items()}
    return build_schedule(family, values | {name: value})


def _averaging_with(kind: str, name: str, value: float) -> Averaging | None:
    values = {each: own.default for each, own in AVERAGINGS[kind].searched.items()}
    return build_averaging(kind, values | {name: value})
