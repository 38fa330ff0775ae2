"""All families that stand alone, as one type."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schedules.cycles import Cyclic
from schedules.decays import Cosine, Factor, InverseSqrt, Linear, OneMinusSqrt, Polynomial
from schedules.drops import Constant, MultiFactor, Step
from schedules.knots import Piecewise
from schedules.phases import OneCycle, Wsd
from schedules.plateau import Plateau

Family = (
    Constant
    | Factor
    | Step
    | MultiFactor
    | Linear
    | Polynomial
    | OneMinusSqrt
    | InverseSqrt
    | Cosine
    | Cyclic
    | OneCycle
    | Wsd
    | Piecewise
    | Plateau
)
AnyFamily = Annotated[Family, Field(discriminator="kind")]
