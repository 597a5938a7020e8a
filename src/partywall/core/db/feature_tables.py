"""Helpers for the migrations of installed features."""

from __future__ import annotations

from typing import Final

from alembic import context, op
from sqlalchemy import Column, Constraint, ForeignKey, PrimaryKeyConstraint, Uuid, text

_ALL: Final = "SELECT, INSERT, UPDATE, DELETE"
_POLICY: Final = "project_id = (SELECT wall.current_project())"


def create_project_table(name: str, *items: Column[object] | Constraint, privileges: str = _ALL) -> None:
    """Creates a project table: `project_id` and `id` as its key, the given columns, its policy and its grants.

    The rows are deleted with their project.
    """
    op.create_table(
        name,
        Column("project_id", Uuid, ForeignKey("project.id", ondelete="CASCADE"), nullable=False),
        Column("id", Uuid, server_default=text("uuidv7()"), nullable=False),
        PrimaryKeyConstraint("project_id", "id"),
        *items,
    )
    guard_project_table(name, privileges)


def guard_project_table(name: str, privileges: str = _ALL) -> None:
    """For a table that the migration has created otherwise: shows rows of the bound project only, also to its owner."""
    table = _quoted(name)
    role = _quoted(str(context.config.attributes["runtime_role"]))
    for statement in (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY wall ON {table} USING ({_POLICY})",
        f"GRANT {privileges} ON {table} TO {role}",
    ):
        op.execute(statement)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
