"""a reclaimed account's webhooks are disabled; runs store their trace; workers check projects with new events"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_REASONS = """
ALTER TABLE webhook_progress DROP CONSTRAINT webhook_progress_disabled_reason_check;
ALTER TABLE webhook_progress ADD CONSTRAINT webhook_progress_disabled_reason_check
    CHECK (disabled_reason IN ('gone', 'failing', 'reclaimed'));
"""

# Addresses that were set by someone who did not own the account receive nothing until the owner has checked them: all
# webhooks of the account's own projects, because any may have been changed, and those it created elsewhere.
_RECLAIM = """
CREATE FUNCTION wall.disable_webhooks_of(account uuid) RETURNS void LANGUAGE sql SET search_path = pg_catalog
AS $$
    UPDATE public.webhook_progress AS p SET disabled_reason = 'reclaimed'
    FROM public.project_member AS m, public.webhook AS w
    WHERE m.account_id = account AND p.project_id = m.project_id
        AND w.project_id = p.project_id AND w.id = p.webhook_id
        AND (m.role = 'owner' OR w.created_by = 'user:' || account)
$$;
"""

# As before, but it waits for transactions that have locked one of the projects to create keys or the like, and later
# ones find the session ended; the account's webhooks stop sending.
_CONFIRM = """
CREATE OR REPLACE FUNCTION wall.confirm_registration(presented bytea) RETURNS uuid[] LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    chosen public.registration;
    entered uuid[];
    ended uuid[] := '{{}}';
BEGIN
    SELECT * INTO chosen FROM public.registration AS r WHERE r.token_hash = presented AND r.expires_at > now();
    UPDATE public.account AS a SET email_verified_at = now(), updated_at = now()
    WHERE a.id = chosen.account_id AND a.email_verified_at IS NULL AND a.disabled_at IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    DELETE FROM public.registration AS r WHERE r.account_id = chosen.account_id;
    IF chosen.password_hash IS NULL THEN
        RETURN ended;
    END IF;
    UPDATE public.account AS a
    SET password_hash = chosen.password_hash, full_name = chosen.full_name, revision = a.revision + 1
    WHERE a.id = chosen.account_id;
    WITH revoked AS (
        UPDATE public.session AS s SET revoked_at = now()
        WHERE s.account_id = chosen.account_id AND s.revoked_at IS NULL RETURNING s.id
    )
    SELECT coalesce(array_agg(revoked.id), '{{}}') INTO ended FROM revoked;
    SELECT array_agg(m.project_id) INTO entered FROM public.project_member AS m WHERE m.account_id = chosen.account_id;
    PERFORM FROM public.project AS p WHERE p.id = ANY (entered) ORDER BY p.id FOR {project};
    UPDATE public.api_key AS k SET revoked_at = now()
    WHERE k.project_id = ANY (entered) AND k.created_by = 'user:' || chosen.account_id AND k.revoked_at IS NULL;
    DELETE FROM public.invitation AS i
    WHERE i.project_id = ANY (entered) AND i.invited_by = 'user:' || chosen.account_id;
{webhooks}    RETURN ended;
END
$$;
"""

_WEBHOOKS = """    PERFORM wall.disable_webhooks_of(chosen.account_id);
"""

# As `wall.claim_webhooks`, but only for projects with new events: by key, without reading all rows.
_CLAIM = """
CREATE FUNCTION wall.claim_webhooks_of(worker uuid, most integer, lease interval, projects uuid[])
    RETURNS TABLE (project_id uuid, webhook_id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    UPDATE public.webhook_progress AS taken
    SET leased_by = worker, leased_until = clock_timestamp() + lease, served_at = clock_timestamp()
    FROM (
        SELECT p.project_id, p.webhook_id
        FROM public.webhook_progress AS p
            JOIN public.webhook AS w ON w.project_id = p.project_id AND w.id = p.webhook_id
            JOIN public.event_counter AS c ON c.project_id = p.project_id
        WHERE p.project_id = ANY (projects) AND w.enabled AND p.disabled_reason IS NULL
            AND (p.leased_until IS NULL OR p.leased_until <= now())
            AND (p.paused_until IS NULL OR p.paused_until <= now())
            AND p.position < c.last
        ORDER BY p.served_at NULLS FIRST LIMIT most
        FOR UPDATE OF p SKIP LOCKED
    ) AS due
    WHERE taken.project_id = due.project_id AND taken.webhook_id = due.webhook_id
    RETURNING taken.project_id, taken.webhook_id
$$;
"""
_CALLED = "wall.claim_webhooks_of(uuid, integer, interval, uuid[])"


def upgrade() -> None:
    script(_REASONS)
    script(_RECLAIM)
    script(_CONFIRM.format(project="NO KEY UPDATE", webhooks=_WEBHOOKS))
    script(_CLAIM)
    # The request's W3C Trace Context: the calls of a run belong to the same trace.
    script("ALTER TABLE run ADD COLUMN traceparent text;")
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_CALLED}, wall.disable_webhooks_of(uuid) FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_CALLED}")


def downgrade() -> None:
    script(_CONFIRM.format(project="KEY SHARE", webhooks=""))
    script("""
        DROP FUNCTION wall.claim_webhooks_of, wall.disable_webhooks_of;
        ALTER TABLE run DROP COLUMN traceparent;
        UPDATE webhook_progress SET disabled_reason = 'gone' WHERE disabled_reason = 'reclaimed';
        ALTER TABLE webhook_progress DROP CONSTRAINT webhook_progress_disabled_reason_check;
        ALTER TABLE webhook_progress ADD CONSTRAINT webhook_progress_disabled_reason_check
            CHECK (disabled_reason IN ('gone', 'failing'));
    """)
