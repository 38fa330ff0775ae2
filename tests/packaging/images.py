"""Reads the Dockerfile and the compose file, no further than these tests need."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile: ``RUN``, ``COPY``, … and what follows it."""

    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """The words of the exec form (JSON) or of the shell form."""
        rest = self.rest.removeprefix("CMD ").strip() if self.name == "HEALTHCHECK" else self.rest
        return [str(word) for word in json.loads(rest)] if rest.startswith("[") else shlex.split(rest)


@dataclass(frozen=True)
class Stage:
    """One ``FROM … AS name`` and the instructions under it."""

    name: str
    parent: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[Instruction]:
        """The instructions of one name, in order."""
        return [each for each in self.instructions if each.name == name]

    @property
    def environment(self) -> dict[str, str]:
        """What its ``ENV`` instructions set."""
        return dict(word.split("=", 1) for each in self.all("ENV") for word in each.words)


def stages() -> dict[str, Stage]:
    """The stages of the Dockerfile, by name."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found: dict[str, Stage] = {}
    for line in lines:
        name, rest = line.split(" ", 1)
        if name == "FROM":
            parent, stage = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()  # type: ignore[union-attr]  # fails the test
            found[stage] = Stage(stage, parent, ())
            continue
        last = found.popitem()[1]
        found[last.name] = Stage(last.name, last.parent, (*last.instructions, Instruction(name, rest)))
    return found


def needed_by(name: str) -> list[Stage]:
    """A stage and all stages that it is built from or copies from."""
    known = stages()
    stage = known[name]
    copied = [match[1] for each in stage.all("COPY") if (match := re.search(r"--from=(\S+)", each.rest))]
    return [stage, *(each for other in (stage.parent, *copied) if other in known for each in needed_by(other))]


def compose() -> dict[str, Any]:
    """The compose file, anchors merged, variables as written."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file, by name."""
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found
