"""expired invitations are pruned; accepting one locks its project first"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# For all projects, called by a worker without a scope: it can delete expired invitations, but read none.
_PRUNE = """
CREATE FUNCTION wall.prune_invitations() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH removed AS (DELETE FROM public.invitation WHERE expires_at <= now() RETURNING 1)
    SELECT count(*) FROM removed
$$;
"""

# Locks the project before the invitation, in the same order as deleting a project; otherwise both could deadlock.
_LOCK = """
    PERFORM FROM public.project AS p
    WHERE p.id = (SELECT i.project_id FROM public.invitation AS i WHERE i.token_hash = presented) FOR KEY SHARE;
"""

_ACCEPT = """
CREATE OR REPLACE FUNCTION wall.accept_invitation(presented bytea) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    accepting uuid := wall.current_user_id();
    entered uuid;
    granted text;
BEGIN{lock}
    DELETE FROM public.invitation AS i USING public.account AS a
    WHERE i.token_hash = presented AND i.expires_at > now()
        AND a.id = accepting AND a.email = i.email AND a.email_verified_at IS NOT NULL AND a.disabled_at IS NULL
        AND wall.role_of(i.invited_by, i.project_id) IN ('owner', CASE WHEN i.role <> 'owner' THEN 'admin' END)
    RETURNING i.project_id, i.role INTO entered, granted;
    IF entered IS NOT NULL THEN
        INSERT INTO public.project_member (project_id, account_id, role) VALUES (entered, accepting, granted);
    END IF;
    RETURN entered;
END
$$;
"""


def upgrade() -> None:
    script(_PRUNE)
    script(_ACCEPT.format(lock=_LOCK.rstrip()))
    op.execute("REVOKE EXECUTE ON FUNCTION wall.prune_invitations() FROM PUBLIC")
    grant("EXECUTE", "FUNCTION wall.prune_invitations()")


def downgrade() -> None:
    script(_ACCEPT.format(lock=""))
    script("DROP FUNCTION wall.prune_invitations();")
