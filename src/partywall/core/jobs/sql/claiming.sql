-- How workers take jobs: fairly between projects, within limits per project and account, each with a lease. Plans must
-- not read the whole table, even if it was small when they were made: hence the settings.

-- The account for which the jobs of a project count.
CREATE OR REPLACE FUNCTION wall.account_of_jobs(project uuid) RETURNS uuid
    LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$ SELECT coalesce(wall.owner_account(project), project) $$;

-- For each kind, up to `each` projects with waiting jobs, from `start` on, without those that have reached a limit;
-- then one row with the time until the next delayed job is due and the next lease is lost. Makes due jobs waiting.
CREATE OR REPLACE FUNCTION wall.job_lines(
    kinds text[], starts uuid[], each integer, silent interval, of_project integer[], of_account integer[]
) RETURNS TABLE (kind text, project_id uuid, account_id uuid, due_in interval, lost_in interval)
    LANGUAGE plpgsql SET search_path = pg_catalog
    SET enable_seqscan = off SET enable_bitmapscan = off
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

-- Leases the first `counts` waiting jobs of each kind and project. Skips jobs that are locked.
CREATE OR REPLACE FUNCTION wall.claim_jobs(kinds text[], projects uuid[], counts integer[], with_lease uuid)
    RETURNS TABLE (
        id bigint, kind text, project_id uuid, account_id uuid, payload text, attempts integer, lease uuid
    )
    LANGUAGE plpgsql SET search_path = pg_catalog
    SET enable_seqscan = off SET enable_bitmapscan = off
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

-- Like `claim_jobs`, for kinds with a limit per project and account. A lock per kind and account makes the count exact.
CREATE OR REPLACE FUNCTION wall.claim_limited_jobs(
    kinds text[], projects uuid[], counts integer[], of_project integer[], of_account integer[], with_lease uuid
) RETURNS TABLE (
    id bigint, kind text, project_id uuid, account_id uuid, payload text, attempts integer, lease uuid
)
    LANGUAGE plpgsql SET search_path = pg_catalog
    SET enable_seqscan = off SET enable_bitmapscan = off
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

-- Leases one job whose worker has been silent for too long. One at a time, because the job may have killed the worker.
CREATE OR REPLACE FUNCTION wall.claim_lost_job(kinds text[], silent interval, held bigint[], with_lease uuid)
    RETURNS TABLE (
        id bigint, kind text, project_id uuid, account_id uuid, payload text, attempts integer, lease uuid
    )
    LANGUAGE plpgsql SET search_path = pg_catalog
    SET enable_seqscan = off SET enable_bitmapscan = off
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

GRANT EXECUTE ON FUNCTION wall.account_of_jobs, wall.job_lines, wall.claim_jobs, wall.claim_limited_jobs,
    wall.claim_lost_job TO :runtime_role;
