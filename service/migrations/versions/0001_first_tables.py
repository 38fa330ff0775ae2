"""The first tables.

Revision ID: 0001
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    _create_leader()
    _create_studies()
    _create_trials()
    _create_attempts()
    _create_curves()
    _create_events()
    _create_workers()
    _create_tasks()


def downgrade() -> None:
    for name in ("tasks", "workers", "events", "curves", "attempts", "trials", "studies", "leader"):
        op.drop_table(f"etude_{name}")


def _create_leader() -> None:
    op.create_table(
        "etude_leader",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_etude_leader")),
    )
    rows = sa.table(
        "etude_leader", *[sa.column(name) for name in ("id", "owner", "epoch")], sa.column("expires_at", sa.DateTime())
    )
    over = datetime(1970, 1, 1)  # noqa: DTZ001  times are stored as naive UTC
    op.bulk_insert(rows, [{"id": 1, "owner": "nobody", "epoch": 0, "expires_at": over}])


def _create_studies() -> None:
    op.create_table(
        "etude_studies",
        sa.Column("id", KEY, nullable=False),
        sa.Column("optuna_id", sa.Integer(), nullable=False),
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("request", JSON, nullable=False),
        sa.Column("plan", JSON, nullable=False),
        sa.Column("findings", JSON, nullable=False),
        sa.Column("direction", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_etude_studies")),
        sa.UniqueConstraint("project", "name", name=op.f("uq_etude_studies_project_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_etude_studies_project_id"), "etude_studies", ["project", "id"], unique=False)
    op.create_index(op.f("ix_etude_studies_state"), "etude_studies", ["state"], unique=False)


def _create_trials() -> None:
    op.create_table(
        "etude_trials",
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("optuna_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("recipe", JSON, nullable=False),
        sa.Column("parameters", JSON, nullable=False),
        sa.Column("distributions", JSON, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lost_attempts", sa.Integer(), nullable=False),
        sa.Column("lease_token", sa.String(length=64), nullable=True),
        sa.Column("lease_worker", sa.String(length=128), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(), nullable=True),
        sa.Column("lease_progressed_at", sa.DateTime(), nullable=True),
        sa.Column("updates", sa.BigInteger(), nullable=False),
        sa.Column("evaluated", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Double(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=True),
        sa.Column("at_rungs", JSON, nullable=False),
        sa.Column("best", sa.Double(), nullable=True),
        sa.Column("metrics", JSON, nullable=False),
        sa.Column("test_metrics", JSON, nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("prune", sa.Text(), nullable=True),
        sa.Column("cancel", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cause", sa.String(length=63), nullable=True),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("train_seconds", sa.Double(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_id"], ["etude_studies.id"], name=op.f("fk_etude_trials_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("study_id", "number", name=op.f("pk_etude_trials")),
    )
    op.create_index(
        op.f("ix_etude_trials_study_id_state_number"), "etude_trials", ["study_id", "state", "number"], unique=False
    )
    op.create_index(
        op.f("ix_etude_trials_study_id_state_value"), "etude_trials", ["study_id", "state", "value"], unique=False
    )


def _create_attempts() -> None:
    op.create_table(
        "etude_attempts",
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("trial", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("worker", sa.String(length=128), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("ending", sa.String(length=20), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id", "trial"],
            ["etude_trials.study_id", "etude_trials.number"],
            name=op.f("fk_etude_attempts_study_id_trial"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("study_id", "trial", "attempt", name=op.f("pk_etude_attempts")),
    )


def _create_curves() -> None:
    op.create_table(
        "etude_curves",
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("trial", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("updates", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Double(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=False),
        sa.Column("metrics", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id", "trial"],
            ["etude_trials.study_id", "etude_trials.number"],
            name=op.f("fk_etude_curves_study_id_trial"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("study_id", "trial", "attempt", "updates", name=op.f("pk_etude_curves")),
    )
    # ### end Alembic commands ###


def _create_events() -> None:
    op.create_table(
        "etude_events",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("kind", sa.String(length=63), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["etude_studies.id"], name=op.f("fk_etude_events_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_etude_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_etude_events_study_id_id"), "etude_events", ["study_id", "id"], unique=False)


def _create_workers() -> None:
    op.create_table(
        "etude_workers",
        sa.Column("worker", sa.String(length=128), nullable=False),
        sa.Column("announcement", JSON, nullable=False),
        sa.Column("announced_at", sa.DateTime(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("worker", name=op.f("pk_etude_workers")),
    )


def _create_tasks() -> None:
    op.create_table(
        "etude_tasks",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("info", JSON, nullable=False),
        sa.Column("worker", sa.String(length=128), nullable=False),
        sa.Column("announced_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_etude_tasks")),
    )
