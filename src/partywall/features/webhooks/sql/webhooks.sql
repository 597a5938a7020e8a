-- Webhooks for all projects: their jobs, their quota and their retention.

-- Requests the job of each enabled webhook of these projects, not before its pause ends, and returns the projects that
-- have one. Waits for no lock, and so does not delay the numbering of events in the same transaction.
CREATE OR REPLACE FUNCTION wall.enqueue_deliveries(projects uuid[]) RETURNS SETOF uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off
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

-- Disables the webhooks of an account whose address someone else has reclaimed, and of the projects that it owns.
CREATE OR REPLACE FUNCTION wall.disable_webhooks_of(account uuid) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog
AS $$
    UPDATE public.webhook_progress AS p SET disabled_reason = 'reclaimed'
    FROM public.project_member AS m, public.webhook AS w
    WHERE m.account_id = account AND p.project_id = m.project_id
        AND w.project_id = p.project_id AND w.id = p.webhook_id
        AND (m.role = 'owner' OR w.created_by = 'user:' || account)
$$;

-- Checks the quota of webhooks.
CREATE OR REPLACE FUNCTION wall.limit_webhooks() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.require_quota('webhooks', (
        SELECT count(*) FROM public.webhook AS w WHERE w.project_id = NEW.project_id
    ), 1, wall.quota_of(NEW.project_id, 'webhooks'), true);
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER webhook_limit AFTER INSERT ON webhook FOR EACH ROW EXECUTE FUNCTION wall.limit_webhooks();

-- Deletes deliveries older than `before`, at most `most`. Skips locked rows until the next call: this locks rows of
-- many projects, and waits for none.
CREATE OR REPLACE FUNCTION wall.prune_webhook_deliveries(before timestamptz, most integer) RETURNS bigint
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

GRANT EXECUTE ON FUNCTION wall.prune_webhook_deliveries TO :runtime_role;
