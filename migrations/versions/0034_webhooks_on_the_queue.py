"""a job serves a webhook; it is enqueued when its project's events are numbered"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_HERE = Path(__file__)
_AFTER, _BEFORE = _HERE.with_suffix(".sql"), _HERE.with_name(f"{_HERE.stem}_before.sql")
_NUMBERING = "wall.number_events(uuid[], integer), wall.catch_up_events(uuid, integer)"
_OWN = "wall.enqueue_deliveries(uuid[])"
_CLAIMING = """wall.claim_webhooks(uuid, integer, interval),
    wall.claim_webhooks_of(uuid, integer, interval, uuid[])"""


def upgrade() -> None:
    script(_AFTER.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_NUMBERING}, {_OWN} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_NUMBERING}")
    grant("UPDATE (quiet_until)", "webhook_progress")


def downgrade() -> None:
    script(_BEFORE.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_NUMBERING}, {_CLAIMING} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_NUMBERING}, {_CLAIMING}")
    grant("UPDATE (leased_by, leased_until)", "webhook_progress")
