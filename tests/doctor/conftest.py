"""A doctor's patients: environments in which tasks or torch are not what they should be."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

STRANGERS = Path(__file__).parent / "strangers"

Environment = Mapping[str, str]


@pytest.fixture
def registering(tmp_path: Path) -> Callable[..., Environment]:
    """Makes an environment in which a package registers tasks of the strangers, name by class."""

    def make(**classes: str) -> Environment:
        described = tmp_path / "site" / "strange-1.0.dist-info"
        described.mkdir(parents=True)
        (described / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
        lines = [f"{name.replace('_', '-')} = strange:{value}" for name, value in classes.items()]
        (described / "entry_points.txt").write_text("\n".join(["[etude.tasks]", *lines, ""]))
        return {**os.environ, "PYTHONPATH": f"{described.parent}{os.pathsep}{STRANGERS}"}

    return make


@pytest.fixture
def with_torch(tmp_path: Path) -> Callable[[str], Environment]:
    """Makes an environment whose torch is this program, run when it is imported."""

    def make(program: str) -> Environment:
        package = tmp_path / "broken" / "torch"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(program)
        return {**os.environ, "PYTHONPATH": str(package.parent)}

    return make
