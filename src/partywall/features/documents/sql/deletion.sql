-- A deleted document is only marked. Jobs remove its passages at once, and the rest when the deletion is final.

-- Moves a document of the bound project to the trash, or marks it as deleted for good if it is kept for no time. The
-- external id becomes free at once, and no stored answer contains the document any more.
CREATE OR REPLACE FUNCTION wall.delete_document(target_id uuid, kept_for interval) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    opened uuid := wall.current_project();
BEGIN
    UPDATE public.document AS d SET deleted_at = now(), purging = true,
        purge_at = CASE WHEN kept_for > interval '0' THEN now() + kept_for END,
        external_id = NULL, former_external_id = d.external_id
    WHERE d.project_id = opened AND d.id = target_id AND d.deleted_at IS NULL;
    IF FOUND THEN
        DELETE FROM public.indexing_attempt AS a WHERE a.project_id = opened AND a.document_id = target_id;
        UPDATE public.idempotency_key AS i SET status = 404, headers = '{}', body = '', subjects = '{}'
        WHERE i.project_id = opened AND i.subjects @> ARRAY[target_id];
    END IF;
END
$$;

-- Locks a document in the trash of the bound project.
CREATE OR REPLACE FUNCTION wall.lock_trashed(wanted uuid)
    RETURNS TABLE (revision integer, title text, external_id text, original_key text, media_type text)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT d.revision, d.title, d.former_external_id, d.original_key, d.media_type FROM public.document AS d
    WHERE d.project_id = (SELECT wall.current_project()) AND d.id = wanted AND d.purge_at > now() FOR UPDATE
$$;

-- Takes a document out of the trash, with its external id.
CREATE OR REPLACE FUNCTION wall.restore_document(wanted uuid) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    UPDATE public.document AS d SET deleted_at = NULL, purge_at = NULL, purging = false,
        external_id = d.former_external_id, former_external_id = NULL, revision = d.revision + 1,
        updated_at = clock_timestamp()
    WHERE d.project_id = (SELECT wall.current_project()) AND d.id = wanted AND d.purge_at > now()
    RETURNING d.revision
$$;

-- The documents in the trash of the bound project that were made of these files of an archive, the last deleted ones.
CREATE OR REPLACE FUNCTION wall.trashed_entries(archive uuid, paths text[]) RETURNS TABLE (path text, document_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT DISTINCT ON (e.path) e.path, e.document_id FROM public.archive_entry AS e
    JOIN public.document AS d ON d.project_id = e.project_id AND d.id = e.document_id
    WHERE e.project_id = (SELECT wall.current_project()) AND e.archive_id = archive AND e.path = ANY (paths)
        AND d.purge_at > now()
    ORDER BY e.path, d.deleted_at DESC
$$;

-- Marks a document in the trash as deleted for good.
CREATE OR REPLACE FUNCTION wall.purge_trashed(target_id uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    UPDATE public.document AS d SET purge_at = NULL, purging = true
    WHERE d.project_id = (SELECT wall.current_project()) AND d.id = target_id AND d.purge_at IS NOT NULL
$$;

-- The trash of the bound project, the last deleted first, after a position.
CREATE OR REPLACE FUNCTION wall.trash(before_at timestamptz, before_id uuid, most integer, skipped integer)
    RETURNS TABLE (id uuid, external_id text, title text, media_type text, size integer, created_by text,
        created_at timestamptz, deleted_at timestamptz, purge_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT d.id, d.former_external_id, d.title, d.media_type, d.size, d.created_by, d.created_at, d.deleted_at,
        d.purge_at
    FROM public.document AS d
    WHERE d.project_id = (SELECT wall.current_project()) AND d.purge_at > now()
        AND (before_at IS NULL OR (d.deleted_at, d.id) < (before_at, before_id))
    ORDER BY d.deleted_at DESC, d.id DESC LIMIT most OFFSET skipped
$$;

-- How many documents are in the trash of the bound project.
CREATE OR REPLACE FUNCTION wall.trash_total() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT count(*) FROM public.document AS d
    WHERE d.project_id = (SELECT wall.current_project()) AND d.purge_at > now()
$$;

-- Which of these blobs a document of the bound project refers to, unless its deletion is final.
CREATE OR REPLACE FUNCTION wall.used_blobs(keys text[]) RETURNS TABLE (key text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT d.original_key FROM public.document AS d
    WHERE d.project_id = (SELECT wall.current_project()) AND d.original_key = ANY (keys)
        AND (d.deleted_at IS NULL OR d.purge_at IS NOT NULL)
$$;

-- Marks documents whose time in the trash is over as deleted for good, the first first, and returns them. Those of
-- deleted projects are purged with their project.
CREATE OR REPLACE FUNCTION wall.expire_trash(moment timestamptz, most integer)
    RETURNS TABLE (project_id uuid, document_id uuid, original_key text)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    UPDATE public.document AS d SET purge_at = NULL, purging = true
    FROM (
        SELECT o.project_id, o.id FROM public.document AS o JOIN public.project AS p ON p.id = o.project_id
        WHERE o.purge_at <= least(moment, now()) AND p.deleted_at IS NULL
        ORDER BY o.purge_at LIMIT most FOR UPDATE OF o SKIP LOCKED
    ) AS due
    WHERE d.project_id = due.project_id AND d.id = due.id
    RETURNING d.project_id, d.id, d.original_key
$$;

-- Deleted documents of which rows are left to remove, the first deleted first. Those of deleted projects are purged with
-- their project.
CREATE OR REPLACE FUNCTION wall.deleted_documents(most integer) RETURNS TABLE (project_id uuid, document_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT d.project_id, d.id FROM public.document AS d JOIN public.project AS p ON p.id = d.project_id
    WHERE d.purging AND p.deleted_at IS NULL ORDER BY d.deleted_at LIMIT most
$$;

-- Whether a project still has passages of deleted documents.
CREATE OR REPLACE FUNCTION wall.has_deleted_documents(project uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT EXISTS (SELECT FROM public.document AS d WHERE d.project_id = project AND d.purging)
$$;

-- Purges part of a marked document in the bound project, its own row last; returns 0 when it is gone. Of a document in
-- the trash only the passages are removed.
CREATE OR REPLACE FUNCTION wall.purge_document(target_id uuid, most integer, bytes bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    opened uuid := wall.current_project();
    removed bigint;
    is_final boolean;
BEGIN
    SELECT d.purge_at IS NULL INTO is_final FROM public.document AS d
    WHERE d.project_id = opened AND d.id = target_id AND d.deleted_at IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    DELETE FROM public.chunk WHERE ctid = ANY (ARRAY(
        SELECT c.ctid FROM public.chunk AS c WHERE c.project_id = opened AND c.document_id = target_id LIMIT most
    ));
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF removed > 0 THEN
        RETURN removed;
    ELSIF NOT is_final THEN
        UPDATE public.document AS d SET purging = false, chunks = 0
        WHERE d.project_id = opened AND d.id = target_id AND d.purging;
        RETURN 0;
    END IF;
    DELETE FROM public.document_version WHERE ctid = ANY (ARRAY(
        SELECT v.ctid FROM public.document_version AS v
        WHERE v.project_id = opened AND v.document_id = target_id LIMIT most
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
                WHERE t.project_id = opened AND t.document_id = target_id LIMIT most
            ) AS chosen
        ) AS counted WHERE counted.before < bytes
    ));
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF removed > 0 THEN
        RETURN removed;
    END IF;
    DELETE FROM public.document AS d WHERE d.project_id = opened AND d.id = target_id;
    RETURN 1;
END
$$;

GRANT EXECUTE ON FUNCTION wall.delete_document, wall.lock_trashed, wall.restore_document, wall.purge_trashed,
    wall.trashed_entries, wall.trash, wall.trash_total, wall.used_blobs, wall.expire_trash, wall.deleted_documents,
    wall.has_deleted_documents, wall.purge_document TO :runtime_role;
