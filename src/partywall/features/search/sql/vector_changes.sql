-- What is to be handed to the vector server, noted by the transaction that writes or removes vectors, under any role.

-- A project that is being deleted loses all its vectors there at once.
CREATE OR REPLACE FUNCTION wall.note_vector_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    changed public.embedding := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    INSERT INTO public.vector_change (project_id, index_id, chunk)
    SELECT i.project_id, i.id, changed.chunk
    FROM public.search_index AS i JOIN public.project AS p ON p.id = i.project_id
    WHERE i.project_id = changed.project_id AND i.id = changed.index_id AND p.deleted_at IS NULL
    ON CONFLICT (project_id, index_id, chunk) DO UPDATE SET due_at = now(), deleted_once = false;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER embedding_written AFTER INSERT OR UPDATE OF external ON embedding
    FOR EACH ROW WHEN (NEW.external) EXECUTE FUNCTION wall.note_vector_change();
CREATE OR REPLACE TRIGGER embedding_removed AFTER DELETE ON embedding
    FOR EACH ROW WHEN (OLD.external) EXECUTE FUNCTION wall.note_vector_change();

-- Projects with changes that are due, from the one after `beyond` on; returns only their ids.
CREATE OR REPLACE FUNCTION wall.projects_with_vector_changes(beyond uuid, most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH RECURSIVE waiting (project_id) AS (
        (SELECT c.project_id FROM public.vector_change AS c WHERE c.project_id > beyond ORDER BY c.project_id LIMIT 1)
        UNION ALL
        SELECT (
            SELECT c.project_id FROM public.vector_change AS c
            WHERE c.project_id > waiting.project_id ORDER BY c.project_id LIMIT 1
        ) FROM waiting WHERE waiting.project_id IS NOT NULL
    )
    SELECT waiting.project_id FROM waiting WHERE EXISTS (
        SELECT FROM public.vector_change AS c WHERE c.project_id = waiting.project_id AND c.due_at <= now()
    ) LIMIT most
$$;

-- Indexes whose vectors are not all where the settings say; returns only ids.
CREATE OR REPLACE FUNCTION wall.indexes_to_move(outside boolean) RETURNS TABLE (project_id uuid, index_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT i.project_id, i.id FROM public.search_index AS i
    WHERE i.status IN ('active', 'building') AND (i.external <> outside OR i.external AND NOT i.approximate)
        AND NOT EXISTS (SELECT FROM public.project AS p WHERE p.id = i.project_id AND p.deleted_at IS NOT NULL)
$$;

GRANT EXECUTE ON FUNCTION wall.projects_with_vector_changes, wall.indexes_to_move TO :runtime_role;
