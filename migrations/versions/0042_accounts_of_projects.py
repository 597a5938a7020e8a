"""a project counts for another owner once they accept it; registrants have their own limit of confirmation mails"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0042"
down_revision = "0038"
branch_labels = None
depends_on = None

_HERE = Path(__file__)
_AFTER, _BEFORE = _HERE.with_suffix(".sql"), _HERE.with_name(f"{_HERE.stem}_before.sql")
_MAILS, _MAILS_BEFORE = _HERE.with_name("0042_own_mails.sql"), _HERE.with_name("0042_own_mails_before.sql")
_COLUMNS = """
ALTER TABLE project ADD COLUMN account_id uuid, ADD COLUMN released boolean DEFAULT false NOT NULL;
CREATE INDEX project_account_id_idx ON project (account_id);
ALTER TABLE registration ADD COLUMN network_hash bytea, ADD COLUMN resent_own integer DEFAULT 0 NOT NULL;
"""
_FILL = """
UPDATE project AS p SET account_id = CASE WHEN p.deleted_at IS NULL THEN (
    SELECT owner.account_id FROM project_member AS owner
    WHERE owner.project_id = p.id AND owner.role = 'owner' ORDER BY owner.joined_at, owner.account_id LIMIT 1
) ELSE p.deleted_for END;
UPDATE project AS p SET released = true
WHERE EXISTS (SELECT FROM account AS a WHERE a.id = p.account_id AND a.disabled_at IS NOT NULL);
"""
_CALLED = """wall.lock_shared(text, uuid, boolean), wall.open_shared_scope(text, uuid, boolean), wall.accept_project(),
    wall.register(uuid, bytea, timestamptz, text, text, text, boolean, integer, bytea),
    wall.registrations_to_resend(text, uuid, bytea, timestamptz, integer, bytea, integer)"""
_OWN = """wall.require_room_for_project(uuid), wall.take_over_project(uuid, uuid), wall.note_owner(),
    wall.release_projects()"""
_FORMER = """wall.lock_shared(text, uuid), wall.open_shared_scope(text, uuid),
    wall.register(uuid, bytea, timestamptz, text, text, text, boolean, integer),
    wall.registrations_to_resend(text, uuid, bytea, timestamptz, integer)"""


def upgrade() -> None:
    script(_COLUMNS)
    script(_FILL)
    script(_AFTER.read_text(encoding="utf-8"))
    script(_MAILS.read_text(encoding="utf-8"))
    # lint: allow sql-text - constant lists of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_CALLED}, {_OWN} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_CALLED}")


def downgrade() -> None:
    script(_MAILS_BEFORE.read_text(encoding="utf-8"))
    script(_BEFORE.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_FORMER}, wall.limit_projects() FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_FORMER}")
    script("""
        ALTER TABLE registration DROP COLUMN resent_own, DROP COLUMN network_hash;
        DROP INDEX project_account_id_idx;
        ALTER TABLE project DROP COLUMN released, DROP COLUMN account_id;
    """)
