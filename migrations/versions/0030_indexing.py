"""documents that wait for indexing are found by their own columns, and leased to workers in batches"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_SQL = Path(__file__).with_name("0030_indexing.sql")
_FUNCTIONS = """wall.projects_to_index(boolean, uuid, integer),
    wall.claim_documents(text, uuid, text, uuid, interval, integer, bigint),
    wall.settle_documents(uuid, uuid, uuid[], integer[], text[], text[], text[], integer[])"""

# Jobs of kinds that no longer have a handler. Their documents are pending.
_FORGET = """
DELETE FROM job WHERE kind IN ('index_documents', 'index_large_document');
DROP FUNCTION wall.enqueue(text[], bytea[]);
"""

# Waiting documents must be requested again, because there are no jobs for them.
_FORMER = """
CREATE FUNCTION wall.enqueue(kinds text[], payloads bytea[]) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO public.job (kind, project_id, payload)
    SELECT given.kind, coalesce(read.payload ->> 'project_id', '00000000-0000-0000-0000-000000000000')::uuid,
        read.payload
    FROM unnest(kinds, payloads) AS given(kind, payload),
        LATERAL (SELECT convert_from(given.payload, 'UTF8')::jsonb AS payload) AS read;
    RETURN cardinality(kinds);
END
$$;
ALTER TABLE document NO FORCE ROW LEVEL SECURITY;
UPDATE document SET index_status = 'failed', index_error = 'Indexing was interrupted: ask for it again'
WHERE index_status = 'pending';
UPDATE document SET index_error = NULL WHERE index_status = 'indexed';
ALTER TABLE document FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    script(_SQL.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_FUNCTIONS} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_FUNCTIONS}")
    grant("SELECT, INSERT, UPDATE, DELETE", "indexing_attempt")
    script(_FORGET)


def downgrade() -> None:
    # lint: allow sql-text - a constant list of functions
    op.execute(f"DROP FUNCTION {_FUNCTIONS}")
    script("""
        DROP POLICY waiting ON document;
        DROP TABLE indexing_attempt;
        DROP INDEX document_pending_idx;
    """)
    script(_FORMER)
    op.execute("REVOKE EXECUTE ON FUNCTION wall.enqueue(text[], bytea[]) FROM PUBLIC")
    grant("EXECUTE", "FUNCTION wall.enqueue(text[], bytea[])")
