-- The previous functions.

CREATE OR REPLACE FUNCTION wall.add_usage(project uuid, more_documents bigint, more_bytes bigint) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    taken record;
BEGIN
    UPDATE public.project_usage AS u SET documents = u.documents + more_documents, bytes = u.bytes + more_bytes,
        spare_documents = u.spare_documents - more_documents, spare_bytes = u.spare_bytes - more_bytes
    WHERE u.project_id = project AND u.slot = (
        SELECT free.slot FROM public.project_usage AS free WHERE free.project_id = project
        LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING u.slot, u.spare_documents, u.spare_bytes INTO taken;
    IF NOT FOUND THEN
        INSERT INTO public.project_usage AS u (project_id, documents, bytes, spare_documents, spare_bytes)
        SELECT p.id, more_documents, more_bytes, -1, -1 FROM public.project AS p WHERE p.id = project
        RETURNING u.slot, u.spare_documents, u.spare_bytes INTO taken;
    END IF;
    IF taken.spare_documents < 0 AND more_documents > 0 OR taken.spare_bytes < 0 AND more_bytes > 0 THEN
        PERFORM wall.require_room(project, taken.slot, more_documents, more_bytes);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION wall.require_room(project uuid, taken bigint, more_documents bigint, more_bytes bigint) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    stored record;
    most_documents numeric := wall.quota_of(project, 'documents');
    most_bytes numeric := wall.quota_of(project, 'bytes');
BEGIN
    SELECT sum(u.documents) AS documents, sum(u.bytes) AS bytes INTO stored
    FROM public.project_usage AS u WHERE u.project_id = project;
    IF more_documents > 0 THEN
        PERFORM wall.require_quota('documents', stored.documents, more_documents, most_documents, true);
    END IF;
    IF more_bytes > 0 THEN
        PERFORM wall.require_quota('bytes', stored.bytes, more_bytes, most_bytes, true);
    END IF;
    UPDATE public.project_usage AS u SET
        spare_documents = greatest(0, least(50, coalesce(div(most_documents - stored.documents, 1000), 50))),
        spare_bytes = greatest(0, least(4194304, coalesce(div(most_bytes - stored.bytes, 1000), 4194304)))
    WHERE u.project_id = project AND u.slot = taken;
END
$$;

CREATE OR REPLACE FUNCTION wall.count_removed_documents() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    of_project record;
BEGIN
    FOR of_project IN
        SELECT project_id, count(*) AS documents,
            sum(wall.bytes_of(size, original_size, history_bytes, metadata))::bigint AS bytes
        FROM removed WHERE deleted_at IS NULL GROUP BY project_id
    LOOP
        PERFORM wall.add_usage(of_project.project_id, -of_project.documents, -of_project.bytes);
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION wall.count_changed_document() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    more_documents bigint := (NEW.deleted_at IS NULL)::integer - (OLD.deleted_at IS NULL)::integer;
    more_bytes bigint := 0;
BEGIN
    IF NEW.deleted_at IS NULL THEN
        more_bytes := wall.bytes_of(NEW.size, NEW.original_size, NEW.history_bytes, NEW.metadata);
    END IF;
    IF OLD.deleted_at IS NULL THEN
        more_bytes := more_bytes - wall.bytes_of(OLD.size, OLD.original_size, OLD.history_bytes, OLD.metadata);
    END IF;
    IF more_documents <> 0 OR more_bytes <> 0 THEN
        PERFORM wall.add_usage(NEW.project_id, more_documents, more_bytes);
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION wall.limit_projects() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    most numeric := wall.quota_of_account(NEW.account_id, 'projects');
BEGIN
    IF most IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM FROM public.account AS a WHERE a.id = NEW.account_id FOR NO KEY UPDATE;
    PERFORM wall.require_quota('projects', (
        SELECT count(*) FROM public.project_member AS m WHERE m.account_id = NEW.account_id AND m.role = 'owner'
    ), 1, most, NEW.account_id IS NOT DISTINCT FROM wall.current_user_id());
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
    INSERT INTO public.project_usage (project_id, documents, bytes)
    SELECT project, count(*), coalesce(sum(wall.bytes_of(d.size, d.original_size, d.history_bytes, d.metadata)), 0)
        + (SELECT coalesce(sum(octet_length(k.body)), 0) FROM public.idempotency_key AS k WHERE k.project_id = project)
    FROM public.document AS d WHERE d.project_id = project AND d.deleted_at IS NULL
    RETURNING documents, bytes INTO after;
    RETURN before.documents <> after.documents OR before.bytes <> after.bytes;
END
$$;

CREATE OR REPLACE FUNCTION wall.delete_project(doomed uuid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
BEGIN
    IF wall.current_project() IS DISTINCT FROM doomed OR wall.person_role() IS DISTINCT FROM 'owner' THEN
        RETURN false;
    END IF;
    UPDATE public.project AS p SET deleted_at = now(), name = '', description = NULL
    WHERE p.id = doomed AND p.deleted_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM public.webhook_progress AS w WHERE w.project_id = doomed;
    DELETE FROM public.invitation AS i WHERE i.project_id = doomed;
    DELETE FROM public.api_key AS k WHERE k.project_id = doomed;
    DELETE FROM public.project_member AS m WHERE m.project_id = doomed;
    -- An answer outside of the project that created or contains it: the key remains used, and a repetition gets 404.
    UPDATE public.idempotency_key AS i SET status = 404, headers = '{}', body = '', subjects = '{}'
    WHERE i.subjects @> ARRAY[doomed];
    RETURN true;
END
$$;
