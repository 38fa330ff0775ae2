"""What the rules say of a whole study: they are asked about recipes from the middle and the corners of its space."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import Any, Final

from optuna.trial import FixedTrial

from schedules import Finding, Recipe, findings
from search.errors import Unsuitable
from search.space import POSITIONS, Space, suggest
from search.study import Direction, Plan, StudyFinding, StudyRequest

ENDS: Final = (0.0, 1.0)


def study_findings(request: StudyRequest, plan: Plan) -> tuple[StudyFinding, ...]:
    """Apply the rules to every pair of optimizer and family that the study may try; warnings stand before notes.

    A finding is told once, in the words of the first pair that it was found in.

    Raises:
        Unsuitable: a rule refuses a pair.
    """
    seen: dict[str, Finding] = {}
    pairs: dict[str, list[str]] = {}
    for pair in request.space.plans:
        for finding in _of_pair(request, plan, pair):
            seen.setdefault(finding.id, finding)
            pairs.setdefault(finding.id, []).append(pair)
    told = [StudyFinding(**dict(finding), plans=tuple(pairs[rule])) for rule, finding in seen.items()]
    return tuple(sorted(told, key=lambda finding: finding.level == "note"))


def _of_pair(request: StudyRequest, plan: Plan, pair: str) -> list[Finding]:
    found: dict[str, Finding] = {}
    for recipe in corners(request.space, pair, plan.direction):
        for finding in _of_recipe(request, plan, recipe):
            if finding.level == "refuse":
                raise Unsuitable(
                    f"the space holds {pair!r}, which the rule {finding.id!r} refuses: {finding.sentence}",
                    where=("space",),
                    value=pair,
                )
            found.setdefault(finding.id, finding)
    return list(found.values())


def _of_recipe(request: StudyRequest, plan: Plan, recipe: Recipe) -> Iterator[Finding]:
    """Apply the rules to a recipe in the whole run, and to what a short one refuses."""
    if plan.runs:
        yield from (each for each in findings(recipe, plan.shortest_run) if each.level == "refuse")
        yield from findings(recipe, plan.horizon)  # no run is compared before its end
    else:
        yield from findings(recipe, plan.horizon, pruner=request.pruner.kind)


def corners(space: Space, pair: str, direction: Direction) -> Iterator[Recipe]:
    """Iterate over recipes that stand for all that a study may try of one optimizer with one family.

    For each averaging that it may choose, the first is from the middle of every range. Then every parameter is at its
    low end, every one at its high end, and each but the optimizer's at either end by itself.
    """
    first = _Picked(pair)
    suggest(space, first, direction)
    for choice in product(*first.choices.values()):
        chosen = dict(zip(first.choices, choice, strict=True))
        middle = _Picked(pair, chosen)
        yield suggest(space, middle, direction)
        for end in ENDS:
            yield suggest(space, _Picked(pair, chosen, elsewhere=end), direction)
        for name in middle.asked:
            if name not in POSITIONS.values():
                for end in ENDS:
                    yield suggest(space, _Picked(pair, chosen, {name: end}), direction)


class _Picked(FixedTrial):
    """A trial that answers with a place in every range, 0 for its low end and 1 for its high end.

    Args:
        chosen: the choice by name, where there are several; the first where none is given.
        places: the place by name.
        elsewhere: the place in all other ranges.

    Attributes:
        asked: the names of the ranges that were asked for.
        choices: what there was to choose from, by name.
    """

    def __init__(
        self,
        pair: str,
        chosen: Mapping[str, Any] = MappingProxyType({}),
        places: Mapping[str, float] = MappingProxyType({}),
        *,
        elsewhere: float = 0.5,
    ) -> None:
        super().__init__({})
        self.asked: list[str] = []
        self.choices: dict[str, Sequence[Any]] = {}
        self._pair = pair
        self._chosen = chosen
        self._places = places
        self._elsewhere = elsewhere

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        if name == "plan":
            return self._pair
        self.choices[name] = choices
        return self._chosen.get(name, choices[0])

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        self.asked.append(name)
        place = self._places.get(name, self._elsewhere)
        if place in ENDS:
            return high if place else low
        return math.exp(math.log(low) + place * math.log(high / low)) if log else low + place * (high - low)
