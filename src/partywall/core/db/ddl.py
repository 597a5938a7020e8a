"""Helpers for migrations."""

from __future__ import annotations

from alembic import context, op
from sqlalchemy import text


def script(sql: str) -> None:
    """Runs many statements at once, in the migration's transaction."""
    connection = op.get_bind()
    # SQLAlchemy sends BEGIN with its own first statement; without it the driver would commit each statement.
    connection.execute(text("SELECT 1"))
    connection.connection.dbapi_connection.run_async(  # type: ignore[union-attr]  # the asyncpg adapter's own
        lambda driver: driver.execute(sql)
    )


def runtime_role() -> str:
    """The quoted name of the role that the program runs as. It has granted rights and owns nothing."""
    name = context.config.attributes["runtime_role"]
    return '"' + str(name).replace('"', '""') + '"'


def grant(privileges: str, on: str) -> None:
    # lint: allow sql-text - DDL takes no parameters; migrations alone call this, with constants
    op.execute(f"GRANT {privileges} ON {on} TO {runtime_role()}")
