"""A study request from a file and flags; refused here with the same words as by the service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import ValidationError

from search.study import StudyRequest
from service.cli.exits import Exit, Stop, refusal

LARGEST_FILE_BYTES = 16 << 20


def read_document(name: str) -> dict[str, Any]:
    """The object in a JSON or YAML file; ``-`` is standard input.

    Raises:
        Stop: the file is missing, too large, or holds no object.
    """
    text = _read(name)
    try:
        found = json.loads(text, parse_constant=_no_constant) if text.lstrip()[:1] == "{" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise Stop(Exit.REFUSED, f"{name} is neither JSON nor YAML: {error}") from error
    if not isinstance(found, dict):
        raise Stop(Exit.REFUSED, f"{name} must hold an object with named fields, not {type(found).__name__}")
    return found


def _read(name: str) -> str:
    if name == "-":
        return sys.stdin.read(LARGEST_FILE_BYTES)
    path = Path(name)
    if not path.is_file():
        raise Stop(Exit.NOT_FOUND, f"there is no file {name}")
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise Stop(
            Exit.REFUSED, f"{name} is larger than {LARGEST_FILE_BYTES >> 20} MiB, the most that a request may have"
        )
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(Exit.REFUSED, f"{name} cannot be read as UTF-8 text: {error}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def study_request(document: Mapping[str, Any], flags: Mapping[str, Any]) -> StudyRequest:
    """The document with the flags laid over it; dots in a flag's name go into parts: ``budget.trials``.

    Raises:
        Stop: the result is no study request; each place, rule and value is named.
    """
    merged = json.loads(json.dumps(document, default=str))
    for name, value in flags.items():
        if value is not None:
            _put(merged, name.split("."), value)
    if "task" not in merged:
        raise Stop(Exit.USAGE, "name a task with --task, or in a file; `etude tasks` lists them")
    try:
        return StudyRequest.model_validate(merged)
    except ValidationError as error:
        raise refusal("the study request", error) from error


def _put(target: dict[str, Any], path: list[str], value: object) -> None:
    *parents, last = path
    for parent in parents:
        inner = target.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise Stop(
                Exit.REFUSED, f"the study request is refused:\n  {parent}: must be an object (found: {inner!r:.80})"
            )
        target = inner
    target[last] = value


def pairs(flag: str, given: Iterable[str]) -> dict[str, str] | None:
    """``NAME=VALUE`` flags as a mapping; ``None`` when none is given.

    Raises:
        Stop: one has no ``=``.
    """
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise Stop(Exit.USAGE, f"{flag} takes NAME=VALUE, not {each!r}")
        found[name] = value
    return found or None


def scalar(text: str) -> Any:
    """A flag's value as a JSON scalar where it is one, else as text."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text
