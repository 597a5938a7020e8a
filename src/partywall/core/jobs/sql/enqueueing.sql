-- How jobs get into the queue.

-- Adds jobs unless one with the same key waits already. A delayed job that is wanted sooner becomes due sooner; one
-- that runs is marked to run again.
CREATE OR REPLACE FUNCTION wall.enqueue_once(
    kinds text[], payloads jsonb[], keys text[], dues timestamptz[], priorities integer[] DEFAULT NULL
) RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog
    SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM public.job AS j WHERE j.dedupe_key = ANY (keys) AND j.state <> 'dead_letter' ORDER BY j.id FOR UPDATE;
    INSERT INTO public.job AS j (kind, project_id, payload, dedupe_key, state, due_at, priority)
    SELECT given.kind, coalesce(given.payload ->> 'project_id', '00000000-0000-0000-0000-000000000000')::uuid,
        given.payload, given.key, CASE WHEN given.due > now() THEN 'delayed' ELSE 'waiting' END, given.due,
        coalesce(given.priority, 0)
    FROM unnest(kinds, payloads, keys, dues, priorities) AS given(kind, payload, key, due, priority)
    ON CONFLICT (dedupe_key) WHERE state <> 'dead_letter' AND dedupe_key IS NOT NULL DO UPDATE SET
        state = CASE WHEN j.state = 'delayed' AND excluded.due_at <= now() THEN 'waiting' ELSE j.state END,
        due_at = CASE WHEN j.state = 'delayed' THEN excluded.due_at ELSE j.due_at END,
        again_at = CASE WHEN j.state = 'running' THEN excluded.due_at END,
        priority = greatest(j.priority, excluded.priority)
    WHERE j.state = 'delayed' AND j.attempts = 0 AND excluded.due_at < j.due_at
        OR j.state = 'running' AND (j.again_at IS NULL OR excluded.due_at < j.again_at);
    RETURN cardinality(kinds);
END
$$;

-- Passes on the first 500 requests, and returns whether any are left: more of them, or those for a locked job, of which
-- one is kept for each. One worker at a time; the others wait, and their next statement sees its jobs.
CREATE OR REPLACE FUNCTION wall.pass_requests_on() RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog
    SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    taken bigint[];
    soonest bigint[];
    wanted text[];
    free text[];
    busy text[];
    given record;
BEGIN
    IF NOT EXISTS (SELECT FROM public.job_request ORDER BY id LIMIT 1) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('partywall.job_requests', 0));
    SELECT array_agg(f.id), array_agg(f.id) FILTER (WHERE f.place = 1),
        array_agg(f.dedupe_key) FILTER (WHERE f.place = 1)
    INTO taken, soonest, wanted
    FROM (
        SELECT r.id, r.dedupe_key, row_number() OVER (PARTITION BY r.dedupe_key ORDER BY r.due_at, r.id) AS place
        FROM (SELECT * FROM public.job_request ORDER BY id LIMIT 500) AS r
    ) AS f;
    free := ARRAY(
        SELECT j.dedupe_key FROM public.job AS j WHERE j.dedupe_key = ANY (wanted) AND j.state <> 'dead_letter'
        ORDER BY j.id FOR UPDATE SKIP LOCKED
    );
    busy := ARRAY(
        SELECT j.dedupe_key FROM public.job AS j
        WHERE j.dedupe_key = ANY (wanted) AND j.state <> 'dead_letter' AND j.dedupe_key <> ALL (free)
    );
    WITH passed AS (
        DELETE FROM public.job_request AS r
        WHERE r.id = ANY (taken) AND (r.dedupe_key <> ALL (busy) OR r.id <> ALL (soonest))
        RETURNING r.id, r.kind, r.payload, r.dedupe_key, r.due_at
    )
    SELECT array_agg(p.kind) AS kinds, array_agg(p.payload) AS payloads, array_agg(p.dedupe_key) AS keys,
        array_agg(p.due_at) AS dues INTO given FROM passed AS p WHERE p.id = ANY (soonest);
    IF given.keys IS NOT NULL THEN
        PERFORM wall.enqueue_once(given.kinds, given.payloads, given.keys, given.dues);
    END IF;
    RETURN EXISTS (SELECT FROM public.job_request ORDER BY id LIMIT 1);
END
$$;

-- Enqueues a job for each schedule whose tick no other worker has fired yet. A new schedule fires at its second tick.
CREATE OR REPLACE FUNCTION wall.fire_schedules(names text[], ticks timestamptz[], as_kind text) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog
AS $$
    WITH ticked AS (
        INSERT INTO public.job_schedule AS s (name, last_tick_at)
        SELECT given.name, given.tick FROM unnest(names, ticks) AS given(name, tick) ORDER BY given.name
        ON CONFLICT (name) DO UPDATE SET last_tick_at = excluded.last_tick_at
            WHERE s.last_tick_at < excluded.last_tick_at
        RETURNING new.name, old.name IS NOT NULL AS fires
    )
    INSERT INTO public.job (kind, payload, dedupe_key)
    SELECT as_kind, jsonb_build_object('name', ticked.name), as_kind || ':' || ticked.name FROM ticked
    WHERE ticked.fires
    ON CONFLICT (dedupe_key) WHERE state <> 'dead_letter' AND dedupe_key IS NOT NULL DO NOTHING
$$;

GRANT EXECUTE ON FUNCTION wall.enqueue_once, wall.pass_requests_on, wall.fire_schedules TO :runtime_role;
