"""Which completed trial is better than which."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, select

from search.study import TrialState
from service.tables import trials


def completed(*columns: ColumnElement[Any], study_id: int, direction: str) -> Select[Any]:
    """The query for the completed trials of a study, the best first; of equal ones the earlier."""
    value = trials.c.value.asc() if direction == "minimize" else trials.c.value.desc()
    return (
        select(*columns)
        .where(trials.c.study_id == study_id, trials.c.state == TrialState.COMPLETED.value, trials.c.value.is_not(None))
        .order_by(value, trials.c.number)
    )
