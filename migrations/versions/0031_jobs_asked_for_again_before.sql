-- As in 0029.

ALTER TABLE job DROP COLUMN again_at;
DROP TABLE job_request;

CREATE OR REPLACE FUNCTION wall.job_lines(kinds text[], starts uuid[], each integer, silent interval)
    RETURNS TABLE (kind text, project_id uuid, account_id uuid, due_in interval, lost_in interval) LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    UPDATE public.job SET state = 'waiting' WHERE id = ANY (ARRAY(
        SELECT id FROM public.job WHERE state = 'delayed' AND due_at <= now()
        ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED
    ));
    RETURN QUERY
    SELECT asked.kind, found.project, coalesce(wall.owner_account(found.project), found.project), NULL::interval,
        NULL::interval
    FROM unnest(kinds, starts) AS asked(kind, start), LATERAL (
        WITH RECURSIVE line(project) AS (
            (SELECT j.project_id FROM public.job AS j
            WHERE j.state = 'waiting' AND j.kind = asked.kind AND j.project_id >= asked.start
            ORDER BY j.project_id LIMIT 1)
            UNION ALL
            SELECT (SELECT j.project_id FROM public.job AS j
                WHERE j.state = 'waiting' AND j.kind = asked.kind AND j.project_id > line.project
                ORDER BY j.project_id LIMIT 1)
            FROM line WHERE line.project IS NOT NULL
        )
        SELECT line.project FROM line WHERE line.project IS NOT NULL LIMIT each
    ) AS found;
    RETURN QUERY SELECT NULL::text, NULL::uuid, NULL::uuid,
        (SELECT j.due_at FROM public.job AS j WHERE j.state = 'delayed' ORDER BY j.due_at LIMIT 1) - clock_timestamp(),
        (SELECT j.heartbeat_at FROM public.job AS j WHERE j.state = 'running' ORDER BY j.heartbeat_at LIMIT 1)
            + silent - clock_timestamp();
END
$$;

CREATE OR REPLACE FUNCTION wall.claim_jobs(kinds text[], projects uuid[], counts integer[], with_lease uuid)
    RETURNS TABLE (
        id bigint, kind text, project_id uuid, account_id uuid, payload text, attempts integer, lease uuid
    ) LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH taken AS MATERIALIZED (
        SELECT first.id FROM unnest(kinds, projects, counts) AS line(kind, project, jobs), LATERAL (
            SELECT j.id FROM public.job AS j
            WHERE j.state = 'waiting' AND j.kind = line.kind AND j.project_id = line.project
            ORDER BY j.priority DESC, j.id LIMIT line.jobs FOR UPDATE SKIP LOCKED
        ) AS first
    )
    UPDATE public.job AS j SET state = 'running', lease = with_lease, attempts = j.attempts + 1,
        heartbeat_at = clock_timestamp()
    WHERE j.id = ANY (ARRAY(SELECT taken.id FROM taken))
    RETURNING j.id, j.kind, j.project_id, wall.owner_account(j.project_id), j.payload::text, j.attempts, j.lease;
END
$$;

CREATE OR REPLACE FUNCTION wall.claim_lost_job(kinds text[], silent interval, held bigint[], with_lease uuid)
    RETURNS TABLE (
        id bigint, kind text, project_id uuid, account_id uuid, payload text, attempts integer, lease uuid
    ) LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH taken AS MATERIALIZED (
        SELECT j.id FROM public.job AS j
        WHERE j.state = 'running' AND j.heartbeat_at < now() - silent
            AND j.kind = ANY (kinds) AND j.id <> ALL (held)
        ORDER BY j.heartbeat_at, j.id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE public.job AS j SET state = 'running', lease = with_lease, attempts = j.attempts + 1,
        heartbeat_at = clock_timestamp()
    WHERE j.id = ANY (ARRAY(SELECT taken.id FROM taken))
    RETURNING j.id, j.kind, j.project_id, wall.owner_account(j.project_id), j.payload::text, j.attempts, j.lease;
END
$$;

CREATE OR REPLACE FUNCTION wall.settle_jobs(ids bigint[], leases uuid[], states text[], pauses interval[], errors text[])
    RETURNS void LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    DELETE FROM public.job AS j USING unnest(ids, leases, states) AS ended(id, lease, state)
    WHERE ended.state IS NULL AND j.id = ANY (ids) AND j.id = ended.id AND j.lease = ended.lease;
    IF array_remove(states, NULL) = '{}' THEN
        RETURN;
    END IF;
    UPDATE public.job AS j SET state = ended.state, lease = NULL, heartbeat_at = NULL, error = ended.error,
        due_at = clock_timestamp() + ended.pause,
        dead_letter_at = CASE WHEN ended.state = 'dead_letter' THEN clock_timestamp() END
    FROM unnest(ids, leases, states, pauses, errors) AS ended(id, lease, state, pause, error)
    WHERE ended.state IS NOT NULL AND j.id = ANY (ids) AND j.id = ended.id AND j.lease = ended.lease;
END
$$;

CREATE OR REPLACE FUNCTION wall.renew_jobs(ids bigint[], leases uuid[]) RETURNS void LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    UPDATE public.job AS j SET heartbeat_at = clock_timestamp() FROM unnest(ids, leases) AS held(id, lease)
    WHERE j.id = ANY (ids) AND j.id = held.id AND j.lease = held.lease;
END
$$;
