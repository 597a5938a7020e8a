"""networks from which an account's owner has logged in, so that failures of others do not lock the owner out"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# Both are keyed hashes, the second one of address and network together: the table reveals no user and no location, and
# not whether two accounts share a network.
_TABLE = """
CREATE TABLE known_network (
    address_hash bytea NOT NULL,
    network_hash bytea NOT NULL,
    used_at timestamptz NOT NULL,
    CONSTRAINT known_network_pkey PRIMARY KEY (address_hash, network_hash)
);
CREATE INDEX known_network_used_at_idx ON known_network (used_at);
"""


def upgrade() -> None:
    script(_TABLE)
    grant("SELECT, INSERT, UPDATE, DELETE", "known_network")


def downgrade() -> None:
    op.execute("DROP TABLE known_network")
