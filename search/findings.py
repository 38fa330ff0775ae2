"""What the rules say of a whole study: they are asked about recipes from the middle and the corners of its space."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna.trial import FixedTrial

from schedules import Finding, Recipe, findings
from search.errors import Unsuitable
from search.space import POSITIONS, Space, suggest
from search.study import Direction, Plan, StudyFinding, StudyRequest


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
        for finding in findings(recipe, plan.horizon, pruner=request.pruner.kind):
            if finding.level == "refuse":
                raise Unsuitable(
                    f"the space holds {pair!r}, which the rule {finding.id!r} refuses: {finding.sentence}",
                    where=("space",),
                    value=pair,
                )
            found.setdefault(finding.id, finding)
    return list(found.values())


def corners(space: Space, pair: str, direction: Direction) -> Iterator[Recipe]:
    """Iterate over recipes that stand for all that a study may try of one optimizer with one family.

    The first is from the middle of every range. Then every parameter is at its low end, every one at its high end,
    and each of the schedule's at either end by itself.
    """
    middle = _Picked(pair)
    yield suggest(space, middle, direction)
    yield suggest(space, _Picked(pair, elsewhere=0.0), direction)
    yield suggest(space, _Picked(pair, elsewhere=1.0), direction)
    for name in middle.asked:
        if name not in POSITIONS.values():
            for end in (0.0, 1.0):
                yield suggest(space, _Picked(pair, {name: end}), direction)


class _Picked(FixedTrial):
    """A trial that answers with a place in every range, 0 for its low end and 1 for its high end.

    Attributes:
        asked: the names of the parameters that were asked for.
    """

    def __init__(self, pair: str, places: Mapping[str, float] | None = None, *, elsewhere: float = 0.5) -> None:
        super().__init__({})
        self.asked: list[str] = []
        self._pair = pair
        self._places = places or {}
        self._elsewhere = elsewhere

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._pair if name == "plan" else choices[round(self._place(name) * (len(choices) - 1))]

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        place = self._place(name)
        if place in (0, 1):
            return high if place else low
        if log:
            return math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
        return low + place * (high - low)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        return round(self.suggest_float(name, low, high, log=log))

    def _place(self, name: str) -> float:
        self.asked.append(name)
        return self._places.get(name, self._elsewhere)
