-- As in 0031, with the priority among the jobs of the same kind and project.
DROP FUNCTION wall.enqueue_once(text[], jsonb[], text[], timestamptz[]);
CREATE FUNCTION wall.enqueue_once(
    kinds text[], payloads jsonb[], keys text[], dues timestamptz[], priorities integer[] DEFAULT NULL
) RETURNS integer LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
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

-- As in 0031, but reached limits are computed once per look, and once for all projects that jobs are claimed from.
CREATE OR REPLACE FUNCTION wall.job_lines(
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
        SELECT at_work.kind, at_work.project_id, wall.account_of_jobs(at_work.project_id) AS account_id, at_work.jobs,
            asked.of_project, asked.of_account
        FROM (
            SELECT j.kind, j.project_id, count(*) AS jobs FROM public.job AS j
            WHERE j.state = 'running' AND j.kind = ANY (ARRAY(
                SELECT asked.kind FROM unnest(kinds, of_account) AS asked(kind, of_account)
                WHERE asked.of_account IS NOT NULL
            ))
            GROUP BY j.kind, j.project_id
        ) AS at_work JOIN unnest(kinds, of_project, of_account) AS asked(kind, of_project, of_account)
            ON asked.kind = at_work.kind
    ), full_project AS MATERIALIZED (
        SELECT b.kind, b.project_id FROM busy AS b WHERE b.jobs >= b.of_project
    ), full_account AS MATERIALIZED (
        SELECT b.kind, b.account_id FROM busy AS b GROUP BY b.kind, b.account_id, b.of_account
        HAVING sum(b.jobs) >= b.of_account
    )
    SELECT asked.kind, found.project, found.account, NULL::interval, NULL::interval
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
        SELECT line.project, owner.account
        FROM line, LATERAL (
            SELECT coalesce(wall.owner_account(line.project), line.project) AS account OFFSET 0
        ) AS owner
        WHERE line.project IS NOT NULL
            AND (asked.kind, line.project) NOT IN (SELECT f.kind, f.project_id FROM full_project AS f)
            AND (asked.kind, owner.account) NOT IN (SELECT f.kind, f.account_id FROM full_account AS f)
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

CREATE OR REPLACE FUNCTION wall.claim_limited_jobs(
    kinds text[], projects uuid[], counts integer[], of_project integer[], of_account integer[], with_lease uuid
) RETURNS TABLE (
    id bigint, kind text, project_id uuid, account_id uuid, payload text, attempts integer, lease uuid
) LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    accounts uuid[] := ARRAY(
        SELECT wall.account_of_jobs(line.project) FROM unnest(projects) WITH ORDINALITY AS line(project, place)
        ORDER BY line.place
    );
    in_project bigint[];
    in_account bigint[];
    granted integer[] := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(named.lock, 0)) FROM (
        SELECT DISTINCT 'partywall.jobs ' || line.kind || ' ' || line.account AS lock
        FROM unnest(kinds, accounts) AS line(kind, account) ORDER BY 1
    ) AS named;
    WITH busy AS MATERIALIZED (
        SELECT at_work.kind, at_work.project_id, wall.account_of_jobs(at_work.project_id) AS account_id, at_work.jobs
        FROM (
            SELECT j.kind, j.project_id, count(*) AS jobs FROM public.job AS j
            WHERE j.state = 'running' AND j.kind = ANY (kinds) GROUP BY j.kind, j.project_id
        ) AS at_work
    )
    SELECT array_agg(counted.in_project ORDER BY line.place), array_agg(counted.in_account ORDER BY line.place)
    INTO in_project, in_account
    FROM unnest(kinds, projects, accounts) WITH ORDINALITY AS line(kind, project, account, place), LATERAL (
        SELECT coalesce(sum(b.jobs) FILTER (WHERE b.project_id = line.project), 0) AS in_project,
            coalesce(sum(b.jobs), 0) AS in_account
        FROM busy AS b WHERE b.kind = line.kind AND b.account_id = line.account
    ) AS counted;
    FOR number IN 1 .. cardinality(kinds) LOOP
        granted[number] := greatest(0, least(
            counts[number], of_project[number] - in_project[number], of_account[number] - in_account[number]
        ));
        FOR later IN number + 1 .. cardinality(kinds) LOOP
            IF kinds[later] = kinds[number] AND accounts[later] = accounts[number] THEN
                in_account[later] := in_account[later] + granted[number];
            END IF;
        END LOOP;
    END LOOP;
    RETURN QUERY SELECT * FROM wall.claim_jobs(kinds, projects, granted, with_lease);
END
$$;

-- One job for each run that needs a worker: the job that works on it, or a new one.
UPDATE job SET dedupe_key = 'run_agent:' || (payload ->> 'run_id') WHERE kind = 'run_agent' AND state = 'dead_letter';
DELETE FROM job WHERE kind = 'run_agent' AND state IN ('waiting', 'delayed');
DELETE FROM job AS j WHERE j.kind = 'run_agent' AND j.state = 'running' AND EXISTS (
    SELECT FROM job AS later
    WHERE later.kind = 'run_agent' AND later.state = 'running' AND later.id > j.id
        AND later.payload ->> 'run_id' = j.payload ->> 'run_id'
);
UPDATE job SET dedupe_key = 'run_agent:' || (payload ->> 'run_id') WHERE kind = 'run_agent' AND state = 'running';
ALTER TABLE run NO FORCE ROW LEVEL SECURITY;
INSERT INTO job (kind, project_id, payload, priority, dedupe_key, state, due_at)
SELECT 'run_agent', r.project_id,
    jsonb_strip_nulls(jsonb_build_object(
        'project_id', r.project_id, 'principal', r.principal, 'run_id', r.id, 'request_id', r.request_id
    )),
    (r.turn > 1)::integer, 'run_agent:' || r.id, CASE WHEN r.retry_at > now() THEN 'delayed' ELSE 'waiting' END,
    coalesce(r.retry_at, now())
FROM run AS r WHERE r.status IN ('queued', 'running') ORDER BY r.created_at, r.id
ON CONFLICT (dedupe_key) WHERE state <> 'dead_letter' AND dedupe_key IS NOT NULL DO NOTHING;
ALTER TABLE run FORCE ROW LEVEL SECURITY;

DELETE FROM job WHERE kind = 'scheduled_run' AND payload ->> 'name' = 'admit_waiting_runs';
DELETE FROM job_schedule WHERE name = 'admit_waiting_runs';
DROP FUNCTION wall.admit_runs(uuid, integer, integer);
DROP FUNCTION wall.projects_with_waiting_runs();
DROP INDEX run_admitted_idx;
ALTER TABLE run DROP COLUMN admitted, DROP COLUMN job_id;
