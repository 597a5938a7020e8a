"""beside a passage's vector stands what the model could not read of it, so that no interruption loses it"""

from __future__ import annotations

from partywall.core.db.ddl import script

revision = "0044"
down_revision = "0042"
branch_labels = None
depends_on = None

_TABLES = [f"embedding_{dimension}" for dimension in (256, 384, 768, 1024, 1536, 3072)]


def upgrade() -> None:
    for table in _TABLES:
        script(f"""
            ALTER TABLE {table} ADD COLUMN fault text, ADD COLUMN fault_message text;
            CREATE INDEX {table}_fault_idx ON {table} (project_id, index_id, chunk) WHERE fault IS NOT NULL;
        """)


def downgrade() -> None:
    for table in _TABLES:
        script(f"ALTER TABLE {table} DROP COLUMN fault_message, DROP COLUMN fault;")
