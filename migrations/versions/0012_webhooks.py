"""webhooks, their progress and their deliveries"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, runtime_role, script

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Users' settings and workers' state are in separate tables: users may change the first and only read the second.
_TABLES = """
CREATE TABLE webhook (
    project_id uuid NOT NULL CONSTRAINT webhook_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    id uuid DEFAULT uuidv7() NOT NULL,
    url text NOT NULL,
    types text[],
    description text,
    enabled boolean DEFAULT true NOT NULL,
    sealed_secret bytea NOT NULL,
    sealed_previous_secret bytea,
    previous_until timestamptz,
    revision integer DEFAULT 1 NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT webhook_pkey PRIMARY KEY (project_id, id)
);

CREATE TABLE webhook_progress (
    project_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    position bigint NOT NULL,
    disabled_reason text CONSTRAINT webhook_progress_disabled_reason_check
        CHECK (disabled_reason IN ('gone', 'failing')),
    failures integer DEFAULT 0 NOT NULL,
    failing_at timestamptz,
    paused_until timestamptz,
    leased_by uuid,
    leased_until timestamptz,
    served_at timestamptz,
    CONSTRAINT webhook_progress_pkey PRIMARY KEY (project_id, webhook_id),
    CONSTRAINT webhook_progress_project_id_webhook_id_fkey
        FOREIGN KEY (project_id, webhook_id) REFERENCES webhook (project_id, id) ON DELETE CASCADE
);

CREATE TABLE webhook_delivery (
    project_id uuid NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    webhook_id uuid NOT NULL,
    event_id bigint NOT NULL,
    event_type text NOT NULL,
    status text DEFAULT 'pending' NOT NULL CONSTRAINT webhook_delivery_status_check
        CHECK (status IN ('pending', 'succeeded', 'failed')),
    attempts integer DEFAULT 0 NOT NULL,
    attempts_before integer DEFAULT 0 NOT NULL,
    status_code integer,
    error text,
    next_attempt_at timestamptz DEFAULT now(),
    created_at timestamptz DEFAULT now() NOT NULL,
    finished_at timestamptz,
    CONSTRAINT webhook_delivery_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT webhook_delivery_project_id_webhook_id_event_id_key UNIQUE (project_id, webhook_id, event_id),
    CONSTRAINT webhook_delivery_project_id_webhook_id_fkey
        FOREIGN KEY (project_id, webhook_id) REFERENCES webhook (project_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_delivery_due_idx ON webhook_delivery (project_id, webhook_id, next_attempt_at)
    WHERE status = 'pending';
CREATE INDEX webhook_delivery_listed_idx ON webhook_delivery (project_id, webhook_id, created_at, id);
CREATE INDEX webhook_delivery_created_at_idx ON webhook_delivery USING brin (created_at);
"""

# In addition to the wall: a webhook sends the project's events outside, so only a user who manages it may see or create
# one. The project's own worker reads what it delivers.
_POLICIES = """
ALTER TABLE webhook ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON webhook USING (project_id = (SELECT wall.current_project()));
CREATE POLICY managed ON webhook AS RESTRICTIVE TO {runtime}
    USING (project_id = (SELECT wall.current_project()) AND {managed_or_served})
    WITH CHECK (project_id = (SELECT wall.current_project()) AND {managed});
CREATE POLICY dispatching ON webhook FOR SELECT TO CURRENT_USER USING (true);

ALTER TABLE webhook_progress ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_progress FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON webhook_progress USING (project_id = (SELECT wall.current_project()));
CREATE POLICY managed ON webhook_progress AS RESTRICTIVE TO {runtime}
    USING (project_id = (SELECT wall.current_project()) AND {managed_or_served});
CREATE POLICY dispatching ON webhook_progress TO CURRENT_USER USING (true);

ALTER TABLE webhook_delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON webhook_delivery USING (project_id = (SELECT wall.current_project()));
CREATE POLICY managed ON webhook_delivery AS RESTRICTIVE TO {runtime}
    USING (project_id = (SELECT wall.current_project()) AND {managed_or_served});
CREATE POLICY dispatching ON webhook_delivery TO CURRENT_USER USING (true);
"""
_MANAGED = "(SELECT wall.person_role()) IN ('owner', 'admin')"
_SERVED = "(SELECT wall.current_principal()) = 'service:' || project_id::text"

# For all projects, called by a worker without a scope: finds the webhooks with something to send; the worker then opens
# a scope for each project. Those served longest ago come first.
_FUNCTIONS = """
CREATE FUNCTION wall.claim_webhooks(worker uuid, most integer, lease interval)
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
        WHERE w.enabled AND p.disabled_reason IS NULL
            AND (p.leased_until IS NULL OR p.leased_until <= now())
            AND (p.paused_until IS NULL OR p.paused_until <= now())
            AND (p.position < c.last OR EXISTS (
                SELECT FROM public.webhook_delivery AS d
                WHERE d.project_id = p.project_id AND d.webhook_id = p.webhook_id
                    AND d.status = 'pending' AND d.next_attempt_at <= now()
            ))
        ORDER BY p.served_at NULLS FIRST LIMIT most
        FOR UPDATE OF p SKIP LOCKED
    ) AS due
    WHERE taken.project_id = due.project_id AND taken.webhook_id = due.webhook_id
    RETURNING taken.project_id, taken.webhook_id
$$;

-- Skips locked rows until the next call: this locks rows of many projects, and waits for none.
CREATE FUNCTION wall.prune_webhook_deliveries(before timestamptz, most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.webhook_delivery AS d USING (
            SELECT o.project_id, o.id FROM public.webhook_delivery AS o WHERE o.created_at < before LIMIT most
            FOR UPDATE OF o SKIP LOCKED
        ) AS old
        WHERE d.project_id = old.project_id AND d.id = old.id RETURNING 1
    )
    SELECT count(*) FROM removed
$$;
"""

_CALLED = "wall.claim_webhooks(uuid, integer, interval), wall.prune_webhook_deliveries(timestamptz, integer)"
_DECIDED = """url, types, description, enabled, sealed_secret, sealed_previous_secret, previous_until, revision,
    updated_at"""
_KEPT = "position, disabled_reason, failures, failing_at, paused_until, leased_by, leased_until"
_TRIED = "status, attempts, attempts_before, status_code, error, next_attempt_at, finished_at"


def upgrade() -> None:
    script(_TABLES)
    script(
        _POLICIES.format(
            runtime=runtime_role(), managed=f"({_MANAGED})", managed_or_served=f"({_MANAGED} OR {_SERVED})"
        )
    )
    script(_FUNCTIONS)
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_CALLED} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_CALLED}")
    grant(f"SELECT, INSERT, DELETE, UPDATE ({_DECIDED})", "webhook")
    grant(f"SELECT, INSERT, UPDATE ({_KEPT})", "webhook_progress")
    grant(f"SELECT, INSERT, UPDATE ({_TRIED})", "webhook_delivery")


def downgrade() -> None:
    script("""
        DROP FUNCTION wall.claim_webhooks, wall.prune_webhook_deliveries;
        DROP TABLE webhook_delivery, webhook_progress, webhook;
    """)
