-- A worker that serves a webhook holds its job, so the webhook needs no lease. After a look for events it pauses until
-- `quiet_until`: events in between are sent together.
DROP FUNCTION wall.claim_webhooks(uuid, integer, interval);
DROP FUNCTION wall.claim_webhooks_of(uuid, integer, interval, uuid[]);
ALTER TABLE webhook_progress DROP COLUMN leased_by, DROP COLUMN leased_until, DROP COLUMN served_at,
    ADD COLUMN quiet_until timestamptz;

-- Requests the job of each enabled webhook of these projects, not before its pause ends, and returns the projects that
-- have one. Waits for no lock, and so does not delay the numbering of events in the same transaction.
CREATE FUNCTION wall.enqueue_deliveries(projects uuid[]) RETURNS SETOF uuid LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    WITH asked AS (
        SELECT p.project_id, p.webhook_id, greatest(now(), p.paused_until, p.quiet_until) AS due_at
        FROM unnest(projects) AS told (id) JOIN public.webhook_progress AS p ON p.project_id = told.id
            JOIN public.webhook AS w ON w.project_id = p.project_id AND w.id = p.webhook_id
        WHERE w.enabled AND p.disabled_reason IS NULL
    ), added AS (
        INSERT INTO public.job_request (kind, payload, dedupe_key, due_at)
        SELECT 'deliver_webhook', jsonb_build_object(
            'project_id', a.project_id, 'principal', 'service:' || a.project_id, 'webhook_id', a.webhook_id
        ), 'deliver_webhook:' || a.webhook_id, a.due_at FROM asked AS a
    )
    SELECT DISTINCT a.project_id FROM asked AS a
$$;

-- As in 0028, but requests the jobs of the project's webhooks in the same transaction: `jobs` says whether there are
-- any.
DROP FUNCTION wall.number_events(uuid[], integer);
DROP FUNCTION wall.catch_up_events(uuid, integer);
CREATE FUNCTION wall.number_events(projects uuid[], most integer)
    RETURNS TABLE (project_id uuid, role text, busy boolean, last bigint, events bigint, jobs boolean) LANGUAGE plpgsql VOLATILE
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
    RETURN QUERY
    WITH numbered AS MATERIALIZED (
        SELECT n.project_id, n.last, n.events FROM wall.number_locked_events(locked, most) AS n
    ), told AS MATERIALIZED (
        SELECT ARRAY(SELECT wall.enqueue_deliveries(ARRAY(SELECT n.project_id FROM numbered AS n))) AS asked
    )
    SELECT c.project_id, wall.role_of('service:' || c.project_id, c.project_id),
        c.project_id <> ALL (locked), n.last, coalesce(n.events, 0), c.project_id = ANY (told.asked)
    FROM told CROSS JOIN public.event_counter AS c LEFT JOIN numbered AS n ON n.project_id = c.project_id
    WHERE c.project_id = ANY (projects);
END
$$;

CREATE FUNCTION wall.catch_up_events(project uuid, most integer, OUT last bigint, OUT events bigint, OUT jobs boolean) LANGUAGE plpgsql
    VOLATILE SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    events := 0;
    jobs := false;
    IF EXISTS (SELECT FROM public.pending_event AS p WHERE p.project_id = project) THEN
        PERFORM FROM public.event_counter AS c WHERE c.project_id = project FOR NO KEY UPDATE;
        SELECT coalesce(sum(n.events), 0) INTO events FROM wall.number_locked_events(ARRAY[project], most) AS n;
        jobs := EXISTS (SELECT FROM wall.enqueue_deliveries(ARRAY[project]));
    END IF;
    SELECT c.last INTO last FROM public.event_counter AS c WHERE c.project_id = project;
END
$$;

SELECT wall.enqueue_deliveries(ARRAY(SELECT DISTINCT p.project_id FROM webhook_progress AS p));
