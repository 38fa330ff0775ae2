"""Alembic's entry: run our migrations on the connection that the store opened."""

from __future__ import annotations

from alembic import context

from service.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="etude_alembic_version",
    transactional_ddl=True,
)
context.run_migrations()
