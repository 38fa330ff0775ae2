"""What the README says is held to the code; its task is installed and trained as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import typer.main
from typer.core import TyperGroup

from search.study import StudyRequest, StudyState, TrialState
from service.cli.app import app
from service.cli.child import ChildService
from service.cli.watching import watch_study
from service.client import Client
from service.settings import Settings
from tests.packaging import readme
from tests.packaging.images import ROOT, services

ADDRESS = "http://127.0.0.1:8000"
LONGEST_TASK_LINES = 40
LOOK_EVERY_SECONDS = 0.1
PATIENCE_SECONDS = 60


def etude() -> TyperGroup:
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    return command


def of_program(name: str) -> list[list[str]]:
    return [words[1:] for words in readme.commands() if Path(words[0]).name == name]


def test_every_make_target_that_is_named_exists() -> None:
    named = [words[0] for words in of_program("make")] + re.findall(r"`make (\w+)`", readme.text())
    targets = re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "serve", "test", "check"} <= set(named) <= set(targets)


@pytest.mark.parametrize("words", of_program("etude"), ids=" ".join)
def test_every_etude_command_line_is_understood(words: list[str]) -> None:
    name, *arguments = words
    command = etude().commands[name]
    command.make_context(name, arguments)


def test_the_table_of_commands_is_complete() -> None:
    assert sorted(readme.quoted("Commands")) == sorted(f"etude {name}" for name in etude().commands)


def test_the_table_of_settings_is_complete() -> None:
    ours = {f"ETUDE_{name.upper()}" for name in Settings.model_fields} - {"ETUDE_WORKER_KEY"}
    assert set(readme.quoted("Settings")) == ours | {"ETUDE_URL"}


def test_the_defaults_of_the_settings_are_the_ones_of_the_code() -> None:
    rows = re.findall(r"^\| `ETUDE_(\w+)` \| `([^`]+)` \|", readme.section("Settings"), re.MULTILINE)
    said = {name.lower(): default for name, default in rows if name != "URL"}
    assert said == {name: str(Settings.model_fields[name].default) for name in said}
    assert len(said) == 7


def test_the_compose_profiles_exist() -> None:
    profiles = {profile for service in services().values() for profile in service.get("profiles", [])}
    assert set(re.findall(r"--profile (\w+)", readme.text())) == profiles


def test_files_and_folders_that_are_linked_exist() -> None:
    links = re.findall(r"\]\((?!https://)([^)]+)\)", readme.text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_a_task_in_a_package_of_its_own_takes_less_than_forty_lines() -> None:
    lines = [line for title in ("pyproject.toml", "spirals.py") for line in readme.file(title).splitlines()]
    assert len(lines) < LONGEST_TASK_LINES


def install(folder: Path) -> Path:
    """Install the README's package as pip does, where only this test's processes look."""
    package, site = folder / "spirals", folder / "site"
    package.mkdir()
    for title in ("pyproject.toml", "spirals.py"):
        (package / title).write_text(readme.file(title))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(site), str(package)], check=True, timeout=60)
    return site


@contextmanager
def serving(folder: Path, *arguments: str, **variables: str) -> Iterator[ChildService]:
    service = ChildService(folder, arguments, environment={**os.environ, **variables})
    service.start()
    try:
        yield service
    finally:
        service.stop()


def until(holds: Callable[[], bool], service: ChildService) -> None:
    """Wait for a condition; the service's log explains why it does not come true."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < give_up_at, service.explain("the worker does not announce the task")
        pause.wait(LOOK_EVERY_SECONDS)


def test_the_task_of_the_readme_is_installed_announced_and_trained(tmp_path: Path) -> None:
    options = {"width": 64}
    body = {"task": "two-spirals", "task_options": options, "epochs": 8, "budget": {"trials": 3}}
    site = install(tmp_path)
    with serving(tmp_path, "--workers", "1", PYTHONPATH=str(site)) as service, Client(service.url) as client:
        until(lambda: any(task.name == "two-spirals" for task in client.tasks()), service)
        study = watch_study(client, client.create_study(StudyRequest.model_validate(body)).name)
        trials = list(client.trials(study.name))
    assert study.state is StudyState.COMPLETED
    assert study.plan.task_options == options
    assert {trial.state for trial in trials} <= {TrialState.COMPLETED, TrialState.DIVERGED}
    finished = [trial for trial in trials if trial.state is TrialState.COMPLETED]
    assert finished
    assert all({"val_loss", "val_accuracy"} <= set(trial.metrics) for trial in finished)


def test_the_python_example_and_the_calls_by_hand_are_answered(tmp_path: Path) -> None:
    (example,) = [block.code for block in readme.blocks("python") if not block.title]
    with serving(tmp_path, "--workers", "0") as service:
        run = [sys.executable, "-c", example.replace(ADDRESS, service.url)]
        done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[1] == "370"
        answers = [
            httpx.post(url.replace(ADDRESS, service.url), json=json.loads(body), timeout=PATIENCE_SECONDS)
            for _, body, url in of_program("curl")
        ]
    assert [answer.status_code for answer in answers] == [201, 200]
    (assignment,) = answers[1].json()["assignments"]
    assert {"recipe", "horizon", "seed", "report_points"} <= set(assignment)
