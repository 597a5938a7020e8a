"""Alembic's environment. `partywall migrate` passes a connection of the migration owner."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from partywall.extensions.enabled import enabled_features
from partywall.extensions.table_checks import metadata_of


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata_of(enabled_features()),
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=False,
        # Features of installed packages have a version table of their own.
        **context.config.attributes.get("options", {}),
    )
    with context.begin_transaction():
        context.run_migrations()


connection = context.config.attributes.get("connection")
if not isinstance(connection, Connection):
    raise SystemExit("run migrations with `partywall migrate`, which connects as the owner")
run(connection)
