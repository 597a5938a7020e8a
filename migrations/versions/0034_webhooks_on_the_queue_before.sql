-- As in 0020 and 0028.

DELETE FROM job WHERE kind = 'deliver_webhook';
DELETE FROM job_request WHERE kind = 'deliver_webhook';
DROP FUNCTION wall.number_events(uuid[], integer);
DROP FUNCTION wall.catch_up_events(uuid, integer);
DROP FUNCTION wall.enqueue_deliveries(uuid[]);
ALTER TABLE webhook_progress DROP COLUMN quiet_until,
    ADD COLUMN leased_by uuid, ADD COLUMN leased_until timestamptz, ADD COLUMN served_at timestamptz;

CREATE FUNCTION wall.claim_webhooks(worker uuid, most integer, lease interval)
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
                    AND (p.position < c.last OR EXISTS (
                SELECT FROM public.webhook_delivery AS d
                WHERE d.project_id = p.project_id AND d.webhook_id = p.webhook_id
                    AND d.status = 'pending' AND d.next_attempt_at <= now()
            ))
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

CREATE FUNCTION wall.claim_webhooks_of(worker uuid, most integer, lease interval, projects uuid[])
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
                    AND p.project_id = ANY (projects) AND p.position < c.last
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

CREATE FUNCTION wall.number_events(projects uuid[], most integer)
    RETURNS TABLE (project_id uuid, role text, busy boolean, last bigint, events bigint) LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
#variable_conflict use_column
DECLARE
    locked uuid[];
BEGIN
    PERFORM set_config('idle_in_transaction_session_timeout', '1000', true);
    locked := ARRAY(
        SELECT c.project_id FROM public.event_counter AS c WHERE c.project_id = ANY (projects)
        FOR NO KEY UPDATE SKIP LOCKED
    );
    RETURN QUERY SELECT c.project_id, wall.role_of('service:' || c.project_id, c.project_id),
        c.project_id <> ALL (locked), n.last, coalesce(n.events, 0)
    FROM public.event_counter AS c
        LEFT JOIN wall.number_locked_events(locked, most) AS n ON n.project_id = c.project_id
    WHERE c.project_id = ANY (projects);
END
$$;

CREATE FUNCTION wall.catch_up_events(project uuid, most integer, OUT last bigint, OUT events bigint) LANGUAGE plpgsql
    VOLATILE SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    events := 0;
    IF EXISTS (SELECT FROM public.pending_event AS p WHERE p.project_id = project) THEN
        PERFORM FROM public.event_counter AS c WHERE c.project_id = project FOR NO KEY UPDATE;
        SELECT coalesce(sum(n.events), 0) INTO events FROM wall.number_locked_events(ARRAY[project], most) AS n;
    END IF;
    SELECT c.last INTO last FROM public.event_counter AS c WHERE c.project_id = project;
END
$$;
