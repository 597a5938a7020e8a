"""a project's events are limited in number and bytes"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_AFTER = Path(__file__).with_name("0033_events_of_a_project_are_bounded.sql")
_BEFORE = Path(__file__).with_name("0033_events_of_a_project_are_bounded_before.sql")
_TRIM = "wall.trim_events(bigint, bigint, integer)"
_OWN = "wall.event_bytes(text, jsonb)"


def upgrade() -> None:
    script(_AFTER.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_TRIM}, {_OWN} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_TRIM}")


def downgrade() -> None:
    script(_BEFORE.read_text(encoding="utf-8"))
