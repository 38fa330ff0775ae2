"""What a study was trained on, which limit ended it, what its pruner knows of a trial, and the files kept of it.

Revision ID: 0002
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("etude_leader", sa.Column("database_id", sa.String(length=32), nullable=True))
    op.execute(sa.text("UPDATE etude_leader SET database_id = :id").bindparams(id=secrets.token_hex(16)))
    op.add_column("etude_studies", sa.Column("stopped_by", sa.String(length=20), nullable=True))
    op.add_column("etude_studies", sa.Column("data_sha256", sa.String(length=64), nullable=True))
    op.add_column("etude_trials", sa.Column("improved_to", sa.Double(), nullable=True))
    op.add_column("etude_trials", sa.Column("improved_at", sa.BigInteger(), nullable=True))
    op.add_column("etude_trials", sa.Column("spared", sa.Text(), nullable=True))
    op.create_table(
        "etude_artifacts",
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("trial", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id", "trial"],
            ["etude_trials.study_id", "etude_trials.number"],
            name=op.f("fk_etude_artifacts_study_id_trial"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("study_id", "trial", "kind", name=op.f("pk_etude_artifacts")),
    )


def downgrade() -> None:
    op.drop_table("etude_artifacts")
    op.drop_column("etude_trials", "spared")
    op.drop_column("etude_trials", "improved_at")
    op.drop_column("etude_trials", "improved_to")
    op.drop_column("etude_studies", "data_sha256")
    op.drop_column("etude_studies", "stopped_by")
    op.drop_column("etude_leader", "database_id")
