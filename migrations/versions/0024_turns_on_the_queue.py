"""accounts take turns on the queue: after its turn, an account's jobs move behind those of others"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

# Moves the account's waiting jobs of this kind behind those of others, if there are any. Returns whether it did. A
# project's job has `project_id` in its payload. One worker at a time, because two could deadlock.
_YIELD = """
CREATE FUNCTION wall.yield_turn(kind text, of_project uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    mine text[] := ARRAY(
        SELECT project::text FROM wall.projects_for_account_of(of_project) AS projects(project)
        UNION SELECT of_project::text
    );
    lowest integer;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partywall.turns ' || kind, 0)) THEN
        RETURN false;
    END IF;
    SELECT min(job.priority) INTO lowest FROM public.pgqueuer AS job
    WHERE job.entrypoint = kind AND job.status = 'queued'
        AND convert_from(job.payload, 'UTF8')::jsonb ->> 'project_id' <> ALL (mine);
    IF lowest IS NULL THEN
        RETURN false;
    END IF;
    UPDATE public.pgqueuer AS job SET priority = lowest - 1
    WHERE job.entrypoint = kind AND job.status = 'queued' AND job.priority >= lowest
        AND convert_from(job.payload, 'UTF8')::jsonb ->> 'project_id' = ANY (mine);
    RETURN true;
END
$$;
"""


def upgrade() -> None:
    script(_YIELD)
    op.execute("REVOKE EXECUTE ON FUNCTION wall.yield_turn(text, uuid) FROM PUBLIC")
    grant("EXECUTE", "FUNCTION wall.yield_turn(text, uuid)")


def downgrade() -> None:
    op.execute("DROP FUNCTION wall.yield_turn(text, uuid)")
