-- A deleted document is only marked; a job purges its rows in small steps.

-- Marks a document of the bound project as deleted. The external id becomes free at once, and no stored answer contains
-- the document any more.
CREATE OR REPLACE FUNCTION wall.delete_document(doomed uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
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

-- Marked documents to purge, the first deleted first. Those of deleted projects are purged with their project.
CREATE OR REPLACE FUNCTION wall.deleted_documents(most integer) RETURNS TABLE (project_id uuid, document_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT d.project_id, d.id FROM public.document AS d JOIN public.project AS p ON p.id = d.project_id
    WHERE d.deleted_at IS NOT NULL AND p.deleted_at IS NULL ORDER BY d.deleted_at LIMIT most
$$;

-- Whether a project still has passages of deleted documents.
CREATE OR REPLACE FUNCTION wall.has_deleted_documents(project uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT EXISTS (SELECT FROM public.document AS d WHERE d.project_id = project AND d.deleted_at IS NOT NULL)
$$;

-- Purges part of a marked document in the bound project, its own row last; returns 0 when it is gone.
CREATE OR REPLACE FUNCTION wall.purge_document(doomed uuid, most integer, bytes bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
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

GRANT EXECUTE ON FUNCTION wall.delete_document, wall.deleted_documents, wall.has_deleted_documents,
    wall.purge_document TO :runtime_role;
