"""No container engine runs here: what the Dockerfile and the compose file name is held to the code."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import typer.main
from packaging.requirements import Requirement
from packaging.version import Version
from sqlalchemy import make_url
from typer.core import TyperCommand, TyperGroup

from search.tasks.files import DEFAULT
from service.cli.app import app
from service.settings import Settings
from tests.packaging.images import ROOT, compose, needed_by, services, stages

OURS = ("service", "worker-cpu", "worker-gpu")
CLIENT_VARIABLES = {"ETUDE_URL", "ETUDE_API_KEY"}
SETTINGS_VARIABLES = {f"ETUDE_{name.upper()}" for name in Settings.model_fields}


def subcommands() -> dict[str, TyperCommand]:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return {name: command for name, command in group.commands.items() if isinstance(command, TyperCommand)}


def paths(method: str) -> set[str]:
    from service.app import create_app

    described = create_app(Settings(_env_file=None)).openapi()
    return {path for path, methods in described["paths"].items() if method in methods}


def asked_urls(words: list[str]) -> list[str]:
    return re.findall(r"http://[^'\"]+", " ".join(words))


@pytest.mark.parametrize("name", OURS)
def test_each_image_is_built_from_a_stage_that_exists(name: str) -> None:
    assert services()[name]["build"]["target"] in stages()


@pytest.mark.parametrize("name", OURS)
def test_each_container_runs_a_command_of_the_command_line(name: str) -> None:
    program, subcommand, *flags = services()[name]["command"]
    assert program == "etude"
    subcommands()[subcommand].make_context(subcommand, flags)


@pytest.mark.parametrize("name", ["service", "worker"])
def test_an_image_runs_by_itself_what_the_compose_file_runs(name: str) -> None:
    commands = [each["command"] for each in services().values() if each.get("build", {}).get("target") == name]
    (own,) = stages()[name].all("CMD")
    assert commands
    assert all(command == own.words for command in commands)


def test_the_service_image_sets_only_variables_that_the_service_reads() -> None:
    named = {name for name in stages()["service"].environment if name.startswith("ETUDE_")}
    assert named
    assert named <= SETTINGS_VARIABLES


def test_the_compose_file_sets_only_variables_that_the_service_reads() -> None:
    named = set(services()["service"]["environment"])
    assert "ETUDE_API_KEY" in named
    assert named <= SETTINGS_VARIABLES


@pytest.mark.parametrize("name", ["worker-cpu", "worker-gpu"])
def test_a_worker_is_told_the_url_and_the_key_and_no_database(name: str) -> None:
    assert set(services()[name]["environment"]) == CLIENT_VARIABLES


@pytest.mark.parametrize("name", OURS)
def test_starting_without_a_key_is_refused_by_compose(name: str) -> None:
    assert services()[name]["environment"]["ETUDE_API_KEY"].startswith("${ETUDE_API_KEY:?")


def test_the_settings_of_the_compose_file_are_accepted_by_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    given = services()["service"]["environment"] | {"ETUDE_API_KEY": "k" * 64}
    for name, value in given.items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))
    settings = Settings()
    assert settings.host == "0.0.0.0"
    assert str(settings.workers) == "0"
    assert "service" in settings.allowed_hosts
    url = make_url(settings.database)
    assert (url.drivername, url.host, url.database) == ("postgresql+psycopg", "postgres", "etude")


def test_the_service_signs_in_as_the_user_that_postgres_creates() -> None:
    made = services()["postgres"]["environment"]
    url = make_url(
        services()["service"]["environment"]["ETUDE_DATABASE_URL"].replace("${POSTGRES_PASSWORD:-etude}", "p")
    )
    assert (url.username, url.database) == (made["POSTGRES_USER"], made["POSTGRES_DB"])
    assert made["POSTGRES_PASSWORD"] in services()["service"]["environment"]["ETUDE_DATABASE_URL"]


def test_workers_reach_the_service_by_its_name_and_port() -> None:
    service = services()["service"]
    for name in ("worker-cpu", "worker-gpu"):
        url = urlsplit(services()[name]["environment"]["ETUDE_URL"])
        assert url.hostname == "service"
        assert str(url.port) == service["environment"]["ETUDE_PORT"]
        assert "service" in service["environment"]["ETUDE_ALLOWED_HOSTS"].split(",")


def test_the_port_is_published_on_this_machine_only() -> None:
    (published,) = services()["service"]["ports"]
    address, _, inside = published.split(":")
    assert address == "127.0.0.1"
    assert inside == services()["service"]["environment"]["ETUDE_PORT"]
    assert inside == stages()["service"].environment["ETUDE_PORT"]
    assert [each.rest for each in stages()["service"].all("EXPOSE")] == [inside]


def test_health_checks_ask_the_port_and_a_route_that_exists() -> None:
    (check,) = stages()["service"].all("HEALTHCHECK")
    probes = [check.rest.split("CMD ", 1)[1], *services()["service"]["healthcheck"]["test"]]
    urls = [urlsplit(url) for url in asked_urls(probes)]
    assert [url.path for url in urls] == ["/healthz", "/readyz"]
    assert {url.port for url in urls} == {int(stages()["service"].environment["ETUDE_PORT"])}
    assert {url.path for url in urls} <= paths("get")


def test_workers_wait_for_a_ready_service_and_the_service_for_its_database() -> None:
    assert services()["service"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("worker-cpu", "worker-gpu"):
        assert services()[name]["depends_on"] == {"service": {"condition": "service_healthy"}}


def test_one_worker_reserves_the_gpus_and_the_other_none() -> None:
    (device,) = services()["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert services()["worker-gpu"]["profiles"] == ["gpu"]
    assert services()["worker-cpu"]["profiles"] == ["cpu"]
    assert "deploy" not in services()["worker-cpu"]


def test_only_the_service_is_on_the_network_of_the_database() -> None:
    assert compose()["networks"]["database"] == {"internal": True}
    assert [name for name, each in services().items() if "database" in each["networks"]] == ["postgres", "service"]
    assert "ports" not in services()["postgres"]


def test_volumes_that_are_used_are_declared_and_hold_the_data_directory() -> None:
    used = [volume.split(":") for each in services().values() for volume in each.get("volumes", [])]
    assert {name for name, *_ in used if not name.startswith(".")} == set(compose()["volumes"])
    assert ["service", stages()["service"].environment["ETUDE_DATA_DIR"]] in used


@pytest.mark.parametrize("name", ["worker-cpu", "worker-gpu"])
def test_a_worker_reads_data_files_from_a_folder_beside_the_compose_file(name: str) -> None:
    (folder,) = stages()["worker"].all("WORKDIR")
    assert services()[name]["volumes"] == [f"./{DEFAULT}:{folder.rest}/{DEFAULT}:ro"]


@pytest.mark.parametrize("name", ["service", "worker"])
def test_an_image_does_not_run_as_root(name: str) -> None:
    (user,) = stages()[name].all("USER")
    assert user.rest == "etude"
    assert any("useradd" in each.rest and user.rest in each.rest for each in stages()["python"].all("RUN"))


def test_the_service_image_holds_no_torch() -> None:
    commands = [each.rest for stage in needed_by("service") for each in stage.instructions]
    assert not [command for command in commands if re.search(r"torch|worker\.txt|dev\.txt", command)]
    assert not re.search(r"^torch==", (ROOT / "requirements/service.txt").read_text(), re.MULTILINE)


def test_the_worker_image_installs_torch_after_the_lock() -> None:
    installed = [each.rest for each in stages()["worker-packages"].all("RUN") if " install " in each.rest]
    order = [re.search(r"(worker|torch)\.txt|\.whl", command)[0] for command in installed]  # type: ignore[index]  # fails
    assert order == ["worker.txt", "torch.txt", ".whl"]


@pytest.mark.parametrize("name", ["service", "worker"])
def test_what_is_copied_exists_and_is_not_ignored(name: str) -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for stage in needed_by(name):
        for each in stage.all("COPY"):
            if each.words[0].startswith("--from="):
                continue
            for source in each.words[:-1]:
                assert (ROOT / source).exists()
                assert Path(source).parts[0] in allowed


def test_every_file_of_the_package_is_in_the_wheel_stage() -> None:
    sources = {word for each in stages()["wheel"].all("COPY") for word in each.words[:-1]}
    assert {"schedules", "search", "service", "pyproject.toml"} <= sources


def test_the_python_of_the_images_is_one_that_the_project_supports() -> None:
    supported = Requirement(f"python{_project()['requires-python']}").specifier
    version = re.match(r"python:(\d+\.\d+)-", stages()["python"].parent)
    assert version is not None
    assert supported.contains(Version(version[1]))


def _project() -> dict[str, str]:
    import tomllib

    project: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project
