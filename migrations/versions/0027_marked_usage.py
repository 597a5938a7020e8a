"""resources marked as deleted count for their project and account until they are purged"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from partywall.core.db.ddl import script

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_AFTER = Path(__file__).with_name("0027_marked_usage.sql")
_BEFORE = Path(__file__).with_name("0027_marked_usage_before.sql")
_COLUMNS = """
ALTER TABLE project_usage ADD COLUMN marked_documents bigint DEFAULT 0 NOT NULL,
    ADD COLUMN marked_bytes bigint DEFAULT 0 NOT NULL;
ALTER TABLE project ADD COLUMN deleted_for uuid;
CREATE INDEX project_deleted_for_idx ON project (deleted_for) WHERE deleted_at IS NOT NULL;
"""
# The policies would hide all rows from the owner.
_COUNT = """
ALTER TABLE document NO FORCE ROW LEVEL SECURITY;
INSERT INTO project_usage (project_id, marked_documents, marked_bytes)
SELECT project_id, count(*), sum(wall.bytes_of(size, original_size, history_bytes, metadata))
FROM document WHERE deleted_at IS NOT NULL GROUP BY project_id;
ALTER TABLE document FORCE ROW LEVEL SECURITY;
"""
_MARK = "wall.mark_usage(uuid, bigint, bigint, bigint, bigint)"


def upgrade() -> None:
    script(_COLUMNS)
    script(_COUNT)
    script(_AFTER.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant name
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_MARK} FROM PUBLIC")


def downgrade() -> None:
    script(_BEFORE.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant name
    op.execute(f"DROP FUNCTION {_MARK}")
    script("""
        DROP INDEX project_deleted_for_idx;
        ALTER TABLE project DROP COLUMN deleted_for;
        ALTER TABLE project_usage DROP COLUMN marked_bytes, DROP COLUMN marked_documents;
    """)
