"""What a study chooses from by name: its sampler and its pruner."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationInfo, WrapValidator, field_validator

SamplerKind = Literal["tpe", "random", "qmc", "grid", "cmaes", "gp"]
NSteps = Annotated[int, Field(strict=True, ge=1, le=50)]
StepsByName = Annotated[dict[Annotated[str, Field(max_length=64)], NSteps], Field(max_length=50)]


def _number_or_names(value: object, _: object) -> object:
    # one of the two by what was given, so that a refusal names one place and one rule
    kind: TypeAdapter[object] = TypeAdapter(StepsByName if isinstance(value, dict) else NSteps)
    return kind.validate_python(value)


Steps = Annotated[NSteps | StepsByName, WrapValidator(_number_or_names)]
"""Places on every range of a space, or on each by name."""


SAMPLER_OPTIONS = {"group": "tpe", "steps": "grid"}
"""Options of one sampler alone, each with its kind."""

LEARNING: frozenset[SamplerKind] = frozenset({"tpe", "cmaes", "gp"})
"""Samplers that draw by what became of the trials before."""


class SamplerChoice(BaseModel):
    """Which sampler proposes recipes.

    ``tpe`` and ``random`` set out from a planned start. ``qmc`` covers the space evenly, every plan equally often.
    ``grid`` tries each plan with each point of its own parameters, in an order that the seed shuffles, and ends the
    study after the last. ``cmaes`` (the evolution strategy CMA-ES) and ``gp`` (a Gaussian process; needs the extra
    ``gp`` where the service runs) learn what every trial has, and take the rest from ``qmc``.

    Attributes:
        group: for ``tpe``: model the parameters of each branch of the space jointly (experimental in Optuna).
        steps: for ``grid``: places on each range, or on each by the name of its parameter and one, the middle, on
            those not named. Both ends of a range are among its places. ``None`` takes 5 on ``lr_position`` alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: SamplerKind = "tpe"
    group: bool = False
    steps: Steps | None = None

    @property
    def learns(self) -> bool:
        """Whether what is drawn depends on what became of the trials before it."""
        return self.kind in LEARNING

    @field_validator("group", "steps")
    @classmethod
    def _belongs_to_the_kind(cls, value: object, info: ValidationInfo) -> object:
        own, kind = SAMPLER_OPTIONS[info.field_name or ""], info.data.get("kind", "")
        if value not in (False, None) and kind and kind != own:
            raise ValueError(f"{info.field_name} is an option of the sampler {own!r}, and this one is {kind!r}")
        return value


Pruning = Literal["none", "median", "halving", "hyperband", "patient"]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class PrunerChoice(BaseModel):
    """Which pruner ends poor trials early.

    ``median``, ``halving`` and ``hyperband`` compare trials at rungs; ``patient`` looks at each trial by itself. A
    field that its kind does not use must be left out.

    Attributes:
        rungs: fractions of the run at which trials are compared, rising; ``None`` takes the pruner's own.
        start_trials: nothing is pruned before this many rivals have a value at the rung.
        reduction_factor: for ``halving`` and ``hyperband``: one in this many goes on at each rung.
        rescale: make each rung a whole short run with the schedule stretched to it, instead of cutting one long run;
            a trial that goes on begins the next run with new weights.
        patience: for ``patient``: evaluations without improvement after which a trial is pruned.
        min_delta: for ``patient``: what counts as an improvement of the objective metric.
        spare_fraction: share of the trials that are never cut, to measure what pruning costs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Pruning = "none"
    rungs: Annotated[tuple[Fraction, ...], Field(min_length=1, max_length=20)] | None = None
    start_trials: Annotated[int, Field(ge=1, le=10_000)] = 5
    reduction_factor: Annotated[int, Field(ge=2, le=16)] = 3
    rescale: bool = False
    patience: Annotated[int, Field(ge=1, le=10_000)] = 5
    min_delta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    spare_fraction: Annotated[float, Field(ge=0, le=1)] = 0.0
