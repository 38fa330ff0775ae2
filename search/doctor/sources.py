"""The registered tasks of this machine: whether each can be loaded, and which of its files are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from search.doctor.child import Ended, Stage, consult, telling
from search.doctor.diagnosis import Diagnosis, failing, fine, warning
from search.doctor.files import PROVIDE, looked_for, told_of_files
from search.errors import SearchError
from search.tasks.files import FilesMissing

SECONDS: Final = 60.0
_TASK: Final = "task "


def look_at_tasks(environment: Mapping[str, str], *, seconds: float = SECONDS) -> Iterator[Diagnosis]:
    """Load every registered task; one that crashes or hangs ends a process, and the others are loaded in a new one."""
    seen: list[str] = []
    while True:
        ended = Ended("", None, "")
        for told in consult("search.doctor.sources", seen, environment, seconds=seconds):
            match told:
                case Diagnosis():
                    yield told
                case Stage(check=check):
                    seen.append(check.removeprefix(_TASK))
                case Ended():
                    ended = told
        if not ended.how:
            return
        yield _broken(ended)
        if ended.during is None:
            return


def _broken(ended: Ended) -> Diagnosis:
    todo = "correct the package that registers the task, or uninstall it: it would end every worker"
    check, doing = (ended.during.check, ended.during.doing) if ended.during else ("tasks", "the import of torch")
    return failing(check, f"a process that was at {doing} {ended.how}", todo, detail=ended.said)


def main() -> None:
    teller, seen = telling()
    from search.tasks import registry  # noqa: PLC0415  imports torch

    try:
        names = [name for name in registry.names() if name not in seen]
    except SearchError as error:
        teller.tell(failing("tasks", str(error), "uninstall one of the two packages"))
        return
    for name in names:
        teller.begin(f"{_TASK}{name}", f"the loading of task {name}")
        teller.tell(_look_at(name))


def _look_at(name: str) -> Diagnosis:
    from search.tasks import registry  # noqa: PLC0415
    from search.tasks.base import ReadsFiles  # noqa: PLC0415

    check = f"{_TASK}{name}"
    try:
        task = registry.load(name)
    except SearchError as error:
        return failing(
            check, str(error), "correct the package that registers it; workers leave the task out until then"
        )
    if not isinstance(task, ReadsFiles):
        return fine(check, "is loaded; it reads no files of the operator")
    sources = task.sources()
    try:
        return fine(check, f"is loaded; {told_of_files(name, sources)}")
    except FilesMissing as error:
        return warning(check, str(error), PROVIDE, looked_for=looked_for(sources))


if __name__ == "__main__":
    main()
