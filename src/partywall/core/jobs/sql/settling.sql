-- How attempts end.

-- Extends the leases of running jobs.
CREATE OR REPLACE FUNCTION wall.renew_jobs(ids bigint[], leases uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog
    SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM public.job AS j WHERE j.id = ANY (ids) AND j.dedupe_key IS NOT NULL ORDER BY j.id FOR UPDATE;
    UPDATE public.job AS j SET heartbeat_at = clock_timestamp() FROM unnest(ids, leases) AS held(id, lease)
    WHERE j.id = ANY (ids) AND j.id = held.id AND j.lease = held.lease;
END
$$;

-- Stores the result of an attempt. Jobs without a state are done, unless they were requested again meanwhile; those
-- with the state `again` run once more after a pause. In both cases a new job replaces the old one, at the end of its
-- queue. A job that pauses after a failure keeps its pause: its next attempt does what was requested. Jobs with a lost
-- lease are not changed.
CREATE OR REPLACE FUNCTION wall.settle_jobs(
    ids bigint[], leases uuid[], states text[], pauses interval[], errors text[]
) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog
    SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM public.job AS j WHERE j.id = ANY (ids) AND j.dedupe_key IS NOT NULL ORDER BY j.id FOR UPDATE;
    WITH done AS (
        DELETE FROM public.job AS j USING unnest(ids, leases, states, pauses) AS ended(id, lease, state, pause)
        WHERE (ended.state IS NULL OR ended.state = 'again')
            AND j.id = ANY (ids) AND j.id = ended.id AND j.lease = ended.lease
        RETURNING j.kind, j.project_id, j.payload, j.priority, j.dedupe_key,
            least(j.again_at, CASE WHEN ended.state = 'again' THEN clock_timestamp() + ended.pause END) AS due_at
    )
    INSERT INTO public.job (kind, project_id, payload, priority, dedupe_key, state, due_at)
    SELECT d.kind, d.project_id, d.payload, d.priority, d.dedupe_key,
        CASE WHEN d.due_at > clock_timestamp() THEN 'delayed' ELSE 'waiting' END, d.due_at
    FROM done AS d WHERE d.due_at IS NOT NULL;
    IF array_remove(array_remove(states, NULL), 'again') = '{}' THEN
        RETURN;
    END IF;
    WITH failed AS (
        UPDATE public.job AS j SET state = ended.state, lease = NULL, heartbeat_at = NULL, error = ended.error,
            due_at = clock_timestamp() + ended.pause, again_at = NULL,
            dead_letter_at = CASE WHEN ended.state = 'dead_letter' THEN clock_timestamp() END
        FROM unnest(ids, leases, states, pauses, errors) AS ended(id, lease, state, pause, error)
        WHERE ended.state <> 'again' AND j.id = ANY (ids) AND j.id = ended.id AND j.lease = ended.lease
        RETURNING j.kind, j.project_id, j.payload, j.priority, j.dedupe_key, ended.state, old.again_at
    )
    INSERT INTO public.job (kind, project_id, payload, priority, dedupe_key, state, due_at)
    SELECT f.kind, f.project_id, f.payload, f.priority, f.dedupe_key,
        CASE WHEN f.again_at > now() THEN 'delayed' ELSE 'waiting' END, f.again_at
    FROM failed AS f WHERE f.state = 'dead_letter' AND f.again_at IS NOT NULL;
END
$$;

GRANT EXECUTE ON FUNCTION wall.renew_jobs, wall.settle_jobs TO :runtime_role;
