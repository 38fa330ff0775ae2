"""The files that a task reads, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from search.tasks.files import Source, require

PROVIDE = "put them into one of these folders (ETUDE_DATASETS_DIR names the one above), and start the workers again"


def told_of_files(task: str, sources: Sequence[Source]) -> str:
    """Say where the files of a task were found.

    Raises:
        FilesMissing: some are not there; the message names them, and where they were looked for.
    """
    found = require(task, sources)
    folders = ", ".join(dict.fromkeys(str(path.parent) for path in found))
    return f"its {len(found)} files are found in {folders}"


def looked_for(sources: Sequence[Source]) -> dict[str, list[str]]:
    """Every path at which each missing file was looked for."""
    return {each.name: [str(path) for path in each.candidates] for each in sources if each.found is None}
