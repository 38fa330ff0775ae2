"""Schedules and recipes in the API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from schedules import Finding, Recipe, Severity, findings
from search.choices import Pruning
from service.schemas.base import Body, Out
from service.schemas.previews import LONGEST_HORIZON


class RangeOut(Out):
    """Where a searched parameter lies."""

    low: float
    high: float
    scale: Literal["linear", "log", "one_minus_log"]
    default: float


class DescribedOut(Out):
    """A kind of part that a recipe may have.

    Attributes:
        summary: its first sentence.
        description: the whole text: the formula, what holds at the ends, and where libraries differ.
        source: where it was published.
        defaults: the values of the fields that need not be given.
        parameters: JSON Schema of its fields.
    """

    kind: str
    summary: str
    description: str
    source: str
    defaults: dict[str, JsonValue]
    parameters: dict[str, Any]


class FamilyOut(DescribedOut):
    """A family of schedules, a join of them, or a way to average.

    Attributes:
        searched: the parameters that a search varies, and their ranges.
    """

    searched: dict[str, RangeOut]


class OptimizerOut(DescribedOut):
    """An optimizer and the ranges that a search takes when the study names none."""

    ranges: dict[str, RangeOut]


class FamiliesOut(Out):
    """All that a recipe may be made of.

    Attributes:
        families: what a space may name.
        joins: schedules made of others.
        averagings: averages of the weights.
        optimizers: what a space may name.
    """

    families: list[FamilyOut]
    joins: list[FamilyOut]
    averagings: list[FamilyOut]
    optimizers: list[OptimizerOut]


class CheckBody(Body):
    """A recipe to check against the length of a run.

    Attributes:
        pruner: the kind of pruner of the study that is to train it.
    """

    recipe: Recipe
    horizon: Annotated[int, Field(ge=1, le=LONGEST_HORIZON)]
    pruner: Pruning = "none"


class FindingOut(Out):
    """What a rule found.

    Attributes:
        id: of the rule.
        level: ``refuse``: it cannot be done; ``warn``: redundant or contested; ``note``: worth knowing.
        citation: the evidence: authors, year, link.
        where: the place in the recipe.
    """

    id: str
    level: Severity
    sentence: str
    citation: str
    where: list[str | int]


class CheckOut(Out):
    """What the rules say of a recipe.

    Attributes:
        can_be_trained: no rule refuses it.
        fair_from: the first update from which comparing it with rivals is fair; ``null`` if it cannot be trained.
    """

    recipe: Recipe
    summary: str
    digest: str
    horizon: int
    can_be_trained: bool
    fair_from: int | None
    findings: list[FindingOut]


def check_out(body: CheckBody) -> CheckOut:
    """Check a recipe."""
    recipe, horizon = body.recipe, body.horizon
    found = findings(recipe, horizon, pruner=body.pruner)
    can_be_trained = all(finding.level != "refuse" for finding in found)
    return CheckOut(
        recipe=recipe,
        summary=recipe.summary(),
        digest=recipe.digest,
        horizon=horizon,
        can_be_trained=can_be_trained,
        fair_from=recipe.fair_from(horizon) if can_be_trained else None,
        findings=[finding_out(finding) for finding in found],
    )


def finding_out(finding: Finding) -> FindingOut:
    """A finding, for an answer."""
    return FindingOut(**finding.model_dump())
