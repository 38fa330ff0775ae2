"""Registered tasks, found by name among the entry points of installed packages.

A name is looked up, never imported as a path: what a client sends decides only which of the
installed tasks runs.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Final

from search.errors import NotFound, Unsuitable
from search.tasks.base import Task

GROUP: Final = "etude.tasks"


def names() -> list[str]:
    """Names of all registered tasks, sorted; nothing is imported."""
    return sorted(_registered())


def load(name: str) -> Task:
    """Import a registered task and build it.

    Raises:
        NotFound: no installed package registers this name.
        Unsuitable: what is registered cannot be imported, is not a task of this name, or two
            packages register the same name.
    """
    registered = _registered()
    if name not in registered:
        known = ", ".join(sorted(registered)) or "none"
        raise NotFound(f"there is no task {name!r:.80} on this machine; registered tasks: {known}")
    entry = registered[name]
    try:
        task: Task = entry.load()()
    except Exception as error:  # a user's own module may raise anything
        raise Unsuitable(
            f"task {name} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}",
            where=("task",),
            value=name,
        ) from error
    _check(task, entry)
    return task


def _registered() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        first = found.setdefault(entry.name, entry)
        if first.value != entry.value:
            raise Unsuitable(
                f"task {entry.name} is registered twice, as {first.value} and as {entry.value}: uninstall one of them",
                where=("task",),
            )
    return found


def _check(task: Task, entry: EntryPoint) -> None:
    wanted = ("info", "batch_size", "data", "model", "loss", "metrics")
    missing = [attribute for attribute in wanted if not hasattr(task, attribute)]
    if missing:
        raise Unsuitable(f"task {entry.name} ({entry.value}) has no {', '.join(missing)}", where=("task",))
    if task.info.name != entry.name:
        raise Unsuitable(
            f"task {entry.name} ({entry.value}) calls itself {task.info.name!r}: "
            "the name of the entry point and of its TaskInfo must be the same",
            where=("task",),
        )
