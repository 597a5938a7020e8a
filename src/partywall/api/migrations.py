"""What a migration of an installed feature needs, besides Alembic's `op`."""

from __future__ import annotations

from partywall.core.db.feature_tables import create_project_table, guard_project_table

__all__ = [
    "create_project_table",
    "guard_project_table",
]
