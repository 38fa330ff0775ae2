"""What a study's sampler needs of its request and of this machine, checked before the study is accepted."""

from __future__ import annotations

from search.errors import Unavailable, Unsuitable
from search.sampling.gaussian import refuse_if_missing
from search.sampling.grid import grid, ranges_of, size_bound, steps_of
from search.study import StudyRequest

MOST_POINTS = 10_000
"""Points that a grid may have."""


def check_sampler(request: StudyRequest) -> int | None:
    """Refuse a sampler that cannot do what is asked of it; return how many points its grid has.

    Returns:
        None for a sampler without end.

    Raises:
        Unsuitable: steps on a range that the space does not have, a grid larger than the budget, or a package that
            the sampler needs is not installed here.
    """
    match request.sampler.kind:
        case "grid":
            _refuse_unknown(request)
            return _grid_points(request)
        case "gp":
            try:
                refuse_if_missing()
            except Unavailable as error:
                raise Unsuitable(str(error), where=("sampler", "kind"), value="gp") from error
            return None
        case "tpe" | "random" | "qmc" | "cmaes":
            return None


def _refuse_unknown(request: StudyRequest) -> None:
    known, steps = ranges_of(request.space), request.sampler.steps
    if steps is None or isinstance(steps, int):
        return
    for name, n_steps in steps.items():
        if name not in known:
            raise Unsuitable(
                f"no recipe of this space is drawn with {name[:80]!r}; its ranges are: {', '.join(known)}",
                where=("sampler", "steps", name),
                value=n_steps,
            )


def _grid_points(request: StudyRequest) -> int:
    steps, budget = steps_of(request.sampler), request.budget.trials
    n_points = size_bound(request.space, steps)
    if n_points <= MOST_POINTS:
        n_points = sum(1 for _ in grid(request.space, steps))
    most, name = min((MOST_POINTS, "any grid"), (budget, "the budget"))
    if n_points > most:
        raise Unsuitable(
            f"the grid has {n_points} points, but {name} has room for {most} at most: "
            f"give fewer steps or a larger budget",
            where=("sampler", "steps"),
            value=n_points,
        )
    return n_points
