"""Alembic's environment: `drift.store.migrations` hands over a connection, its transaction open."""

from __future__ import annotations

from alembic import context

from drift.store.schema import metadata

connection = context.config.attributes["connection"]


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave tables of others (Airflow's, for one) out of `alembic revision --autogenerate`."""
    return kind != "table" or name in metadata.tables


context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=context.config.attributes["version_table"],
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
    include_name=_ours,
)
with context.begin_transaction():
    context.run_migrations()
