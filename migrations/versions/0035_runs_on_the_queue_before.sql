-- As in 0020, 0025 and 0031. Runs get their slots, and with them their jobs, at the next look.
DROP FUNCTION wall.enqueue_once(text[], jsonb[], text[], timestamptz[], integer[]);
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

CREATE OR REPLACE FUNCTION wall.claim_limited_jobs(
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

DELETE FROM job WHERE kind = 'run_agent' AND state <> 'dead_letter';
UPDATE job SET dedupe_key = NULL WHERE kind = 'run_agent';
ALTER TABLE run ADD COLUMN admitted boolean DEFAULT false NOT NULL, ADD COLUMN job_id bigint;
CREATE INDEX run_admitted_idx ON run (project_id) WHERE admitted;
ALTER TABLE run NO FORCE ROW LEVEL SECURITY;
UPDATE run SET status = 'queued' WHERE status = 'running';
ALTER TABLE run FORCE ROW LEVEL SECURITY;

CREATE FUNCTION wall.admit_runs(of_project uuid, each_project integer, each_account integer)
    RETURNS TABLE (project_id uuid, run_id uuid, principal text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog
AS $$
#variable_conflict use_column
BEGIN
    IF of_project IS DISTINCT FROM wall.current_project() THEN
        RETURN;
    END IF;
    PERFORM wall.lock_run_admission();
    RETURN QUERY
    WITH mine AS MATERIALIZED (
        SELECT mine.id FROM wall.projects_for_account_of(of_project) AS mine(id)
    ), taken AS MATERIALIZED (
        SELECT r.project_id, count(*) AS places FROM mine JOIN public.run AS r ON r.project_id = mine.id
        WHERE r.admitted GROUP BY r.project_id
    ), waiting AS (
        SELECT r.project_id, r.id, r.created_at,
            row_number() OVER (PARTITION BY r.project_id ORDER BY r.created_at, r.id)
                + coalesce(taken.places, 0) AS place
        FROM mine JOIN public.run AS r ON r.project_id = mine.id
            LEFT JOIN taken ON taken.project_id = r.project_id
        WHERE r.status = 'queued' AND NOT r.admitted AND (r.retry_at IS NULL OR r.retry_at <= now())
    ), next AS (
        SELECT waiting.project_id, waiting.id FROM waiting WHERE waiting.place <= each_project
        ORDER BY waiting.place, waiting.created_at, waiting.id
        LIMIT greatest(0, each_account - (SELECT coalesce(sum(taken.places), 0) FROM taken))
    ), free AS (
        SELECT r.project_id, r.id FROM next JOIN public.run AS r ON r.project_id = next.project_id AND r.id = next.id
        WHERE r.status = 'queued' AND NOT r.admitted
        FOR UPDATE OF r SKIP LOCKED
    )
    UPDATE public.run AS admitted SET admitted = true FROM free
    WHERE admitted.project_id = free.project_id AND admitted.id = free.id
    RETURNING admitted.project_id, admitted.id, admitted.principal;
END
$$;

CREATE FUNCTION wall.projects_with_waiting_runs() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    SELECT DISTINCT ON (wall.owner_account(waiting.project_id)) waiting.project_id
    FROM (SELECT DISTINCT r.project_id FROM public.run AS r WHERE r.status = 'queued' AND NOT r.admitted AND (r.retry_at IS NULL OR r.retry_at <= now())) AS waiting
$$;
