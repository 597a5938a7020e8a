-- Set if a running job must run once more, because it may already have read what is now requested.
ALTER TABLE job ADD COLUMN again_at timestamptz;

-- Enqueues jobs, one at a time for each key, none before its due time. A waiting job stays as it is, a delayed one
-- becomes due at the earlier time, unless it pauses after a failed attempt, and a running one runs again. The rows stay
-- locked until the commit, so no worker ends or begins one of them meanwhile; all callers lock in the same order.
CREATE FUNCTION wall.enqueue_once(kinds text[], payloads jsonb[], keys text[], dues timestamptz[]) RETURNS integer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM public.job AS j WHERE j.dedupe_key = ANY (keys) AND j.state <> 'dead_letter' ORDER BY j.id FOR UPDATE;
    INSERT INTO public.job AS j (kind, project_id, payload, dedupe_key, state, due_at)
    SELECT given.kind, coalesce(given.payload ->> 'project_id', '00000000-0000-0000-0000-000000000000')::uuid,
        given.payload, given.key, CASE WHEN given.due > now() THEN 'delayed' ELSE 'waiting' END, given.due
    FROM unnest(kinds, payloads, keys, dues) AS given(kind, payload, key, due)
    ON CONFLICT (dedupe_key) WHERE state <> 'dead_letter' AND dedupe_key IS NOT NULL DO UPDATE SET
        state = CASE WHEN j.state = 'delayed' AND excluded.due_at <= now() THEN 'waiting' ELSE j.state END,
        due_at = CASE WHEN j.state = 'delayed' THEN excluded.due_at ELSE j.due_at END,
        again_at = CASE WHEN j.state = 'running' THEN excluded.due_at END
    WHERE j.state = 'delayed' AND j.attempts = 0 AND excluded.due_at < j.due_at
        OR j.state = 'running' AND (j.again_at IS NULL OR excluded.due_at < j.again_at);
    RETURN cardinality(kinds);
END
$$;

-- Requests for the same jobs by transactions that must not wait: the table is append-only, and the next look for jobs
-- passes the requests on.
CREATE TABLE job_request (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT job_request_pkey PRIMARY KEY,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    dedupe_key text NOT NULL,
    due_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_insert_threshold = -1);

-- Passes on the first 500 requests, and returns whether any are left: more of them, or those for a locked job, of which
-- one is kept for each. One worker at a time; the others wait, and their next statement sees its jobs.
CREATE FUNCTION wall.pass_requests_on() RETURNS boolean LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
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
    SELECT array_agg(f.id), array_agg(f.id) FILTER (WHERE f.place = 1), array_agg(f.dedupe_key) FILTER (WHERE f.place = 1)
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

-- The account for which the jobs of a project count.
CREATE FUNCTION wall.account_of_jobs(project uuid) RETURNS uuid LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$ SELECT coalesce(wall.owner_account(project), project) $$;

-- Finds the projects with waiting jobs: each index step leads to the next project. Sets due jobs to waiting. For a kind
-- with limits, it skips projects that have reached the limit of running jobs, in the project or over all projects of
-- the account. The last row has no project; it says when the next job is due and when the next one counts as lost.
-- Passes on requests first.
DROP FUNCTION wall.job_lines(text[], uuid[], integer, interval);
CREATE FUNCTION wall.job_lines(
    kinds text[], starts uuid[], each integer, silent interval, of_project integer[], of_account integer[]
) RETURNS TABLE (kind text, project_id uuid, account_id uuid, due_in interval, lost_in interval)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    is_left boolean := wall.pass_requests_on();
BEGIN
    UPDATE public.job SET state = 'waiting' WHERE id = ANY (ARRAY(
        SELECT id FROM public.job WHERE state = 'delayed' AND due_at <= now()
        ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED
    ));
    RETURN QUERY
    WITH busy AS MATERIALIZED (
        SELECT at_work.kind, at_work.project_id, wall.account_of_jobs(at_work.project_id) AS account_id, at_work.jobs
        FROM (
            SELECT j.kind, j.project_id, count(*) AS jobs FROM public.job AS j
            WHERE array_remove(of_account, NULL) <> '{}' AND j.state = 'running' AND j.kind = ANY (kinds)
            GROUP BY j.kind, j.project_id
        ) AS at_work
    )
    SELECT asked.kind, found.project, found.account, NULL::interval, NULL::interval
    FROM unnest(kinds, starts, of_project, of_account) AS asked(kind, start, of_project, of_account), LATERAL (
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
        SELECT line.project, owner.account
        FROM line, LATERAL (SELECT wall.account_of_jobs(line.project) AS account OFFSET 0) AS owner
        WHERE line.project IS NOT NULL AND (asked.of_account IS NULL OR NOT EXISTS (
            SELECT FROM busy AS b WHERE b.kind = asked.kind
            HAVING sum(b.jobs) FILTER (WHERE b.project_id = line.project) >= asked.of_project
                OR sum(b.jobs) FILTER (WHERE b.account_id = owner.account) >= asked.of_account
        ))
        LIMIT each
    ) AS found;
    RETURN QUERY SELECT NULL::text, NULL::uuid, NULL::uuid, least(
            (SELECT j.due_at FROM public.job AS j WHERE j.state = 'delayed' ORDER BY j.due_at LIMIT 1)
                - clock_timestamp(),
            CASE WHEN is_left THEN interval '50 ms' END
        ),
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
        heartbeat_at = clock_timestamp(), again_at = NULL
    WHERE j.id = ANY (ARRAY(SELECT taken.id FROM taken))
    RETURNING j.id, j.kind, j.project_id, wall.owner_account(j.project_id), j.payload::text, j.attempts, j.lease;
END
$$;

-- The same for kinds with a limit of running jobs, over all workers, in the project and in all projects of its account.
-- One worker at a time claims for an account, and counts after it has the lock; lost jobs count until they have ended.
CREATE FUNCTION wall.claim_limited_jobs(
    kinds text[], projects uuid[], counts integer[], of_project integer[], of_account integer[], with_lease uuid
) RETURNS TABLE (
    id bigint, kind text, project_id uuid, account_id uuid, payload text, attempts integer, lease uuid
) LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(named.lock, 0)) FROM (
        SELECT DISTINCT 'partywall.jobs ' || line.kind || ' ' || wall.account_of_jobs(line.project) AS lock
        FROM unnest(kinds, projects) AS line(kind, project) ORDER BY 1
    ) AS named;
    FOR number IN 1 .. cardinality(kinds) LOOP
        RETURN QUERY SELECT taken.* FROM (
            SELECT count(*) AS in_account, count(*) FILTER (WHERE j.project_id = projects[number]) AS in_project
            FROM public.job AS j
            WHERE j.state = 'running' AND j.kind = kinds[number]
                AND wall.account_of_jobs(j.project_id) = wall.account_of_jobs(projects[number])
        ) AS busy, LATERAL wall.claim_jobs(
            kinds[number:number], projects[number:number], ARRAY[greatest(0, least(
                counts[number], of_project[number] - busy.in_project, of_account[number] - busy.in_account
            ))::integer], with_lease
        ) AS taken;
    END LOOP;
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
        heartbeat_at = clock_timestamp(), again_at = NULL
    WHERE j.id = ANY (ARRAY(SELECT taken.id FROM taken))
    RETURNING j.id, j.kind, j.project_id, wall.owner_account(j.project_id), j.payload::text, j.attempts, j.lease;
END
$$;

-- Stores the result of an attempt. Jobs without a state are done, unless they were requested again meanwhile; those
-- with the state `again` run once more after a pause. In both cases a new job replaces the old one, at the end of its
-- queue. A job that pauses after a failure keeps its pause: its next attempt does what was requested. Jobs with a lost
-- lease are not changed.
CREATE OR REPLACE FUNCTION wall.settle_jobs(
    ids bigint[], leases uuid[], states text[], pauses interval[], errors text[]
) RETURNS void LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
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

-- Renews the worker's leases, so that no other worker takes its jobs.
CREATE OR REPLACE FUNCTION wall.renew_jobs(ids bigint[], leases uuid[]) RETURNS void LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM public.job AS j WHERE j.id = ANY (ids) AND j.dedupe_key IS NOT NULL ORDER BY j.id FOR UPDATE;
    UPDATE public.job AS j SET heartbeat_at = clock_timestamp() FROM unnest(ids, leases) AS held(id, lease)
    WHERE j.id = ANY (ids) AND j.id = held.id AND j.lease = held.lease;
END
$$;
