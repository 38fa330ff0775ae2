"""Reads pyproject.toml and the locks."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.images import ROOT

LOCKS = ("dev.txt", "worker.txt", "service.txt", "build.txt")
PACKAGES = ("schedules", "search", "service")


def pyproject() -> dict[str, Any]:
    """The project file."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def declared(extra: str | None = None) -> list[Requirement]:
    """What the project, or one of its extras, requires."""
    project = pyproject()["project"]
    lines = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def lock_text(name: str) -> str:
    """A lock as it stands in the repository."""
    return (ROOT / "requirements" / name).read_text()


def pins(name: str) -> list[Requirement]:
    """The pins of a lock; one name may be pinned more than once, for different Pythons."""
    return [Requirement(line.rstrip(" \\")) for line in lock_text(name).splitlines() if re.match(r"[A-Za-z0-9]", line)]


def pinned_here(name: str) -> dict[str, str]:
    """Releases by name of what a lock installs on the Python that runs this."""
    here = [pin for pin in pins(name) if pin.marker is None or pin.marker.evaluate()]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in here}


def imported(folder: str) -> set[str]:
    """Distributions that the Python files under a folder import."""
    known = packages_distributions()
    modules = {module for path in (ROOT / folder).rglob("*.py") for module in _modules(ast.parse(path.read_text()))}
    outside = modules - set(sys.stdlib_module_names) - {*PACKAGES, "tests"}
    return {canonicalize_name(name) for module in outside for name in known.get(module, [module])}


def _modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield node.module.split(".")[0]
