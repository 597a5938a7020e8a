"""a run has its job from the start, and the queue enforces the limits of runs"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_HERE = Path(__file__)
_AFTER, _BEFORE = _HERE.with_suffix(".sql"), _HERE.with_name(f"{_HERE.stem}_before.sql")
_ONCE = "wall.enqueue_once(text[], jsonb[], text[], timestamptz[], integer[])"
_BEFORE_FUNCTIONS = """wall.enqueue_once(text[], jsonb[], text[], timestamptz[]),
    wall.admit_runs(uuid, integer, integer), wall.projects_with_waiting_runs()"""


def upgrade() -> None:
    script(_AFTER.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_ONCE} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_ONCE}")


def downgrade() -> None:
    script(_BEFORE.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_BEFORE_FUNCTIONS} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_BEFORE_FUNCTIONS}")
    grant("UPDATE (admitted, job_id)", "run")
