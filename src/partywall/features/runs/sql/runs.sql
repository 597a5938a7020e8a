-- Runs: admission, deletion and the bytes that they take.

-- Admissions of one account wait for each other, so that its limit is exact.
CREATE OR REPLACE FUNCTION wall.lock_run_admission() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog
AS $$
    SELECT pg_advisory_xact_lock(
        hashtextextended('partywall.runs ' || wall.owner_account(wall.current_project())::text, 0)
    )
$$;

-- The number of runs that are not over, of the bound project and of all projects of its account.
CREATE OR REPLACE FUNCTION wall.open_runs(project uuid) RETURNS TABLE (of_project bigint, of_account bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT count(*) FILTER (WHERE r.project_id = project), count(*)
    FROM wall.projects_for_account_of(project) AS mine(id) JOIN public.run AS r ON r.project_id = mine.id
    WHERE r.status IN ('queued', 'running', 'waiting')
    HAVING project = wall.current_project()
$$;

-- The bytes of a run with its journal, as they count towards the quota.
CREATE OR REPLACE FUNCTION wall.bytes_of_run(of_run public.run) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
    SELECT 1024 + octet_length(of_run.input::text) + coalesce(octet_length(of_run.output::text), 0)
        + coalesce(octet_length(of_run.pending::text), 0) + coalesce(octet_length(of_run.error_detail), 0)
        + (SELECT coalesce(sum(256 + octet_length(t.messages::text) + coalesce(octet_length(t.pending::text), 0)
                + coalesce(octet_length(t.decision::text), 0)), 0)
            FROM public.run_turn AS t WHERE t.project_id = of_run.project_id AND t.run_id = of_run.id)
        + (SELECT coalesce(sum(256 + coalesce(octet_length(s.result::text), 0)
                + coalesce(octet_length(s.effect::text), 0)), 0)
            FROM public.run_step AS s WHERE s.project_id = of_run.project_id AND s.run_id = of_run.id)
$$;

-- Measures a run when it starts and whenever it stops.
CREATE OR REPLACE FUNCTION wall.weigh_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    NEW.bytes := wall.bytes_of_run(NEW);
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER run_weighed BEFORE UPDATE OF status ON run
    FOR EACH ROW WHEN (NEW.status IN ('waiting', 'succeeded', 'failed', 'cancelled')) EXECUTE FUNCTION wall.weigh_run();
CREATE OR REPLACE TRIGGER run_weighed_first BEFORE INSERT ON run FOR EACH ROW EXECUTE FUNCTION wall.weigh_run();

-- Checks the monthly quota of runs, and adds the new run's bytes to the usage.
CREATE OR REPLACE FUNCTION wall.count_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    started bigint;
BEGIN
    INSERT INTO public.agent_usage AS used (project_id, month, runs)
    VALUES (NEW.project_id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, 1)
    ON CONFLICT (project_id, month) DO UPDATE SET runs = used.runs + 1
    RETURNING used.runs INTO started;
    PERFORM wall.require_quota('runs', started, 1, wall.quota_of(NEW.project_id, 'runs'), true);
    PERFORM wall.add_usage(NEW.project_id, 0, NEW.bytes);
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER run_added AFTER INSERT ON run FOR EACH ROW EXECUTE FUNCTION wall.count_run();

-- Adds what a run has grown by to the usage, even above the quota, so that it can end.
CREATE OR REPLACE FUNCTION wall.count_grown_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.note_usage(NEW.project_id, NEW.bytes - OLD.bytes);
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER run_grown AFTER UPDATE OF status ON run
    FOR EACH ROW WHEN (NEW.bytes <> OLD.bytes) EXECUTE FUNCTION wall.count_grown_run();

-- Subtracts removed runs from the usage.
CREATE OR REPLACE FUNCTION wall.count_removed_runs() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.add_usage(of_project.project_id, 0, -of_project.bytes) FROM (
        SELECT project_id, sum(bytes)::bigint AS bytes FROM removed GROUP BY project_id
    ) AS of_project;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER run_removed AFTER DELETE ON run
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION wall.count_removed_runs();

-- Deletes a finished run of the bound project with its journal. Stored answers and continuing runs no longer refer to
-- it.
CREATE OR REPLACE FUNCTION wall.delete_run(target_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    opened uuid := wall.current_project();
BEGIN
    UPDATE public.run AS r SET continues = NULL, state = r.state + 1
    WHERE r.project_id = opened AND r.continues = target_id;
    DELETE FROM public.run AS r WHERE r.project_id = opened AND r.id = target_id AND r.finished_at IS NOT NULL;
    IF FOUND THEN
        UPDATE public.idempotency_key AS i SET status = 404, headers = '{}', body = '', subjects = '{}'
        WHERE i.project_id = opened AND i.subjects @> ARRAY[target_id];
    END IF;
END
$$;

GRANT EXECUTE ON FUNCTION wall.lock_run_admission, wall.open_runs, wall.delete_run TO :runtime_role;
