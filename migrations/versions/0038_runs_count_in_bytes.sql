-- The data of runs counts towards their project's bytes: when a run starts, waits and ends.

-- The texts, plus 1 KiB for the run's own row and 256 bytes for each turn and step, for what runs take without texts.
CREATE FUNCTION wall.bytes_of_run(of_run public.run) RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog
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

CREATE FUNCTION wall.weigh_run() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    NEW.bytes := wall.bytes_of_run(NEW);
    RETURN NEW;
END
$$;

-- Counts data that is already stored, even above the quota; the next addition checks the quota.
CREATE FUNCTION wall.note_usage(project uuid, more_bytes bigint) RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE public.project_usage AS u SET bytes = u.bytes + more_bytes,
        spare_bytes = u.spare_bytes - greatest(more_bytes, 0)
    WHERE u.project_id = project AND u.slot = (
        SELECT free.slot FROM public.project_usage AS free WHERE free.project_id = project
        LIMIT 1 FOR UPDATE SKIP LOCKED
    );
    IF NOT FOUND THEN
        INSERT INTO public.project_usage (project_id, bytes, spare_documents, spare_bytes)
        SELECT p.id, more_bytes, -1, -1 FROM public.project AS p WHERE p.id = project;
    END IF;
END
$$;

CREATE FUNCTION wall.count_grown_run() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.note_usage(NEW.project_id, NEW.bytes - OLD.bytes);
    RETURN NULL;
END
$$;

CREATE FUNCTION wall.count_removed_runs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.add_usage(of_project.project_id, 0, -of_project.bytes) FROM (
        SELECT project_id, sum(bytes)::bigint AS bytes FROM removed GROUP BY project_id
    ) AS of_project;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION wall.count_run() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
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

-- Deletes a finished run of the entered project with its journal. Stored answers and continuing runs no longer refer to
-- it.
CREATE FUNCTION wall.delete_run(doomed uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    entered uuid := wall.current_project();
BEGIN
    UPDATE public.run AS r SET continues = NULL, state = r.state + 1
    WHERE r.project_id = entered AND r.continues = doomed;
    DELETE FROM public.run AS r WHERE r.project_id = entered AND r.id = doomed AND r.finished_at IS NOT NULL;
    IF FOUND THEN
        UPDATE public.idempotency_key AS i SET status = 404, headers = '{}', body = '', subjects = '{}'
        WHERE i.project_id = entered AND i.subjects @> ARRAY[doomed];
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION wall.recount_usage(project uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog
AS $$
DECLARE
    before record;
    after record;
BEGIN
    IF wall.open_scope('service:' || project::text, project) IS NULL THEN
        RETURN false;
    END IF;
    PERFORM wall.lock_exclusive(project, '');
    SELECT coalesce(sum(u.documents), 0) AS documents, coalesce(sum(u.bytes), 0) AS bytes INTO before
    FROM public.project_usage AS u WHERE u.project_id = project;
    UPDATE public.document AS d SET history_bytes = kept.bytes FROM (
        SELECT o.id, coalesce(sum(t.size), 0)::bigint AS bytes
        FROM public.document AS o
            LEFT JOIN public.document_text AS t ON t.project_id = o.project_id AND t.document_id = o.id
        WHERE o.project_id = project GROUP BY o.id
    ) AS kept WHERE d.project_id = project AND d.id = kept.id AND d.history_bytes <> kept.bytes;
    UPDATE public.run AS r SET bytes = wall.bytes_of_run(r)
    WHERE r.project_id = project AND r.bytes <> wall.bytes_of_run(r);
    DELETE FROM public.project_usage AS u WHERE u.project_id = project;
    INSERT INTO public.project_usage (project_id, documents, bytes, marked_documents, marked_bytes)
    SELECT project, count(*) FILTER (WHERE NOT found.marked), coalesce(sum(found.bytes) FILTER (WHERE NOT found.marked), 0)
        + (SELECT coalesce(sum(octet_length(k.body)), 0) FROM public.idempotency_key AS k WHERE k.project_id = project)
        + (SELECT coalesce(sum(r.bytes), 0) FROM public.run AS r WHERE r.project_id = project),
        count(*) FILTER (WHERE found.marked), coalesce(sum(found.bytes) FILTER (WHERE found.marked), 0)
    FROM (
        SELECT d.deleted_at IS NOT NULL AS marked,
            wall.bytes_of(d.size, d.original_size, d.history_bytes, d.metadata) AS bytes
        FROM public.document AS d WHERE d.project_id = project
    ) AS found
    RETURNING documents, bytes INTO after;
    RETURN before.documents <> after.documents OR before.bytes <> after.bytes;
END
$$;
