"""Files that an operator provides for tasks: where they may lie, and what is missing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from search.errors import Unsuitable

VARIABLE: Final = "ETUDE_DATASETS_DIR"
DEFAULT: Final = Path("etude-data/datasets")


class FilesMissing(Unsuitable):
    """A task cannot be trained here, because files that it reads are not there."""


class FileRefused(Unsuitable):
    """A data file is not what it should be; ``why`` says what was found in it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"the data file {path} is refused: {why}", where=("task",))


@dataclass(frozen=True)
class Source:
    """One file that a task reads.

    Attributes:
        name: what is in it, for people.
        candidates: every path at which it may lie.
        found: the first of them that is a file, when it was looked for; None when there was none.
    """

    name: str
    candidates: tuple[Path, ...]
    found: Path | None


def directory() -> Path:
    """Return the directory of all data sets, as the operator has set it."""
    return Path(os.environ.get(VARIABLE) or DEFAULT).absolute()


def look_for(name: str, folders: Iterable[Path], spellings: Sequence[str]) -> Source:
    """Look for a file of several possible names in several folders; the first that is there counts."""
    candidates = tuple(folder / spelling for folder in folders for spelling in spellings)
    return Source(name, candidates, next((path for path in candidates if path.is_file()), None))


def require(task: str, sources: Iterable[Source]) -> list[Path]:
    """Return where each file was found.

    Raises:
        FilesMissing: some are not there; the message names them all, and every folder and name looked for.
    """
    found, missing = [], []
    for source in sources:
        if source.found is None:
            missing.append(source)
        else:
            found.append(source.found)
    if missing:
        raise FilesMissing(_what_is_missing(task, missing), where=("task",), value=task)
    return found


def _what_is_missing(task: str, missing: Sequence[Source]) -> str:
    folders = dict.fromkeys(str(path.parent) for source in missing for path in source.candidates)
    files = "; ".join(f"{source.name} ({_spellings(source)})" for source in missing)
    return f"task {task} lacks files that it reads; no folder of {', '.join(folders)} holds: {files}"


def _spellings(source: Source) -> str:
    return " or ".join(dict.fromkeys(path.name for path in source.candidates))
