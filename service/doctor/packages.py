"""What is installed, against what Etude declares and, in a source tree, against its lock."""

from __future__ import annotations

import json
import platform
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution, requires
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from search.doctor.diagnosis import Diagnosis, failing, fine, warning

PROJECT: Final = "etude"
TRAINING: Final = "train"
SOURCE_TREE: Final = Path(__file__).parents[2]
_LOCKS: Final = (("dev.txt", "pytest"), ("worker.txt", "torch"), ("service.txt", "fastapi"))
"""Each lock, with a package by which an environment of it is known."""


def look_at_packages(tree: Path = SOURCE_TREE) -> Iterator[Diagnosis]:
    """Compare Python and the installed packages with what Etude asks for.

    Args:
        tree: where the source tree would be; a wheel has none.
    """
    try:
        etude = distribution(PROJECT)
    except PackageNotFoundError:
        yield failing("packages", "Etude itself is not installed", f"run: {_pip()} --editable {tree}")
        return
    yield _python(etude.metadata["Requires-Python"] or "")
    yield _declared(None)
    yield _declared(TRAINING)
    if (tree / "pyproject.toml").is_file() and (tree / "requirements").is_dir():
        yield _locked(tree / "requirements")
        yield _registered(etude, tree)


def _python(supported: str) -> Diagnosis:
    found = platform.python_version()
    said = f"Python {found} at {sys.executable}"
    if not SpecifierSet(supported).contains(found, prereleases=True):
        return failing("python", f"{said}; Etude needs {supported}", "make another environment: make setup PYTHON=…")
    return fine("python", said, version=found)


def _declared(extra: str | None) -> Diagnosis:
    """Compare with the requirements of Etude, or of one of its extras; without an extra it works, but cannot train."""
    check = "packages" if extra is None else f"packages [{extra}]"
    lines = [Requirement(line) for line in requires(PROJECT) or ()]
    wanted = [each for each in lines if _is_of(each, extra)]
    wrong = {each: said for each in wanted if (said := _what_is_wrong(each)) is not None}
    if not wrong:
        return fine(check, f"all {len(wanted)} packages that Etude declares are installed as it needs them")
    said = "; ".join(wrong.values())
    todo = f"{_pip()} {' '.join(repr(f'{each.name}{each.specifier}') for each in wrong)}"
    if extra is None:
        return failing(check, said, f"run: {todo}")
    return warning(check, f"no trial can be trained here: {said}", f"where workers run, run: {todo}")


def _is_of(requirement: Requirement, extra: str | None) -> bool:
    if requirement.marker is None:
        return extra is None
    if extra is None:
        return requirement.marker.evaluate({"extra": ""})
    return requirement.marker.evaluate({"extra": extra}) and not requirement.marker.evaluate({"extra": ""})


def _what_is_wrong(requirement: Requirement) -> str | None:
    found = _installed(requirement.name)
    if found is None:
        return f"{requirement.name} is missing"
    if not requirement.specifier.contains(found, prereleases=True):
        return f"{requirement.name} is {found}, and Etude needs {requirement.specifier}"
    return None


def _locked(requirements: Path) -> Diagnosis:
    lock = next((name for name, mark in _LOCKS if _installed(mark) is not None), "service.txt")
    pins = _pins(requirements / lock)
    others = [
        f"{name} {_installed(name) or 'missing'} (lock: {pin})" for name, pin in pins.items() if _installed(name) != pin
    ]
    if _installed("torch") is not None:
        pins_of_torch, found = _pins(requirements / "torch.txt"), (_installed("torch") or "").partition("+")[0]
        others += [f"torch {found} (lock: {pin})" for pin in pins_of_torch.values() if found != pin]
    if others:
        return warning(
            "lock",
            f"{len(others)} of {len(pins)} packages are not the releases of requirements/{lock}: {', '.join(others)}",
            f"run: {_pip()} --no-deps --require-hashes --requirement {requirements / lock}"
            + (f"; {_pip()} --requirement {requirements / 'torch.txt'}" if any(map(_is_torch, others)) else ""),
            others=list(others),
        )
    return fine("lock", f"all {len(pins)} packages of requirements/{lock} are installed in its releases")


def _is_torch(said: str) -> bool:
    return said.startswith("torch ")


def _pins(lock: Path) -> Mapping[str, str]:
    """Releases by name that a lock installs on this Python."""
    lines = [line.rstrip(" \\") for line in lock.read_text().splitlines() if re.match(r"[A-Za-z0-9]", line)]
    pins = [Requirement(line) for line in lines]
    here = [each for each in pins if each.marker is None or each.marker.evaluate()]
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in here}


def _registered(etude: Distribution, tree: Path) -> Diagnosis:
    """Compare the source tree, and the tasks that it registers, with what is installed."""
    todo = f"run: {_pip()} --no-deps --no-build-isolation --editable {tree}"
    origin = json.loads(etude.read_text("direct_url.json") or "{}").get("url", "")
    if origin != tree.as_uri():
        other = origin.removeprefix("file://") or "a wheel"
        return warning("installation", f"the code that runs is in {tree}, and what is installed is {other}", todo)
    project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
    wanted = {name: each for group in project.get("entry-points", {}).values() for name, each in group.items()}
    found = {entry.name: entry.value for entry in etude.entry_points}
    absent = sorted(name for name, value in wanted.items() if found.get(name) != value)
    if absent:
        said = f"the source tree registers what its installation does not know yet: {', '.join(absent)}"
        return warning("installation", said, todo)
    return fine("installation", f"Etude {etude.version} is installed from {tree}, with all tasks that it registers")


def _installed(name: str) -> str | None:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return None


def _pip() -> str:
    return f"{sys.executable} -m pip install"
