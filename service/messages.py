"""What workers say to many studies at once, taken message by message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from search.conductor import Conductor
from search.errors import Conflict, NotFound, SearchError, Unsuitable
from search.protocol import ClaimRequest, Fence
from service.turns import Turns

Message = TypeVar("Message")
Answer = TypeVar("Answer")


def suited(turns: Turns, request: ClaimRequest, project: str | None) -> list[Conductor]:
    """Return the conductors whose trials a claim may be given, in the order in which they are asked.

    Args:
        project: only this project's, whatever the request says; None allows all.
    """
    projects = {each for each in (project, request.project) if each is not None}
    return [
        conductor
        for conductor in turns.all()
        if projects <= {conductor.study.project}
        and conductor.study.plan.task in request.tasks
        and (request.studies is None or conductor.study.name in request.studies)
    ]


def answer_each(
    turns: Turns,
    place: str,
    messages: Sequence[tuple[Fence, Message]],
    ask: Callable[[Conductor, Message], Answer],
    lost: Callable[[Fence, str], Answer],
    project: str | None,
) -> tuple[Answer, ...]:
    """Answer each message by itself; one whose study is gone is answered by ``lost``.

    Raises:
        SearchError: the first refusal, after all that was taken of the others is written.
    """
    answers: list[Answer] = []
    refusals: list[SearchError] = []
    for index, (fence, message) in enumerate(messages):
        try:
            answers.append(ask(_conductor_of(turns, fence, project), message))
        except NotFound as error:
            answers.append(lost(fence, str(error)))
        except Unsuitable as error:
            error.where = (place, index, *error.where)
            refusals.append(error)
        except Conflict as error:
            refusals.append(error)
    if refusals:
        turns.commit()
        raise refusals[0]
    return tuple(answers)


def _conductor_of(turns: Turns, fence: Fence, project: str | None) -> Conductor:
    if project is not None and fence.project != project:
        raise NotFound(f"there is no study {fence.project}/{fence.study}")
    return turns.find(fence.project, fence.study)
