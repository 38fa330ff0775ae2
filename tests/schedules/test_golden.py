"""Our schedules against traces of the libraries that define them too, kept in ``golden``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from schedules import AnySchedule, Schedule
from schedules.reading import read_timm, read_transformers
from tests.compat.cases import LIBRARIES
from tests.compat.generate import GOLDEN, seal

FILES = sorted(GOLDEN.glob("*.json"))
DOCUMENTS: dict[str, dict[str, Any]] = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in FILES}
ENTRIES = [
    pytest.param(library, entry, id=f"{library}-{number}-{entry['name']}")
    for library, document in DOCUMENTS.items()
    for number, entry in enumerate(document["cases"])
]


def schedule_of(library: str, entry: dict[str, Any]) -> Schedule:
    """Return our schedule of an entry: as it stands there, or as it is read from the arguments."""
    if "schedule" in entry:
        return TypeAdapter[Schedule](AnySchedule).validate_python(entry["schedule"])
    if library == "transformers":
        return read_transformers(peak_lr=entry["peak_lr"], **entry["arguments"]).schedule
    reading, horizon = read_timm(peak_lr=entry["peak_lr"], **entry["arguments"])
    assert horizon == entry["horizon"]
    return reading.schedule


@pytest.mark.parametrize("file", FILES, ids=lambda file: Path(file).name)
def test_a_golden_file_is_as_it_was_written(file: Path) -> None:
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["sha256"] == seal(document)
    assert document["library"] == file.stem


def test_every_case_has_its_trace() -> None:
    asked = {library: [(case.name, case.arguments) for case in cases] for library, cases in LIBRARIES.items()}
    kept = {
        library: [(entry["name"], entry["arguments"]) for entry in document["cases"]]
        for library, document in DOCUMENTS.items()
    }
    assert json.dumps(kept, sort_keys=True) == json.dumps(asked, sort_keys=True)


@pytest.mark.parametrize("library, entry", ENTRIES)
def test_a_schedule_makes_the_rates_of_the_library(library: str, entry: dict[str, Any]) -> None:
    schedule, horizon = schedule_of(library, entry), entry["horizon"]
    schedule.check(horizon)
    ours = [entry["peak_lr"] * schedule(t, horizon) for t in range(horizon)]
    assert ours == pytest.approx(entry["trace"], rel=0, abs=1e-12)
