"""writers lock the project and their own membership until the commit; expired keys are pruned"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Always locks the project first. Deleting a project therefore waits for its writers before it changes their rows, a
# removal waits for the removed member's transactions, and later transactions get no access: there are no deadlocks, and
# no policy refuses in mid-transaction what `open_shared_scope` allowed.
_HOLD = """
CREATE FUNCTION wall.lock_shared(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    held text := wall.role_of(principal, project);
BEGIN
    IF held IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM FROM public.project AS p WHERE p.id = project FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF principal LIKE 'user:%' THEN
        SELECT member.role INTO held FROM public.project_member AS member
        WHERE member.project_id = project AND member.account_id = substr(principal, 6)::uuid FOR SHARE;
    ELSIF principal LIKE 'key:%' THEN
        SELECT key.role INTO held FROM public.api_key AS key
        WHERE key.project_id = project AND key.id = substr(principal, 5)::uuid AND key.revoked_at IS NULL FOR SHARE;
    END IF;
    RETURN held;
END
$$;

CREATE FUNCTION wall.open_shared_scope(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM set_config('partywall.principal', principal, true), set_config('partywall.project', project::text, true);
    RETURN wall.lock_shared(principal, project);
END
$$;
"""

_PRUNE_EVENTS = """
CREATE OR REPLACE FUNCTION wall.prune_events(before timestamptz, most integer) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    chosen uuid;
    upto bigint;
    removed bigint;
BEGIN
    SELECT event.project_id INTO chosen FROM public.event WHERE event.at < before LIMIT 1;
    IF chosen IS NULL THEN
        RETURN 0;
    END IF;{lock}
    SELECT max(expired.id) INTO upto FROM (
        SELECT event.id FROM public.event
        WHERE event.project_id = chosen AND event.at < before ORDER BY event.id LIMIT most
    ) AS expired;
    DELETE FROM public.event WHERE event.project_id = chosen AND event.id <= upto;
    GET DIAGNOSTICS removed = ROW_COUNT;
    UPDATE public.event_counter SET oldest = upto + 1
    WHERE event_counter.project_id = chosen AND event_counter.oldest <= upto;
    RETURN removed;
END
$$;
"""

# Locks the counter before the events, in the same order as deleting a project.
_COUNTER_FIRST = """
    PERFORM FROM public.event_counter AS c WHERE c.project_id = chosen FOR UPDATE;
"""

_KEYS = """
CREATE UNIQUE INDEX api_key_id_key ON api_key (id);
CREATE INDEX invitation_expires_at_idx ON invitation (expires_at);

CREATE FUNCTION wall.prune_api_keys(before timestamptz) RETURNS bigint LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.api_key
        WHERE revoked_at < least(before, now()) OR expires_at < least(before, now()) RETURNING 1
    )
    SELECT count(*) FROM removed
$$;
"""


def upgrade() -> None:
    script(_HOLD)
    script(_PRUNE_EVENTS.format(lock=_COUNTER_FIRST))
    script(_KEYS)
    op.execute(
        "REVOKE EXECUTE ON FUNCTION wall.lock_shared(text, uuid), wall.open_shared_scope(text, uuid),"
        " wall.prune_api_keys(timestamptz) FROM PUBLIC"
    )
    grant(
        "EXECUTE",
        "FUNCTION wall.lock_shared(text, uuid), wall.open_shared_scope(text, uuid), wall.prune_api_keys(timestamptz)",
    )


def downgrade() -> None:
    script("""
        DROP FUNCTION wall.prune_api_keys(timestamptz), wall.open_shared_scope(text, uuid), wall.lock_shared(text,
            uuid);
        DROP INDEX invitation_expires_at_idx, api_key_id_key;
    """)
    script(_PRUNE_EVENTS.format(lock=""))
