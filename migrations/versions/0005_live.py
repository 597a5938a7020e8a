"""pruning of events"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, runtime_role, script

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None

# One project per call, so that its counter is locked for one short transaction only. Events are removed from the oldest
# on without gaps, whatever the clock says, and a reader sees the removal in the same snapshot.
_PRUNE = """
CREATE POLICY pruning ON event TO CURRENT_USER USING (true);
CREATE POLICY pruning ON event_counter TO CURRENT_USER USING (true);

CREATE FUNCTION wall.prune_events(before timestamptz, most integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    chosen uuid;
    upto bigint;
    removed bigint;
BEGIN
    SELECT event.project_id INTO chosen FROM public.event WHERE event.at < before LIMIT 1;
    IF chosen IS NULL THEN
        RETURN 0;
    END IF;
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

_DROP = """
DROP FUNCTION wall.prune_events;
DROP POLICY pruning ON event_counter;
DROP POLICY pruning ON event;
"""


def upgrade() -> None:
    script(_PRUNE)
    op.execute("REVOKE EXECUTE ON FUNCTION wall.prune_events FROM PUBLIC")
    grant("EXECUTE", "FUNCTION wall.prune_events")
    # Events are append-only: the application adds rows, and removes them only through the function.
    op.execute(f"REVOKE DELETE ON event FROM {runtime_role()}")
    op.execute(f"REVOKE UPDATE ON event_counter FROM {runtime_role()}")
    grant("UPDATE (last)", "event_counter")


def downgrade() -> None:
    op.execute(f"REVOKE UPDATE (last) ON event_counter FROM {runtime_role()}")
    grant("UPDATE", "event_counter")
    grant("DELETE", "event")
    script(_DROP)
