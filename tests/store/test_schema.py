"""The tables: made once, by whoever comes first, and beside Optuna's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import alembic.command
import alembic.config
import optuna
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

import service.migrations
from service.lockfile import hold
from service.store import DatabaseInUse, Store, open_store
from service.store.engine import writing
from service.store.schema import OPTUNA_HEAD
from service.tables import metadata
from tests.store.optunas_view import storage_of
from tests.store.stored import some_study


def test_a_database_in_use_whose_tables_are_not_ours_is_refused(tmp_path: Path) -> None:
    lock = hold(tmp_path / "etude.db.lock")
    with pytest.raises(DatabaseInUse, match="its tables are not this version's: stop that service first"):
        open_store(f"sqlite:///{tmp_path / 'etude.db'}")
    lock.let_go()


def test_the_migrations_make_exactly_the_tables_that_the_store_uses(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": "etude_alembic_version",
                "compare_type": True,
                "include_name": lambda name, kind, _: kind != "table" or str(name).startswith("etude_"),
            },
        )
        assert compare_metadata(context, metadata) == []


def test_our_tables_and_optunas_stand_side_by_side(store: Store) -> None:
    names = set(inspect(store.engine).get_table_names())
    assert {"studies", "trials", "alembic_version", "version_info"} <= names
    ours = {
        f"etude_{name}"
        for name in ("artifacts", "attempts", "curves", "events", "leader", "studies", "tasks", "trials", "workers")
    }
    assert {name for name in names if name.startswith("etude_")} == ours | {"etude_alembic_version"}


def test_every_table_of_a_study_names_its_project_through_the_study(store: Store) -> None:
    assert "project" in {column["name"] for column in inspect(store.engine).get_columns("etude_studies")}


def test_the_installed_optuna_writes_the_schema_that_the_store_writes(store: Store) -> None:
    with storage_of(store) as storage:
        assert storage._backend.get_head_version() == storage._backend.get_current_version() == OPTUNA_HEAD


def test_a_database_where_optuna_works_already_gets_our_tables_beside(empty_database_url: str) -> None:
    storage = optuna.storages.RDBStorage(empty_database_url)
    optuna.create_study(storage=storage, study_name="theirs")
    storage.remove_session()
    storage.engine.dispose()
    store = open_store(empty_database_url)
    store.lead("tests", 60)
    study = some_study(store)
    assert study.optuna_id == 2
    with storage_of(store) as view:
        assert {each.study_name for each in view.get_all_studies()} == {"theirs", "default/first"}
    store.close()


def test_opening_again_changes_nothing(store: Store) -> None:
    study = some_study(store)
    again = open_store(store.url)
    assert again.find_study("default", "first") == study
    again.close()


def test_several_processes_may_open_an_empty_database_at_once(empty_database_url: str) -> None:
    script = (
        "import sys\n"
        "from service.store import DatabaseInUse, open_store\n"
        "sys.stdin.readline()\n"
        "try:\n"
        "    open_store(sys.argv[1]).close()\n"
        "except DatabaseInUse:\n"
        "    pass\n"
    )
    command = [sys.executable, "-c", script, empty_database_url]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], errors
    open_store(empty_database_url).close()


def test_the_migrations_go_back_and_forward(store: Store) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(service.migrations.__file__).parent))
    for step in (alembic.command.downgrade, alembic.command.upgrade):
        with writing(store.engine) as connection:
            config.attributes["connection"] = connection
            step(config, "base" if step is alembic.command.downgrade else "head")
        has_ours = "etude_studies" in inspect(store.engine).get_table_names()
        assert has_ours is (step is alembic.command.upgrade)
    assert "trials" in inspect(store.engine).get_table_names()


def test_optuna_reads_a_database_whose_name_it_would_take_for_a_template(sqlite_url: str) -> None:
    store = open_store(sqlite_url.replace("etude.db", "with {brace} and %.db"))
    store.lead("tests", 60)
    some_study(store)
    with storage_of(store) as storage:
        assert [each.study_name for each in storage.get_all_studies()] == ["default/first"]
    store.close()
