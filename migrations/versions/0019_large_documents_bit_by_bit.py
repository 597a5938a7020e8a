"""the chunks of a large document are written in batches, and become searchable together"""

from __future__ import annotations

from partywall.core.db.ddl import grant, script

revision = "0019"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    script("""
        ALTER TABLE chunk ADD COLUMN staged_for integer;
        CREATE INDEX chunk_staged_idx ON chunk (project_id, document_id) WHERE staged_for IS NOT NULL;
    """)
    grant("UPDATE (staged_for)", "chunk")


def downgrade() -> None:
    script("""
        DELETE FROM chunk WHERE staged_for IS NOT NULL;
        ALTER TABLE chunk DROP COLUMN staged_for;
    """)
