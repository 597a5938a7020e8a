-- As in 0031, with the priority among the jobs of the same kind and project.
DROP FUNCTION wall.enqueue_once(text[], jsonb[], text[], timestamptz[]);
CREATE FUNCTION wall.enqueue_once(
    kinds text[], payloads jsonb[], keys text[], dues timestamptz[], priorities integer[] DEFAULT NULL
) RETURNS integer LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM public.job AS j WHERE j.dedupe_key = ANY (keys) AND j.state <> 'parked' ORDER BY j.id FOR UPDATE;
    INSERT INTO public.job AS j (kind, project_id, payload, dedupe_key, state, due_at, priority)
    SELECT given.kind, coalesce(given.payload ->> 'project_id', '00000000-0000-0000-0000-000000000000')::uuid,
        given.payload, given.key, CASE WHEN given.due > now() THEN 'delayed' ELSE 'waiting' END, given.due,
        coalesce(given.priority, 0)
    FROM unnest(kinds, payloads, keys, dues, priorities) AS given(kind, payload, key, due, priority)
    ON CONFLICT (dedupe_key) WHERE state <> 'parked' AND dedupe_key IS NOT NULL DO UPDATE SET
        state = CASE WHEN j.state = 'delayed' AND excluded.due_at <= now() THEN 'waiting' ELSE j.state END,
        due_at = CASE WHEN j.state = 'delayed' THEN excluded.due_at ELSE j.due_at END,
        again_at = CASE WHEN j.state = 'running' THEN excluded.due_at END,
        priority = greatest(j.priority, excluded.priority)
    WHERE j.state = 'delayed' AND j.attempts = 0 AND excluded.due_at < j.due_at
        OR j.state = 'running' AND (j.again_at IS NULL OR excluded.due_at < j.again_at);
    RETURN cardinality(kinds);
END
$$;

-- One job for each run that a worker has to do something for: that which works on it, or a new one.
UPDATE job SET dedupe_key = 'run_agent:' || (payload ->> 'run_id') WHERE kind = 'run_agent' AND state = 'parked';
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
ON CONFLICT (dedupe_key) WHERE state <> 'parked' AND dedupe_key IS NOT NULL DO NOTHING;
ALTER TABLE run FORCE ROW LEVEL SECURITY;

DELETE FROM job WHERE kind = 'scheduled_run' AND payload ->> 'name' = 'admit_waiting_runs';
DELETE FROM job_schedule WHERE name = 'admit_waiting_runs';
DROP FUNCTION wall.admit_runs(uuid, integer, integer);
DROP FUNCTION wall.projects_with_waiting_runs();
DROP INDEX run_admitted_idx;
ALTER TABLE run DROP COLUMN admitted, DROP COLUMN job_id;
