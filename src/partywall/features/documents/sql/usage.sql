-- The documents and bytes that count towards a project's quotas.

-- The bytes of a document that count towards the quota. In the trash it counts as before. Once its deletion is final, it
-- counts towards no quota: its share is free at once, and its purge releases nothing more.
CREATE OR REPLACE FUNCTION wall.bytes_of(
    size integer, original_size bigint, history_bytes bigint, metadata jsonb
) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN size + coalesce(original_size, 0) + history_bytes + octet_length(metadata::text);

-- Counts new documents.
CREATE OR REPLACE FUNCTION wall.count_added_documents() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.add_usage(of_project.project_id, of_project.documents, of_project.bytes) FROM (
        SELECT project_id, count(*) AS documents,
            sum(wall.bytes_of(size, original_size, history_bytes, metadata))::bigint AS bytes
        FROM added WHERE deleted_at IS NULL GROUP BY project_id
    ) AS of_project;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER document_added AFTER INSERT ON document
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION wall.count_added_documents();

-- Counts what a document has grown or shrunk, or that its deletion is final.
CREATE OR REPLACE FUNCTION wall.count_changed_document() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    bytes bigint := wall.bytes_of(NEW.size, NEW.original_size, NEW.history_bytes, NEW.metadata);
    former bigint := wall.bytes_of(OLD.size, OLD.original_size, OLD.history_bytes, OLD.metadata);
    counts boolean := NEW.deleted_at IS NULL OR NEW.purge_at IS NOT NULL;
    counted boolean := OLD.deleted_at IS NULL OR OLD.purge_at IS NOT NULL;
BEGIN
    IF counted AND counts THEN
        IF bytes <> former THEN
            PERFORM wall.add_usage(NEW.project_id, 0, bytes - former);
        END IF;
    ELSIF counted THEN
        PERFORM wall.mark_usage(NEW.project_id, -1, -former, 1, bytes);
    ELSIF counts THEN
        PERFORM wall.mark_usage(NEW.project_id, 1, bytes, -1, -former);
    ELSIF bytes <> former THEN
        PERFORM wall.mark_usage(NEW.project_id, 0, 0, 0, bytes - former);
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER document_changed
    AFTER UPDATE OF size, original_size, history_bytes, metadata, deleted_at, purge_at ON document
    FOR EACH ROW EXECUTE FUNCTION wall.count_changed_document();

-- Subtracts removed documents from what they counted as.
CREATE OR REPLACE FUNCTION wall.count_removed_documents() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    of_project record;
BEGIN
    FOR of_project IN
        SELECT project_id, deleted_at IS NOT NULL AND purge_at IS NULL AS marked, count(*) AS documents,
            sum(wall.bytes_of(size, original_size, history_bytes, metadata))::bigint AS bytes
        FROM removed GROUP BY 1, 2
    LOOP
        IF of_project.marked THEN
            PERFORM wall.mark_usage(of_project.project_id, 0, 0, -of_project.documents, -of_project.bytes);
        ELSE
            PERFORM wall.add_usage(of_project.project_id, -of_project.documents, -of_project.bytes);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER document_removed AFTER DELETE ON document
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION wall.count_removed_documents();

GRANT EXECUTE ON FUNCTION wall.bytes_of TO :runtime_role;
