"""The project file, the locks and what is installed agree with the code and with each other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.images import ROOT
from tests.packaging.project import LOCKS, PACKAGES, declared, imported, lock_text, pinned_here, pins, pyproject

NOT_LOCKED = {"torch"}
# Imported by Optuna and SQLAlchemy when asked for a plot or a database.
USED_BY_NAME = {"plotly", "psycopg"}
FROM_TORCH_BUILDS = re.compile(r"^(torch|triton|nvidia-|cuda-)", re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_imports_is_declared(package: str) -> None:
    names = {canonicalize_name(each.name) for extra in (None, "train") for each in declared(extra)}
    assert imported(package) - names == set()


def compared_with() -> set[str]:
    """Return what `make compat` installs apart, as it is imported."""
    lines = [line for line in lock_text("compat.txt").splitlines() if line and not line.startswith("#")]
    apart = {canonicalize_name(Requirement(line).name) for line in lines}
    return (apart - {"pytorch-ignite"}) | {"ignite", "timm"}


def test_what_the_tests_import_is_declared() -> None:
    names = {canonicalize_name(each.name) for extra in (None, "train", "dev", "bench") for each in declared(extra)}
    through_others = {"packaging"}  # pytest's own, and its to choose
    assert imported("tests") - names - through_others - compared_with() == set()


def test_what_is_declared_is_imported() -> None:
    used = set().union(*(imported(package) for package in PACKAGES))
    assert {canonicalize_name(each.name) for each in declared()} - used - USED_BY_NAME == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_exact_and_hashed(lock: str) -> None:
    text = lock_text(lock)
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    assert len(entries) == len(pins(lock))
    assert [entry.split()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_torch_build_no_address_and_no_path(lock: str) -> None:
    text = lock_text(lock)
    assert not FROM_TORCH_BUILDS.search(text)
    assert not re.search(r"://|--index|--extra-index|--find-links|(^|[\s=])/\w", text)


@pytest.mark.parametrize(
    "lock, extras", [("dev.txt", (None, "train", "dev")), ("worker.txt", (None, "train")), ("service.txt", (None,))]
)
def test_a_lock_pins_all_that_is_declared_within_its_range(lock: str, extras: tuple[str | None, ...]) -> None:
    pinned = pinned_here(lock)
    wanted = [each for extra in extras for each in declared(extra) if each.name not in NOT_LOCKED]
    assert [str(each) for each in wanted if not each.specifier.contains(pinned[canonicalize_name(each.name)])] == []


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_the_images_run_the_releases_that_are_tested(lock: str) -> None:
    assert {str(pin) for pin in pins(lock)} <= {str(pin) for pin in pins("dev.txt")}


def test_torch_is_pinned_by_version_alone_within_its_range() -> None:
    pin = Requirement((ROOT / "requirements/torch.txt").read_text().strip())
    (wanted,) = [each for each in declared("train") if each.name == "torch"]
    release = re.fullmatch(r"==([0-9.]+)", str(pin.specifier))
    assert release is not None
    assert wanted.specifier.contains(release[1])


def test_the_lock_knows_what_torch_needs_on_every_machine() -> None:
    described = tomllib.loads((ROOT / "requirements/uv.toml").read_text())["dependency-metadata"]
    (torch,) = [each for each in described if each["name"] == "torch"]
    if torch["version"] != version("torch").split("+")[0]:
        pytest.skip(f"torch {version('torch')} is installed, and the lock is for {torch['version']}")
    needed = [Requirement(line) for line in requires("torch") or []]
    everywhere = {str(each) for each in needed if each.marker is None}
    assert {str(Requirement(line)) for line in torch["requires-dist"]} >= everywhere
    assert {each.name for each in map(Requirement, torch["requires-dist"])} <= set(pinned_here("worker.txt"))


def test_the_tasks_of_the_project_file_are_the_built_in_ones() -> None:
    from search.tasks.builtin import INFOS

    registered = pyproject()["project"]["entry-points"]["etude.tasks"]
    assert set(registered) == {info.name for info in INFOS}
    installed = {entry.name: entry.value for entry in entry_points(group="etude.tasks")}
    assert registered.items() <= installed.items()


def test_the_version_is_the_newest_of_the_changelog_or_the_one_to_come() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    assert headings[0] == "Unreleased"
    assert released[:1] in ([], [pyproject()["project"]["version"]])


def test_a_wheel_holds_the_code_its_types_and_its_data(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [*(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(source)], check=True, timeout=100)
    (wheel,) = tmp_path.glob("etude-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    files = [path for name in PACKAGES for path in (source / name).rglob("*") if path.is_file()]
    assert {str(path.relative_to(source)) for path in files} <= held
    assert {f"{name}/py.typed" for name in PACKAGES} <= held


WITHOUT_TORCH = """
import importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "sklearn"}:
            raise ModuleNotFoundError(f"refused: {name}")

sys.meta_path.insert(0, Refuse())
from service.app import create_app
from service.settings import Settings
import service.cli.app
import service.cli.serve
print(len(create_app(Settings(data_dir=sys.argv[1])).openapi()["paths"]))
"""


def test_the_service_is_imported_and_described_without_torch(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10
