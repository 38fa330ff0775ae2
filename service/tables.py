"""Etude's own tables, all named ``etude_*``; Optuna's stand beside them under Optuna's own names."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept as naive UTC: the one form that SQLite and PostgreSQL both hold without loss.

    Raises:
        ValueError: a naive time is stored; which zone it means is not known.
    """

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else naive_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def naive_utc(moment: datetime) -> datetime:
    """Express an aware time in UTC and drop the zone, as Optuna's tables want it.

    Raises:
        ValueError: the time is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(f"the time {moment.isoformat()} has no zone: only aware times are stored")
    return moment.astimezone(UTC).replace(tzinfo=None)


Json = JSON(none_as_null=True)
"""Text on both databases: ``jsonb`` would refuse the escape of a NUL character, which a label may hold."""

Key = BigInteger().with_variant(Integer, "sqlite")
"""SQLite gives ids only to a column that is exactly INTEGER."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

leader = Table(
    "etude_leader",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("owner", String(200), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("database_id", String(32)),
)

studies = Table(
    "etude_studies",
    metadata,
    Column("id", Key, primary_key=True),
    Column("optuna_id", Integer, nullable=False),
    Column("project", String(63), nullable=False),
    Column("name", String(63), nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("request", Json, nullable=False),
    Column("plan", Json, nullable=False),
    Column("findings", Json, nullable=False),
    Column("direction", String(10), nullable=False),
    Column("stopped_by", String(20)),
    Column("data_sha256", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("project", "name"),
    Index(None, "project", "id"),
    Index(None, "state"),
    sqlite_autoincrement=True,
)

trials = Table(
    "etude_trials",
    metadata,
    Column("study_id", Key, ForeignKey("etude_studies.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("optuna_id", Integer),
    Column("state", String(20), nullable=False),
    Column("origin", String(20), nullable=False),
    Column("recipe", Json, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("distributions", Json, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lost_attempts", Integer, nullable=False),
    Column("lease_token", String(64)),
    Column("lease_worker", String(128)),
    Column("lease_expires_at", UtcDateTime),
    Column("lease_progressed_at", UtcDateTime),
    Column("updates", BigInteger, nullable=False),
    Column("evaluated", BigInteger, nullable=False),
    Column("epoch", Double, nullable=False),
    Column("rate", Double),
    Column("at_rungs", Json, nullable=False),
    Column("best", Double),
    Column("improved_to", Double),
    Column("improved_at", BigInteger),
    Column("metrics", Json, nullable=False),
    Column("test_metrics", Json, nullable=False),
    Column("value", Double),
    Column("prune", Text),
    Column("spared", Text),
    Column("cancel", Text),
    Column("reason", Text, nullable=False),
    Column("cause", String(63)),
    Column("log", Text, nullable=False),
    Column("train_seconds", Double, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Index(None, "study_id", "state", "number"),
    Index(None, "study_id", "state", "value"),
)

attempts = Table(
    "etude_attempts",
    metadata,
    Column("study_id", Key, primary_key=True),
    Column("trial", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("worker", String(128), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("ending", String(20)),
    Column("message", Text, nullable=False),
    Column("log", Text, nullable=False),
    ForeignKeyConstraint(["study_id", "trial"], ["etude_trials.study_id", "etude_trials.number"], ondelete="CASCADE"),
)

curves = Table(
    "etude_curves",
    metadata,
    Column("study_id", Key, primary_key=True),
    Column("trial", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("updates", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", Double, nullable=False),
    Column("rate", Double, nullable=False),
    Column("metrics", Json, nullable=False),
    ForeignKeyConstraint(["study_id", "trial"], ["etude_trials.study_id", "etude_trials.number"], ondelete="CASCADE"),
)

artifacts = Table(
    "etude_artifacts",
    metadata,
    Column("study_id", Key, primary_key=True),
    Column("trial", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(20), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["study_id", "trial"], ["etude_trials.study_id", "etude_trials.number"], ondelete="CASCADE"),
)

events = Table(
    "etude_events",
    metadata,
    Column("id", Key, primary_key=True),
    Column("study_id", Key, ForeignKey("etude_studies.id", ondelete="CASCADE"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(63), nullable=False),
    Column("payload", Json, nullable=False),
    Index(None, "study_id", "id"),
    sqlite_autoincrement=True,
)

workers = Table(
    "etude_workers",
    metadata,
    Column("worker", String(128), primary_key=True),
    Column("announcement", Json, nullable=False),
    Column("announced_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

tasks = Table(
    "etude_tasks",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("info", Json, nullable=False),
    Column("worker", String(128), nullable=False),
    Column("announced_at", UtcDateTime, nullable=False),
)
