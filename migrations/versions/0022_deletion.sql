-- Deletes in two steps: a short transaction marks rows, and a job purges them in batches.

-- Deletes the entered project for all users; only an owner may call it. The caller has locked the project, and so
-- waited for its writers. Everything that grants access is deleted with the mark, so that reads need not check for it.
CREATE FUNCTION wall.delete_project(doomed uuid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
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

-- Deletes some rows of a marked project: from the first table that has any, at most `most` (ten times as many small
-- rows), and up to the given bytes. Returns their number; 0 when none is left, null for a project that is not marked.
-- One call at a time; it locks the event counter before the events, as pruning does.
CREATE FUNCTION wall.purge_project(doomed uuid, most integer, bytes bigint) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    marked boolean;
    part record;
    removed bigint;
BEGIN
    SELECT p.deleted_at IS NOT NULL INTO marked FROM public.project AS p WHERE p.id = doomed;
    IF marked IS NULL THEN
        RETURN 0;
    ELSIF NOT marked THEN
        RETURN NULL;
    END IF;
    PERFORM FROM public.project AS p WHERE p.id = doomed FOR UPDATE;
    PERFORM FROM public.event_counter AS c WHERE c.project_id = doomed FOR UPDATE;
    FOR part IN SELECT * FROM (VALUES
        ('search_statistic', 1, '0'), ('posting', 10, '0'),
        ('embedding_256', 1, '0'), ('embedding_384', 1, '0'), ('embedding_768', 1, '0'),
        ('embedding_1024', 1, '0'), ('embedding_1536', 1, '0'), ('embedding_3072', 1, '0'),
        ('chunk', 1, '0'), ('document_version', 1, '0'),
        ('document_text', 1, 'size'), ('document', 1, 'size'), ('search_index', 1, '0'),
        ('webhook_delivery', 1, '0'), ('webhook', 1, '0'),
        ('run_step', 1, 'coalesce(pg_column_size(result), 0) + coalesce(pg_column_size(effect), 0)'),
        ('run_turn', 1, 'pg_column_size(messages)'),
        ('run', 1, 'pg_column_size(input) + coalesce(pg_column_size(output), 0)'),
        ('event', 1, 'pg_column_size(data)'), ('idempotency_key', 1, 'pg_column_size(body)')
    ) AS parts (name, times, weight) LOOP
        EXECUTE format($batch$
            DELETE FROM public.%1$I WHERE ctid = ANY (ARRAY(
                SELECT counted.place FROM (
                    SELECT chosen.place, sum(chosen.weight) OVER (ROWS UNBOUNDED PRECEDING) - chosen.weight AS before
                    FROM (SELECT ctid AS place, %2$s AS weight FROM public.%1$I WHERE project_id = $1 LIMIT $2) AS chosen
                ) AS counted WHERE counted.before < $3
            ))
        $batch$, part.name, part.weight) USING doomed, most * part.times, bytes;
        GET DIAGNOSTICS removed = ROW_COUNT;
        IF removed > 0 THEN
            RETURN removed;
        END IF;
    END LOOP;
    RETURN 0;
END
$$;

-- Deletes the last row of a marked project; only single rows are left to cascade to.
CREATE FUNCTION wall.forget_project(doomed uuid) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$ DELETE FROM public.project AS p WHERE p.id = doomed AND p.deleted_at IS NOT NULL $$;

CREATE FUNCTION wall.deleted_projects(most integer) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$ SELECT p.id FROM public.project AS p WHERE p.deleted_at IS NOT NULL ORDER BY p.deleted_at LIMIT most $$;

-- In the entered project. The external id becomes free at once, and no stored answer contains the document any more.
CREATE FUNCTION wall.delete_document(doomed uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    entered uuid := wall.current_project();
BEGIN
    UPDATE public.document AS d SET deleted_at = now(), external_id = NULL
    WHERE d.project_id = entered AND d.id = doomed AND d.deleted_at IS NULL;
    IF FOUND THEN
        UPDATE public.idempotency_key AS i SET status = 404, headers = '{}', body = '', subjects = '{}'
        WHERE i.project_id = entered AND i.subjects @> ARRAY[doomed];
    END IF;
END
$$;

-- Purges part of a marked document in the entered project, its own row last; returns 0 when it is gone.
CREATE FUNCTION wall.purge_document(doomed uuid, most integer, bytes bigint) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    entered uuid := wall.current_project();
    removed bigint;
BEGIN
    PERFORM FROM public.document AS d
    WHERE d.project_id = entered AND d.id = doomed AND d.deleted_at IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    DELETE FROM public.chunk WHERE ctid = ANY (ARRAY(
        SELECT c.ctid FROM public.chunk AS c WHERE c.project_id = entered AND c.document_id = doomed LIMIT most
    ));
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF removed > 0 THEN
        RETURN removed;
    END IF;
    DELETE FROM public.document_version WHERE ctid = ANY (ARRAY(
        SELECT v.ctid FROM public.document_version AS v
        WHERE v.project_id = entered AND v.document_id = doomed LIMIT most
    ));
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF removed > 0 THEN
        RETURN removed;
    END IF;
    DELETE FROM public.document_text WHERE ctid = ANY (ARRAY(
        SELECT counted.place FROM (
            SELECT chosen.place, sum(chosen.size) OVER (ROWS UNBOUNDED PRECEDING) - chosen.size AS before
            FROM (
                SELECT t.ctid AS place, t.size FROM public.document_text AS t
                WHERE t.project_id = entered AND t.document_id = doomed LIMIT most
            ) AS chosen
        ) AS counted WHERE counted.before < bytes
    ));
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF removed > 0 THEN
        RETURN removed;
    END IF;
    DELETE FROM public.document AS d WHERE d.project_id = entered AND d.id = doomed;
    RETURN 1;
END
$$;

-- Documents of deleted projects are purged with their project.
CREATE FUNCTION wall.deleted_documents(most integer) RETURNS TABLE (project_id uuid, document_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT d.project_id, d.id FROM public.document AS d JOIN public.project AS p ON p.id = d.project_id
    WHERE d.deleted_at IS NOT NULL AND p.deleted_at IS NULL ORDER BY d.deleted_at LIMIT most
$$;

-- Whether the project still has passages of deleted documents.
CREATE FUNCTION wall.has_deleted_documents(project uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    SELECT EXISTS (SELECT FROM public.document AS d WHERE d.project_id = project AND d.deleted_at IS NOT NULL)
$$;

-- Deletes expired rows of all projects and accounts, at most `most` at a time. Skips locked rows until the next call,
-- so that it waits for no project.
CREATE FUNCTION wall.prune_invitations(most integer) RETURNS bigint LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.invitation AS i USING (
            SELECT o.project_id, o.id FROM public.invitation AS o WHERE o.expires_at <= now()
            LIMIT most FOR UPDATE SKIP LOCKED
        ) AS old WHERE i.project_id = old.project_id AND i.id = old.id RETURNING 1
    )
    SELECT count(*) FROM removed
$$;

CREATE FUNCTION wall.prune_api_keys(before timestamptz, most integer) RETURNS bigint LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.api_key AS k USING (
            SELECT o.project_id, o.id FROM public.api_key AS o
            WHERE o.revoked_at < least(before, now()) OR o.expires_at < least(before, now())
            LIMIT most FOR UPDATE SKIP LOCKED
        ) AS old WHERE k.project_id = old.project_id AND k.id = old.id RETURNING 1
    )
    SELECT count(*) FROM removed
$$;

CREATE FUNCTION wall.prune_registrations(most integer) RETURNS bigint LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.registration AS r USING (
            SELECT o.id FROM public.registration AS o WHERE o.expires_at <= now() LIMIT most FOR UPDATE SKIP LOCKED
        ) AS old WHERE r.id = old.id RETURNING 1
    )
    SELECT count(*) FROM removed
$$;

-- Deletes their refresh tokens, too.
CREATE FUNCTION wall.prune_sessions(before timestamptz, most integer) RETURNS bigint LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.session AS s USING (
            SELECT o.id FROM public.session AS o WHERE o.expires_at < least(before, now())
            LIMIT most FOR UPDATE SKIP LOCKED
        ) AS old WHERE s.id = old.id RETURNING 1
    )
    SELECT count(*) FROM removed
$$;

-- The oldest first, up to the given bytes. Returns their number; 0 when none is old enough.
CREATE FUNCTION wall.prune_idempotency_keys(before timestamptz, most integer, bytes bigint) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.idempotency_key WHERE ctid = ANY (ARRAY(
            SELECT counted.place FROM (
                SELECT chosen.place, sum(chosen.weight) OVER (ROWS UNBOUNDED PRECEDING) - chosen.weight AS sum_before
                FROM (
                    SELECT i.ctid AS place, pg_column_size(i.body) AS weight FROM public.idempotency_key AS i
                    WHERE i.created_at < least(before, now()) ORDER BY i.created_at LIMIT most FOR UPDATE SKIP LOCKED
                ) AS chosen
            ) AS counted WHERE counted.sum_before < bytes
        )) RETURNING 1
    )
    SELECT count(*) FROM removed
$$;
