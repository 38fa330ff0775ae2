"""All rates of a run at once."""

from __future__ import annotations

from array import array

from schedules.base import Schedule
from schedules.recipe import Recipe


def compile_table(what: Recipe | Schedule, horizon: int) -> array[float]:
    """Return what each update of a run asks for: the multiplier of a schedule, the rate of a recipe.

    A schedule that reads a metric is compiled as if there were no reading. With numpy installed 100,000 updates
    take a few milliseconds; without it each is asked for by itself. A scalar call is the definition: the table
    is within 1e-15 of it, times the peak rate for a recipe.

    Args:
        horizon: updates of the run; eight bytes each are needed.

    Returns:
        ``horizon`` numbers of float64, the first that of update 0; ``numpy.frombuffer`` shows it as an array.

    Raises:
        ValueError: the horizon is below 1.
    """
    if horizon < 1:
        raise ValueError(f"a run has at least 1 update, got a horizon of {horizon}")
    try:
        from schedules import vectors  # noqa: PLC0415  numpy is wanted only here, and not needed
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        return compile_without_numpy(what, horizon)
    schedule = what.schedule if isinstance(what, Recipe) else what
    found = vectors.multipliers(schedule, horizon, horizon)
    if isinstance(what, Recipe):
        if what.averaging is not None:
            vectors.put_tail(found, what.averaging, horizon)
        found *= what.peak_lr
    table = array("d")
    table.frombytes(found.tobytes())
    return table


def compile_without_numpy(what: Recipe | Schedule, horizon: int) -> array[float]:
    """Return the same table from one scalar call for each update."""
    call = what.rate if isinstance(what, Recipe) else what
    return array("d", (call(t, horizon) for t in range(horizon)))
