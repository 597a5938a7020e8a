-- Former texts of a document, each stored once however many versions have it.

-- Stores the text that a change replaces, unless an older version has it already; the new text is stored with the
-- document only.
CREATE OR REPLACE FUNCTION wall.keep_text() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    again bigint;
BEGIN
    INSERT INTO public.document_text (project_id, document_id, content_sha256, size, content)
    VALUES (OLD.project_id, OLD.id, OLD.content_sha256, OLD.size, OLD.content)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        NEW.history_bytes := NEW.history_bytes + OLD.size;
    END IF;
    DELETE FROM public.document_text AS t
    WHERE t.project_id = NEW.project_id AND t.document_id = NEW.id AND t.content_sha256 = NEW.content_sha256
    RETURNING t.size INTO again;
    NEW.history_bytes := NEW.history_bytes - coalesce(again, 0);
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER document_text_replaced BEFORE UPDATE OF content ON document
    FOR EACH ROW WHEN (NEW.content_sha256 <> OLD.content_sha256) EXECUTE FUNCTION wall.keep_text();

-- Deletes the former texts of a document of the bound project that no version has any more.
CREATE OR REPLACE FUNCTION wall.drop_unused_texts(project uuid, document uuid) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog
AS $$
    WITH gone AS (
        DELETE FROM public.document_text AS t
        WHERE t.project_id = project AND t.document_id = document AND NOT EXISTS (
            SELECT FROM public.document_version AS v
            WHERE v.project_id = t.project_id AND v.document_id = t.document_id
                AND v.content_sha256 = t.content_sha256
        )
        RETURNING t.size
    ), freed AS (SELECT sum(gone.size) AS bytes FROM gone)
    UPDATE public.document AS d SET history_bytes = d.history_bytes - freed.bytes FROM freed
    WHERE d.project_id = project AND d.id = document AND freed.bytes > 0
$$;

-- Deletes versions beyond the quota, and texts that no version has any more.
CREATE OR REPLACE FUNCTION wall.drop_old_versions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    DELETE FROM public.document_version AS v
    WHERE v.project_id = NEW.project_id AND v.document_id = NEW.document_id
        AND v.number <= NEW.number - (SELECT wall.quota_of(NEW.project_id, 'versions_per_document'));
    IF FOUND THEN
        PERFORM wall.drop_unused_texts(NEW.project_id, NEW.document_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER document_version_added AFTER INSERT ON document_version
    FOR EACH ROW WHEN (NEW.number > 1) EXECUTE FUNCTION wall.drop_old_versions();

-- Deletes the versions of the bound project that were replaced before `moment`, with the texts that only they had. Looks
-- at `most` versions after a position, and returns the last one's position and how many were deleted; nothing at the end.
CREATE OR REPLACE FUNCTION wall.prune_versions(
    moment timestamptz, after_document uuid, after_number integer, most integer
) RETURNS TABLE (document_id uuid, number integer, removed integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
#variable_conflict use_column
DECLARE
    opened uuid := wall.current_project();
    last_document uuid;
    last_number integer;
    replaced record;
    deleted integer := 0;
    more integer;
BEGIN
    SELECT v.document_id, v.number INTO last_document, last_number FROM (
        SELECT document_id, number FROM public.document_version
        WHERE project_id = opened AND (document_id, number) > (after_document, after_number)
        ORDER BY document_id, number LIMIT most
    ) AS v ORDER BY v.document_id DESC, v.number DESC LIMIT 1;
    IF last_document IS NULL THEN
        RETURN;
    END IF;
    FOR replaced IN
        SELECT v.document_id, max(v.number) AS newest FROM public.document_version AS v
        WHERE v.project_id = opened AND v.created_at < least(moment, now())
            AND (v.document_id, v.number) > (after_document, after_number)
            AND (v.document_id, v.number) <= (last_document, last_number)
        GROUP BY v.document_id ORDER BY v.document_id
    LOOP
        -- Locks the document against changes of its texts.
        PERFORM FROM public.document AS d
        WHERE d.project_id = opened AND d.id = replaced.document_id FOR NO KEY UPDATE;
        DELETE FROM public.document_version AS v
        WHERE v.project_id = opened AND v.document_id = replaced.document_id AND v.number < replaced.newest;
        GET DIAGNOSTICS more = ROW_COUNT;
        IF more > 0 THEN
            PERFORM wall.drop_unused_texts(opened, replaced.document_id);
        END IF;
        deleted := deleted + more;
    END LOOP;
    RETURN QUERY SELECT last_document, last_number, deleted;
END
$$;

-- The projects after `beyond`, by id: only ids cross the wall.
CREATE OR REPLACE FUNCTION wall.projects_after(beyond uuid, most integer) RETURNS TABLE (id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$ SELECT p.id FROM public.project AS p WHERE p.id > beyond AND p.deleted_at IS NULL ORDER BY p.id LIMIT most $$;

GRANT EXECUTE ON FUNCTION wall.prune_versions, wall.projects_after TO :runtime_role;
