"""The tasks that a study may name."""

from __future__ import annotations

from search.errors import Unsuitable
from search.planning import EXTERNAL
from search.tasks.builtin import INFOS
from search.tasks.info import TaskInfo
from service.store import Store


def known_tasks(store: Store) -> list[TaskInfo]:
    """Return the tasks built in, the external one, and those that workers announced; the first of a name counts."""
    known: dict[str, TaskInfo] = {}
    for info in (*INFOS, EXTERNAL, *store.announced_tasks()):
        known.setdefault(info.name, info)
    return list(known.values())


def find_task(store: Store, name: str) -> TaskInfo:
    """Return the task of this name.

    Raises:
        Unsuitable: there is none.
    """
    tasks = {info.name: info for info in known_tasks(store)}
    if name not in tasks:
        raise Unsuitable(f"there is no task {name!r}; there are: {', '.join(tasks)}", where=("task",), value=name)
    return tasks[name]
