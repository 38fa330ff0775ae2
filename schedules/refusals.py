"""The rules that refuse: what cannot be done.

Most of it is refused by the recipe or the schedule itself, whose sentences these rules take over.
"""

from __future__ import annotations

from collections.abc import Iterator

from schedules.base import Schedule
from schedules.case import Broken, Case
from schedules.joins import Cooldown, Restarts
from schedules.phases import OneCycle, Wsd
from schedules.places import Place, places


def parts_that_do_not_go_together(case: Case) -> Iterator[Broken]:
    """Find what a recipe complains of whatever the horizon."""
    for complaint in case.recipe.complaints():
        yield Broken(complaint.rule, complaint.sentence, complaint.where)


def runs_too_short(case: Case) -> Iterator[Broken]:
    """Find curves that cannot do what they say within the run."""
    for where, curve in case.curves:
        try:
            curve.check(case.horizon)
        except ValueError as error:
            yield Broken(_why_short(curve, case.horizon), str(error), where)


def averaging_too_late(case: Case) -> Iterator[Broken]:
    """Find an averaging that has nothing to average."""
    if case.recipe.averaging is None:
        return
    try:
        case.recipe.averaging.check(case.horizon)
    except ValueError as error:
        yield Broken("averaging-too-late", str(error), ("averaging",))


def restarts_that_never_happen(case: Case) -> Iterator[Broken]:
    """Find restarts whose first cycle is as long as the run."""
    for place in case.parts_of_all_curves():
        if isinstance(place.schedule, Restarts) and place.horizon >= 1:
            first = place.schedule.bounds(place.horizon)[1]
            if first >= place.horizon:
                sentence = f"the first cycle takes {first} of {place.horizon} updates, so that nothing restarts"
                yield Broken("restart-never-happens", sentence, place.where)


def _why_short(curve: Schedule, horizon: int) -> str:
    """Return the rule that a curve breaks whose ``check`` refuses the horizon."""
    parts = tuple(places(curve, (), horizon))
    if any(part.horizon < 1 for part in parts):
        return "phases-beyond-run"
    return "decay-too-short" if any(_decays_at_once(part) for part in parts) else "run-too-short"


def _decays_at_once(part: Place) -> bool:
    match part.schedule:
        case Wsd() | Cooldown() as late:
            return part.horizon - late.decay_start(part.horizon) < 2
        case OneCycle() as cycle:
            return part.horizon - cycle.knots(part.horizon)[-2][0] < 2
        case family:
            return part.horizon < family.shortest_horizon
