-- As in 0020, 0025 and 0031. Runs get their places, and with them their jobs, at the next look.
DROP FUNCTION wall.enqueue_once(text[], jsonb[], text[], timestamptz[], integer[]);
CREATE FUNCTION wall.enqueue_once(kinds text[], payloads jsonb[], keys text[], dues timestamptz[]) RETURNS integer
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM public.job AS j WHERE j.dedupe_key = ANY (keys) AND j.state <> 'parked' ORDER BY j.id FOR UPDATE;
    INSERT INTO public.job AS j (kind, project_id, payload, dedupe_key, state, due_at)
    SELECT given.kind, coalesce(given.payload ->> 'project_id', '00000000-0000-0000-0000-000000000000')::uuid,
        given.payload, given.key, CASE WHEN given.due > now() THEN 'delayed' ELSE 'waiting' END, given.due
    FROM unnest(kinds, payloads, keys, dues) AS given(kind, payload, key, due)
    ON CONFLICT (dedupe_key) WHERE state <> 'parked' AND dedupe_key IS NOT NULL DO UPDATE SET
        state = CASE WHEN j.state = 'delayed' AND excluded.due_at <= now() THEN 'waiting' ELSE j.state END,
        due_at = CASE WHEN j.state = 'delayed' THEN excluded.due_at ELSE j.due_at END,
        again_at = CASE WHEN j.state = 'running' THEN excluded.due_at END
    WHERE j.state = 'delayed' AND j.attempts = 0 AND excluded.due_at < j.due_at
        OR j.state = 'running' AND (j.again_at IS NULL OR excluded.due_at < j.again_at);
    RETURN cardinality(kinds);
END
$$;

DELETE FROM job WHERE kind = 'run_agent' AND state <> 'parked';
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
