"""accounts share the slots of runs and webhooks fairly"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# A project's usage counts for one account: the owner who has been a member longest.
_ACCOUNTS = """
CREATE FUNCTION wall.owner_account(project uuid) RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    SELECT owner.account_id FROM public.project_member AS owner
    WHERE owner.project_id = project AND owner.role = 'owner' ORDER BY owner.joined_at, owner.account_id LIMIT 1
$$;
"""

# All functions use the bound project, which the principal may enter. A cancelled run keeps its slot until its job has
# left the queue, so that no account has more jobs there than slots.
_RUNS = """
CREATE POLICY admission ON run TO CURRENT_USER USING (true);
UPDATE run SET admitted = false WHERE admitted AND status NOT IN ('queued', 'running');
DROP INDEX run_admission_idx;
CREATE INDEX run_open_idx ON run (project_id, created_at, id) WHERE status IN ('queued', 'running', 'waiting');
CREATE INDEX run_admitted_idx ON run (project_id) WHERE admitted;

CREATE FUNCTION wall.projects_for_account_of(project uuid) RETURNS SETOF uuid LANGUAGE sql STABLE
    SET search_path = pg_catalog
AS $$
    SELECT owner.project_id FROM public.project_member AS owner
    WHERE owner.account_id = wall.owner_account(project) AND owner.role = 'owner'
        AND wall.owner_account(owner.project_id) = owner.account_id
$$;

CREATE FUNCTION wall.lock_run_admission() RETURNS void LANGUAGE sql VOLATILE SET search_path = pg_catalog
AS $$
    SELECT pg_advisory_xact_lock(
        hashtextextended('partywall.runs ' || wall.owner_account(wall.current_project())::text, 0)
    )
$$;

CREATE FUNCTION wall.open_runs(project uuid) RETURNS TABLE (of_project bigint, of_account bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT count(*) FILTER (WHERE r.project_id = project), count(*)
    FROM wall.projects_for_account_of(project) AS mine(id) JOIN public.run AS r ON r.project_id = mine.id
    WHERE r.status IN ('queued', 'running', 'waiting')
    HAVING project = wall.current_project()
$$;

-- The account's projects take turns: the project with the fewest slots is next, with its oldest run.
CREATE FUNCTION wall.admit_runs(of_project uuid, each_project integer, each_account integer)
    RETURNS TABLE (project_id uuid, run_id uuid, principal text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog
AS $$
#variable_conflict use_column
BEGIN
    IF of_project IS DISTINCT FROM wall.current_project() THEN
        RETURN;
    END IF;
    PERFORM wall.lock_run_admission();
    RETURN QUERY
    WITH mine AS MATERIALIZED (
        SELECT mine.id FROM wall.projects_for_account_of(of_project) AS mine(id)
    ), taken AS MATERIALIZED (
        SELECT r.project_id, count(*) AS places FROM mine JOIN public.run AS r ON r.project_id = mine.id
        WHERE r.admitted GROUP BY r.project_id
    ), waiting AS (
        SELECT r.project_id, r.id, r.created_at,
            row_number() OVER (PARTITION BY r.project_id ORDER BY r.created_at, r.id)
                + coalesce(taken.places, 0) AS place
        FROM mine JOIN public.run AS r ON r.project_id = mine.id
            LEFT JOIN taken ON taken.project_id = r.project_id
        WHERE r.status = 'queued' AND NOT r.admitted
    ), next AS (
        SELECT waiting.project_id, waiting.id FROM waiting WHERE waiting.place <= each_project
        ORDER BY waiting.place, waiting.created_at, waiting.id
        LIMIT greatest(0, each_account - (SELECT coalesce(sum(taken.places), 0) FROM taken))
    ), free AS (
        SELECT r.project_id, r.id FROM next JOIN public.run AS r ON r.project_id = next.project_id AND r.id = next.id
        WHERE r.status = 'queued' AND NOT r.admitted
        FOR UPDATE OF r SKIP LOCKED
    )
    UPDATE public.run AS admitted SET admitted = true FROM free
    WHERE admitted.project_id = free.project_id AND admitted.id = free.id
    RETURNING admitted.project_id, admitted.id, admitted.principal;
END
$$;

-- One project of each account with runs that wait for a slot.
CREATE FUNCTION wall.projects_with_waiting_runs() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    SELECT DISTINCT ON (wall.owner_account(waiting.project_id)) waiting.project_id
    FROM (SELECT DISTINCT r.project_id FROM public.run AS r WHERE r.status = 'queued' AND NOT r.admitted) AS waiting
$$;
"""

# Returns each webhook with the account that it counts for. The accounts take turns; within one, the webhook served
# longest ago comes first.
_CLAIMS = """
CREATE FUNCTION wall.claim_webhooks{of}(worker uuid, most integer, lease interval{given})
    RETURNS TABLE (account_id uuid, project_id uuid, webhook_id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    UPDATE public.webhook_progress AS taken
    SET leased_by = worker, leased_until = clock_timestamp() + lease, served_at = clock_timestamp()
    FROM (
        SELECT p.project_id, p.webhook_id, ranked.account_id
        FROM (
            SELECT due.project_id, due.webhook_id, due.account_id,
                row_number() OVER (PARTITION BY due.account_id ORDER BY due.served_at NULLS FIRST) AS number
            FROM (
                SELECT p.project_id, p.webhook_id, p.served_at, coalesce((
                    SELECT owner.account_id FROM public.project_member AS owner
                    WHERE owner.project_id = p.project_id AND owner.role = 'owner'
                    ORDER BY owner.joined_at, owner.account_id LIMIT 1
                ), p.project_id) AS account_id
                FROM public.webhook_progress AS p
                    JOIN public.webhook AS w ON w.project_id = p.project_id AND w.id = p.webhook_id
                    JOIN public.event_counter AS c ON c.project_id = p.project_id
                WHERE w.enabled AND p.disabled_reason IS NULL
                    AND (p.leased_until IS NULL OR p.leased_until <= now())
                    AND (p.paused_until IS NULL OR p.paused_until <= now())
                    AND {due}
            ) AS due
        ) AS ranked
            JOIN public.webhook_progress AS p
                ON p.project_id = ranked.project_id AND p.webhook_id = ranked.webhook_id
        WHERE p.leased_until IS NULL OR p.leased_until <= now()
        ORDER BY ranked.number, p.served_at NULLS FIRST LIMIT most
        FOR UPDATE OF p SKIP LOCKED
    ) AS claimed
    WHERE taken.project_id = claimed.project_id AND taken.webhook_id = claimed.webhook_id
    RETURNING claimed.account_id, taken.project_id, taken.webhook_id
$$;
"""
_CLAIMS_BEFORE = """
CREATE FUNCTION wall.claim_webhooks{of}(worker uuid, most integer, lease interval{given})
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
        WHERE {first}w.enabled AND p.disabled_reason IS NULL
            AND (p.leased_until IS NULL OR p.leased_until <= now())
            AND (p.paused_until IS NULL OR p.paused_until <= now())
            AND {due}
        ORDER BY p.served_at NULLS FIRST LIMIT most
        FOR UPDATE OF p SKIP LOCKED
    ) AS due
    WHERE taken.project_id = due.project_id AND taken.webhook_id = due.webhook_id
    RETURNING taken.project_id, taken.webhook_id
$$;
"""
_EVERYWHERE = {
    "of": "",
    "given": "",
    "due": """(p.position < c.last OR EXISTS (
                SELECT FROM public.webhook_delivery AS d
                WHERE d.project_id = p.project_id AND d.webhook_id = p.webhook_id
                    AND d.status = 'pending' AND d.next_attempt_at <= now()
            ))""",
}
_SOME = {"of": "_of", "given": ", projects uuid[]"}
_NEWS = "p.position < c.last"
_IN_SOME = "p.project_id = ANY (projects) AND "

_RUN_FUNCTIONS = """wall.owner_account(uuid), wall.lock_run_admission(), wall.open_runs(uuid),
    wall.admit_runs(uuid, integer, integer), wall.projects_with_waiting_runs()"""
_CLAIM_FUNCTIONS = """wall.claim_webhooks(uuid, integer, interval),
    wall.claim_webhooks_of(uuid, integer, interval, uuid[])"""
_DROP_CLAIMS = "DROP FUNCTION wall.claim_webhooks, wall.claim_webhooks_of;"


def upgrade() -> None:
    script(_ACCOUNTS)
    script(_RUNS)
    script(_DROP_CLAIMS)
    script(_CLAIMS.format(**_EVERYWHERE))
    script(_CLAIMS.format(**_SOME, due=f"{_IN_SOME}{_NEWS}"))
    _close()
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_RUN_FUNCTIONS}, wall.projects_for_account_of(uuid) FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_RUN_FUNCTIONS}")


def downgrade() -> None:
    script(_DROP_CLAIMS)
    script(_CLAIMS_BEFORE.format(**_EVERYWHERE, first=""))
    script(_CLAIMS_BEFORE.format(**_SOME, first=_IN_SOME, due=_NEWS))
    _close()
    script("""
        DROP FUNCTION wall.projects_with_waiting_runs(), wall.admit_runs(uuid, integer, integer), wall.open_runs(uuid),
            wall.lock_run_admission(), wall.projects_for_account_of(uuid), wall.owner_account(uuid);
        DROP INDEX run_admitted_idx, run_open_idx;
        CREATE INDEX run_admission_idx ON run (project_id, created_at, id) WHERE status IN ('queued', 'running');
        DROP POLICY admission ON run;
    """)


def _close() -> None:
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_CLAIM_FUNCTIONS} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_CLAIM_FUNCTIONS}")
