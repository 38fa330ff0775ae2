"""Write the golden traces: what the libraries themselves make of the cases, in float64.

Run it where they are installed, from the root of the repository::

    python -m tests.compat.generate [optax keras ignite transformers timm]
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.compat.cases import LIBRARIES, Case
from tests.compat.libraries import TRACERS, version

GOLDEN = Path(__file__).parents[1] / "schedules" / "golden"


def seal(document: dict[str, Any]) -> str:
    """Return the SHA-256 of a document without its own."""
    kept = {key: value for key, value in document.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def generated(library: str, cases: list[Case], tracer: Callable[[Case], list[float]]) -> dict[str, Any]:
    """Return a golden document: every case with its trace."""
    entries = [
        {
            "name": case.name,
            "arguments": case.arguments,
            "peak_lr": case.peak_lr,
            "horizon": case.horizon,
            **({} if case.schedule is None else {"schedule": case.schedule}),
            "trace": tracer(case),
        }
        for case in cases
    ]
    document = {
        "library": library,
        "version": version(library),
        "generator": "tests/compat/generate.py",
        "cases": entries,
    }
    return {**document, "sha256": seal(document)}


def main(names: list[str]) -> None:
    for library in names or LIBRARIES:
        document = generated(library, LIBRARIES[library], TRACERS[library])
        file = GOLDEN / f"{library}.json"
        file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(f"{file.name}: {len(document['cases'])} traces of {library} {document['version']}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
