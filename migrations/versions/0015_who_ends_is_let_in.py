"""whoever ends a project or a membership gets the lock before later writers"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# Shared row locks are granted ahead of a waiting exclusive lock, so with continuous writes a deletion would wait
# forever. Advisory locks are granted in order. The project's advisory lock comes before its row, the principal's before
# the membership, so the order is the same as for the rows.
_GATE = """
CREATE FUNCTION wall.lock_key(project uuid, principal text) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN hashtextextended('partywall.writers ' || project::text || ' ' || principal, 0);

CREATE FUNCTION wall.lock_exclusive(project uuid, principal text) RETURNS void LANGUAGE sql VOLATILE
    SET search_path = pg_catalog
AS $$ SELECT pg_advisory_xact_lock(wall.lock_key(project, principal)) $$;
"""

_HOLD = """
CREATE OR REPLACE FUNCTION wall.lock_shared(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    held text := wall.role_of(principal, project);
BEGIN
    IF held IS NULL THEN
        RETURN NULL;
    END IF;{project_gate}
    PERFORM FROM public.project AS p WHERE p.id = project FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF principal LIKE 'user:%' THEN{principal_gate}
        SELECT member.role INTO held FROM public.project_member AS member
        WHERE member.project_id = project AND member.account_id = substr(principal, 6)::uuid FOR SHARE;
    ELSIF principal LIKE 'key:%' THEN{principal_gate}
        SELECT key.role INTO held FROM public.api_key AS key
        WHERE key.project_id = project AND key.id = substr(principal, 5)::uuid AND key.revoked_at IS NULL FOR SHARE;
    END IF;
    RETURN held;
END
$$;
"""
_PROJECT_GATE = """
    PERFORM pg_advisory_xact_lock_shared(wall.lock_key(project, ''));"""
_PRINCIPAL_GATE = """
        PERFORM pg_advisory_xact_lock_shared(wall.lock_key(project, principal));"""


def upgrade() -> None:
    script(_GATE)
    script(_HOLD.format(project_gate=_PROJECT_GATE, principal_gate=_PRINCIPAL_GATE))
    op.execute("REVOKE EXECUTE ON FUNCTION wall.lock_key(uuid, text), wall.lock_exclusive(uuid, text) FROM PUBLIC")
    grant("EXECUTE", "FUNCTION wall.lock_key(uuid, text), wall.lock_exclusive(uuid, text)")


def downgrade() -> None:
    script(_HOLD.format(project_gate="", principal_gate=""))
    script("DROP FUNCTION wall.lock_exclusive(uuid, text), wall.lock_key(uuid, text);")
