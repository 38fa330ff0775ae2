"""Following a study to its end, as a live bar on a terminal and as plain lines elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.errors import Unavailable
from search.study import StudyState
from service.cli.console import coloured, counts_line, err, number, seconds, stopped_line
from service.cli.exits import Exit
from service.client import Client
from service.schemas import StudyDetailOut

LOOK_EVERY_SECONDS = 0.5
SAY_EVERY_SECONDS = 5.0
PATIENCE_SECONDS = 60.0


def watch_study(
    service: Client, name: str, *, console: Console | None = None, check: Callable[[], None] = lambda: None
) -> StudyDetailOut:
    """Show progress until the study is over, and return it as it then stands.

    Args:
        check: called at each look; what it raises ends the watching.

    Raises:
        Unavailable: the service cannot be reached, or was gone for a minute.
        NotFound: there is no such study, or it was deleted meanwhile.
    """
    console = console or err()
    looks = _looks(service, name, check)
    return _live(looks, console) if console.is_terminal else _lines(looks, console)


def exit_of_state(state: StudyState) -> Exit:
    """A study that did not complete is a failed command."""
    return Exit.OK if state == StudyState.COMPLETED else Exit.FAILED


def _looks(service: Client, name: str, check: Callable[[], None]) -> Iterator[StudyDetailOut]:
    """The study again and again, the last one final; a service that restarts is waited for."""
    pause = threading.Event()
    unseen = 0.0
    study = service.study(name)
    yield study
    while not study.state.is_final:
        pause.wait(LOOK_EVERY_SECONDS)
        check()
        try:
            study = service.study(name)
        except Unavailable:
            if unseen >= PATIENCE_SECONDS:
                raise
            unseen += LOOK_EVERY_SECONDS
        else:
            unseen = 0.0
            yield study


def _live(looks: Iterator[StudyDetailOut], console: Console) -> StudyDetailOut:
    study = next(looks)
    with Live(_panel(study), console=console, refresh_per_second=4) as live:
        for study in looks:
            live.update(_panel(study))
    return study


def _panel(study: StudyDetailOut) -> RenderableType:
    progress = study.progress
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        Text.from_markup(f"[bold]{study.name}[/]"),
        ProgressBar(total=progress.budget, completed=progress.finished, width=40),
        f"{progress.finished}/{progress.budget}",
        f"{seconds(progress.seconds)}, left {seconds(progress.seconds_left)}",
    )
    lines = [Text.from_markup(f"  {coloured(study.state)}: {counts_line(study)} {stopped_line(study)}".rstrip())]
    lines.append(Text(f"  best so far: {_best(study)}"))
    return Group(bar, *lines)


def _lines(looks: Iterator[StudyDetailOut], console: Console) -> StudyDetailOut:
    study = next(looks)
    _say(study, console)
    said, since = study.progress.finished, 0.0
    for study in looks:
        since += LOOK_EVERY_SECONDS
        if study.state.is_final or (study.progress.finished != said and since >= SAY_EVERY_SECONDS):
            _say(study, console)
            said, since = study.progress.finished, 0.0
    return study


def _say(study: StudyDetailOut, console: Console) -> None:
    progress = study.progress
    stopped = "" if study.stopped_by is None else f", stopped by {study.stopped_by}"
    console.print(
        f"{study.name}: {study.state}, {progress.finished}/{progress.budget} trials "
        f"({Text.from_markup(counts_line(study)).plain}), best {_best(study)}, "
        f"{seconds(progress.seconds)}, left {seconds(progress.seconds_left)}{stopped}",
        markup=False,
    )


def _best(study: StudyDetailOut) -> str:
    if study.best is None:
        return "none yet"
    return f"{study.plan.metric} {number(study.best.value)} (trial {study.best.number}: {study.best.summary})"
