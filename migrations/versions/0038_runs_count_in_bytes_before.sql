-- As before: the data of runs counts towards no quota of bytes.

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
    RETURN NULL;
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
    DELETE FROM public.project_usage AS u WHERE u.project_id = project;
    INSERT INTO public.project_usage (project_id, documents, bytes, marked_documents, marked_bytes)
    SELECT project, count(*) FILTER (WHERE NOT found.marked), coalesce(sum(found.bytes) FILTER (WHERE NOT found.marked), 0)
        + (SELECT coalesce(sum(octet_length(k.body)), 0) FROM public.idempotency_key AS k WHERE k.project_id = project),
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
