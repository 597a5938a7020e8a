"""a running job can be requested again, and job limits for projects and accounts"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_HERE = Path(__file__)
_AFTER, _BEFORE = _HERE.with_suffix(".sql"), _HERE.with_name(f"{_HERE.stem}_before.sql")
_NEW = """wall.account_of_jobs(uuid), wall.enqueue_once(text[], jsonb[], text[], timestamptz[]),
    wall.job_lines(text[], uuid[], integer, interval, integer[], integer[]),
    wall.claim_limited_jobs(text[], uuid[], integer[], integer[], integer[], uuid), wall.pass_requests_on()"""
_OLD = "wall.job_lines(text[], uuid[], integer, interval)"


def upgrade() -> None:
    script(_AFTER.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_NEW} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_NEW}")
    grant("SELECT, DELETE", "job_request")


def downgrade() -> None:
    # lint: allow sql-text - a constant list of functions
    op.execute(f"DROP FUNCTION {_NEW}")
    script(_BEFORE.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_OLD} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_OLD}")
