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

-- Deletes versions beyond the quota, and texts that no version has any more.
CREATE OR REPLACE FUNCTION wall.drop_old_versions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    DELETE FROM public.document_version AS v
    WHERE v.project_id = NEW.project_id AND v.document_id = NEW.document_id
        AND v.number <= NEW.number - (SELECT wall.quota_of(NEW.project_id, 'versions_per_document'));
    IF FOUND THEN
        WITH gone AS (
            DELETE FROM public.document_text AS t
            WHERE t.project_id = NEW.project_id AND t.document_id = NEW.document_id AND NOT EXISTS (
                SELECT FROM public.document_version AS v
                WHERE v.project_id = t.project_id AND v.document_id = t.document_id
                    AND v.content_sha256 = t.content_sha256
            )
            RETURNING t.size
        ), freed AS (SELECT sum(gone.size) AS bytes FROM gone)
        UPDATE public.document AS d SET history_bytes = d.history_bytes - freed.bytes FROM freed
        WHERE d.project_id = NEW.project_id AND d.id = NEW.document_id AND freed.bytes > 0;
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER document_version_added AFTER INSERT ON document_version
    FOR EACH ROW WHEN (NEW.number > 1) EXECUTE FUNCTION wall.drop_old_versions();
